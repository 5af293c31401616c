"""The sample sheet: which of a job's rows is which sample of the cohort it is judged by.

It is written where the audit's configuration and cohort are, and read where the job runs. It holds
numbers, pseudonyms and the job's own keys, and no image.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator
from torch import Tensor

from leakaudit.cohorts.cohort import Group
from leakaudit.errors import DataError
from leakaudit.trace.description import TracedSample
from leakaudit.trace.modes import private_file
from leakaudit.trace.places import BLANK

SHEET_VERSION = "1.0"

Key = str | int


class SheetSample(BaseModel):
    """One sample of the cohort."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: int = Field(ge=0, description="index into the cohort")
    patient: str = Field(description="pseudonym")
    group: Group | None = Field(description="null: an unused patient")
    key: Key | None = Field(default=None, description="what the job calls it; null: not said")

    @property
    def called(self) -> Key:
        """What the job calls it; its number where that was not said."""
        return self.sample if self.key is None else self.key


class SampleSheet(BaseModel):
    """The samples of a cohort, and what a job calls them.

    A job may use a key again in another group, as one does that numbers each of its lists from 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = SHEET_VERSION
    cohort_fingerprint: str = Field(description="SHA-256 of the cohort")
    modalities: tuple[str, ...]
    regions: tuple[str, ...]
    space: tuple[PositiveInt, ...]
    samples: tuple[SheetSample, ...]
    asked: tuple[int, ...] = Field(
        default=(), description="samples that the job is asked about; -1: an image of zeros"
    )

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        keyed = [(each.group, each.key) for each in self.samples if each.key is not None]
        if len(set(keyed)) != len(keyed):
            raise ValueError("two samples of a group have the same key")
        return self

    def traced(self) -> tuple[TracedSample, ...]:
        """The training samples, as a trace lists them."""
        return tuple(
            TracedSample(sample=each.sample, patient=each.patient)
            for each in self.samples
            if each.group is Group.TRAINING
        )

    def samples_of(self, keys: Iterable[Key] | Tensor, group: Group = Group.TRAINING) -> Tensor:
        """(n,) indices into the cohort of what the job calls so.

        Args:
            keys: the job's own; where the sheet has none, they are the indices already.
            group: whose keys they are.

        Raises:
            DataError: the sheet does not know one of them.
        """
        # What data loaders give: tensors, numpy scalars, plain values.
        listed = keys.tolist() if isinstance(keys, Tensor) else [_plain(key) for key in keys]
        table = self._tables[group]
        unknown = [key for key in listed if key not in table]
        if unknown:
            raise DataError(
                f"a job's rows must be among the {group} samples of the sheet",
                found=f"{unknown[0]!r} ({len(unknown)} of {len(listed)} unknown)",
                remedy="write the sheet again with the job's own keys, or name those it has",
            )
        return torch.tensor([table[key] for key in listed], dtype=torch.int64)

    def keys_of(self, samples: Tensor) -> tuple[Key | None, ...]:
        """What the job calls some samples; None for a blank image."""
        known = {each.sample: each.called for each in self.samples}
        return tuple(None if each == BLANK else known[each] for each in samples.tolist())

    def with_keys(self, keys: Mapping[Key, int]) -> Self:
        """The same with what the job calls some samples.

        Args:
            keys: the job's key to the index into the cohort.

        Raises:
            DataError: no such sample, or two keys of one sample.
        """
        names = {sample: key for key, sample in keys.items()}
        strange = sorted(set(names) - {each.sample for each in self.samples})
        if strange or len(names) != len(keys):
            raise DataError(
                "each key must name a sample of its own",
                found=f"sample {strange[0]}" if strange else "two keys of one sample",
                remedy="compare the job's rows with the cohort once more",
            )
        samples = tuple(
            each.model_copy(update={"key": names.get(each.sample, each.key)})
            for each in self.samples
        )
        return self.model_copy(update={"samples": samples})

    def write(self, path: Path | str) -> None:
        """Store it, for its owner alone."""
        with open(path, "w", encoding="utf-8", opener=private_file) as stream:
            stream.write(self.model_dump_json(indent=1))

    @cached_property
    def _tables(self) -> Mapping[Group, Mapping[Hashable, int]]:
        return {group: _table(self.samples, group) for group in Group}


def read_sheet(path: Path | str) -> SampleSheet:
    """A sheet that was written before.

    Raises:
        DataError: not there, or not a sheet.
    """
    try:
        return SampleSheet.model_validate_json(Path(path).read_bytes())
    except (OSError, ValidationError) as problem:
        raise DataError(
            "a sample sheet is what `leakaudit samples` writes",
            found=f"{path}: {str(problem).splitlines()[0]}",
            remedy="write it again: leakaudit samples audit.toml --out samples.json",
        ) from None


def _table(samples: Iterable[SheetSample], group: Group) -> Mapping[Hashable, int]:
    """Key to number; where a group has keys, what has none cannot be named."""
    own = [each for each in samples if each.group is group]
    named = [each for each in own if each.key is not None]
    return {each.called: each.sample for each in named or own}


def _plain(key: object) -> Hashable:
    value = key.item() if hasattr(key, "item") else key
    return value if isinstance(value, Hashable) else str(value)

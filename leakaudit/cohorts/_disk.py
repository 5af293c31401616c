"""Settings of every source that reads from disk."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from leakaudit.cohorts._labels import Counts, LabelPlan
from leakaudit.cohorts._persons import Owner, owners_of
from leakaudit.cohorts._pseudonyms import kept_key, key_beside
from leakaudit.cohorts._scaling import Scale, Stored, scale_of
from leakaudit.cohorts._stack import CaseSamples, Survey, stacked
from leakaudit.cohorts.cohort import Cohort, CohortSource
from leakaudit.cohorts.conventions import canonical_modality
from leakaudit.errors import ConfigurationError, DataError, UnknownNameError


def _text(path: object) -> object:
    return str(path) if isinstance(path, Path) else path


class DiskSource(CohortSource):
    """Settings of every source that reads files."""

    private: ClassVar[frozenset[str]] = frozenset(
        {"path", "pseudonym_key", "pseudonym_key_file", "person_pattern", "exclude"}
    )

    path: Annotated[str, BeforeValidator(_text)] = Field(
        description="file or folder; ~ and $VARIABLES are filled in when it is read"
    )
    modalities: tuple[str, ...] | None = Field(
        default=None, description="which modalities, in channel order; all that are found if unset"
    )
    rename: dict[str, str] = Field(
        default_factory=dict, description="name on disk to name of the modality"
    )
    regions: dict[str, tuple[int, ...]] | None = Field(
        default=None,
        description="region name to the label values it is the union of; as the layout says if "
        "unset, and then masks without a convention must have two values",
    )
    window: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="modality to the values that become 0 and 1, such as { CT = [-160, 240] }; "
        "percentiles if unset",
    )
    background: dict[str, float] = Field(
        default_factory=dict,
        description="modality to the value of empty space, which becomes 0; guessed from corners "
        "and commonest value if unset",
    )
    person_pattern: str | None = Field(
        default=None,
        description="regular expression on the name below the path, with a group person and "
        "optionally study and site; names of public data sets and visits are known if unset",
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="names below the path to leave out, such as archive/*"
    )
    skip_incomplete: bool = Field(
        default=False, description="leave out what lacks a modality or labels, with a warning"
    )
    leave_out_copied: bool = Field(
        default=False, description="leave out patients with two identical modalities"
    )
    pseudonym_key_file: str | None = Field(
        default=None,
        description="file with the key that orders the pseudonyms; drawn beside the data if unset",
    )
    pseudonym_key: str | None = Field(
        default=None, description="the key itself, to repeat an audit; kept out of the record"
    )

    @abstractmethod
    def survey(self) -> Survey:
        """Read every file once: the cohort, and what a reader should know of it.

        Raises:
            DataError: files break rules; all of them in one message.
        """

    def load(self) -> Cohort:
        """Read the cohort.

        Raises:
            DataError: files break rules; all of them in one message.
        """
        return self.survey().cohort

    def location(self) -> Path:
        """The path with ~ and variables filled in.

        Raises:
            DataError: there is nothing there.
        """
        try:
            path = Path(os.path.expandvars(self.path)).expanduser()
            there = path.exists()
        except (ValueError, RuntimeError):
            path, there = Path(repr(self.path)), False
        if not there:
            raise DataError(
                "the path of a cohort must exist",
                found=str(path),
                remedy="correct `path`, or set the variables in it",
            )
        return path

    def key(self) -> str:
        """What orders the pseudonyms.

        Raises:
            DataError: it is kept in a file that cannot be read or made.
        """
        if self.pseudonym_key is not None:
            return self.pseudonym_key
        if self.pseudonym_key_file is not None:
            return kept_key(Path(os.path.expandvars(self.pseudonym_key_file)).expanduser())
        return kept_key(key_beside(self.location()))

    def modality_of(self, written: str) -> str:
        """The name of a modality after `rename`, or its canonical name."""
        return self.rename.get(written, canonical_modality(written))

    def chosen(self, found: Sequence[str]) -> tuple[str, ...]:
        """The modalities to load, in channel order.

        Args:
            found: those on disk, renamed.

        Raises:
            UnknownNameError: one that was asked for is not there.
            DataError: a name occurs twice.
        """
        if len(set(found)) < len(found):
            raise DataError(
                "each modality must occur once",
                found=", ".join(found),
                remedy="give the channels different names with `rename`, or correct the list",
            )
        for named in (*self.window, *self.background):
            if named not in found:
                raise UnknownNameError.of("modality", named, found)
        if self.modalities is None:
            return tuple(found)
        wanted = tuple(canonical_modality(name) for name in self.modalities)
        for written, name in zip(self.modalities, wanted, strict=True):
            if name not in found and written not in found:
                raise UnknownNameError.of("modality", written, found)
        return tuple(
            written if written in found else name
            for written, name in zip(self.modalities, wanted, strict=True)
        )

    def owners(self, names: Sequence[str]) -> dict[str, Owner]:
        """Whose each name on disk is."""
        return owners_of(names, self.person_pattern)

    def scale(self, image: npt.NDArray[Any], modality: str, stored: Stored = "values") -> Scale:
        """How one image of one patient is brought to [0, 1].

        Raises:
            ConfigurationError: the window has no width.
        """
        window = self.window.get(modality)
        if window is not None and not (np.isfinite(window).all() and window[0] < window[1]):
            raise ConfigurationError(
                "a window must have a low end below its high end",
                found=f"{list(window)} for {modality}",
                remedy="write window = { NAME = [low, high] }",
            )
        return scale_of(
            image,
            stored=stored,
            window=window,
            background=self.background.get(modality),
        )

    def stacked(
        self,
        cases: Iterable[CaseSamples],
        faults: list[DataError],
        *,
        name: str,
        modalities: tuple[str, ...],
        plan: LabelPlan,
        scaling: str,
        counts: Counts,
        warnings: Sequence[str] = (),
        passed_over: tuple[str, ...] = (),
    ) -> Survey:
        """One cohort from cases that arrive one at a time; see :func:`stacked`."""
        return stacked(
            cases,
            faults,
            name=name,
            modalities=modalities,
            plan=plan,
            scaling=scaling,
            counts=counts,
            warnings=warnings,
            key=self.key,
            where=self.location(),
            shareable=self.shareable,
            leave_out_copied=self.leave_out_copied,
            passed_over=passed_over,
        )

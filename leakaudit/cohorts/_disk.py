"""What the sources that read from disk share: settings, pseudonyms, stacking patients."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._pseudonyms import pseudonyms
from leakaudit.cohorts.checks import check_any_patients, check_same_shape, copied_pairs
from leakaudit.cohorts.cohort import ByteArray, Cohort, CohortSource, FloatArray
from leakaudit.cohorts.conventions import canonical_modality
from leakaudit.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class PatientSamples:
    """What one patient contributes.

    Attributes:
        original: the name on disk; goes no further than this package.
        images: (n, m, *space) in [0, 1].
        labels: (n, *space).
        positions: (n,).
        note: what was odd about this patient; the same words for every patient it is true of.
    """

    original: str
    images: FloatArray
    labels: ByteArray
    positions: npt.NDArray[np.int64]
    note: str = ""


class DiskSource(CohortSource):
    """Settings of every source that reads files."""

    path: str = Field(description="file or folder; ~ and $VARIABLES are filled in when it is read")
    modalities: tuple[str, ...] | None = Field(
        default=None, description="which modalities, in channel order; all that are found if unset"
    )
    rename: dict[str, str] = Field(
        default_factory=dict, description="name on disk to name of the modality"
    )
    leave_out_copied: bool = Field(
        default=False, description="leave out patients with two identical modalities"
    )
    pseudonym_key: str = Field(
        default="leakaudit", description="orders the pseudonyms; change it to change the order"
    )

    def location(self) -> Path:
        """The path with ~ and variables filled in.

        Raises:
            DataError: there is nothing there.
        """
        path = Path(os.path.expandvars(self.path)).expanduser()
        if not path.exists():
            raise DataError(
                "the path of a cohort must exist",
                found=str(path),
                remedy="correct `path`, or set the variables in it",
            )
        return path

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
                remedy="give the channels different names with `rename`",
            )
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

    def stack(
        self,
        samples: Iterator[PatientSamples],
        *,
        name: str,
        modalities: tuple[str, ...],
        regions: Mapping[str, tuple[int, ...]],
        scaling: str,
        warnings: Sequence[str] = (),
    ) -> Cohort:
        """One cohort from patients that arrive one at a time, ordered by pseudonym.

        Raises:
            DataError: no patient is left.
        """
        kept: dict[str, PatientSamples] = {}
        copied: dict[str, list[tuple[int, int]]] = {}
        for patient in samples:
            if patient.original in kept:
                raise DataError(
                    "each patient must occur once",
                    found=patient.original,
                    remedy="give the files of different patients different names",
                )
            if pairs := copied_pairs(patient.images):
                copied[patient.original] = pairs
            kept[patient.original] = patient
        table = pseudonyms(kept, self.pseudonym_key)
        notes = [*warnings, *self._copied_notes(copied, table, modalities), *_notes(kept, table)]
        if self.leave_out_copied:
            kept = {original: each for original, each in kept.items() if original not in copied}
        check_any_patients(kept, self.location(), "patients without copied modalities")
        ordered = sorted(kept.values(), key=lambda patient: table[patient.original])
        check_same_shape({each.original: each.images.shape[1:] for each in ordered})
        counts = [len(patient.labels) for patient in ordered]
        return Cohort(
            name=name,
            modalities=modalities,
            images=np.concatenate([patient.images for patient in ordered]),
            labels=np.concatenate([patient.labels for patient in ordered]),
            regions=dict(regions),
            patients=np.repeat(np.array([table[each.original] for each in ordered]), counts),
            positions=np.concatenate([patient.positions for patient in ordered]),
            scaling=scaling,
            shareable=self.shareable,
            warnings=tuple(notes),
        )

    def _copied_notes(
        self,
        copied: Mapping[str, list[tuple[int, int]]],
        table: Mapping[str, str],
        modalities: tuple[str, ...],
    ) -> list[str]:
        owners: dict[tuple[int, int], list[str]] = {}
        for original, pairs in copied.items():
            for pair in pairs:
                owners.setdefault(pair, []).append(table[original])
        done = "left out" if self.leave_out_copied else "set leave_out_copied to leave them out"
        return [
            f"{modalities[first]} and {modalities[second]} are identical in "
            f"{', '.join(sorted(names))}: a copied channel makes leakage trivially perfect; {done}"
            for (first, second), names in sorted(owners.items())
        ]


def _notes(kept: Mapping[str, PatientSamples], table: Mapping[str, str]) -> list[str]:
    owners: dict[str, list[str]] = {}
    for original, patient in kept.items():
        if patient.note:
            owners.setdefault(patient.note, []).append(table[original])
    return [f"{note} in {', '.join(sorted(names))}" for note, names in sorted(owners.items())]

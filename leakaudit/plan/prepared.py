"""A cohort prepared once: arrays on the disk, which all workers map instead of reading files anew.

The folder is named by the content and holds one array per kind, modality by modality, so that what
one party holds lies together. It appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import ByteArray, Cohort
from leakaudit.errors import EnvironmentProblemError
from leakaudit.trace.size import check_disk

# Raise when what is written, or how a cohort is made of it, changes.
STORE_VERSION = 1
DESCRIPTION = "cohort.json"
_PIECE_BYTES = 2**24


@dataclass(frozen=True)
class StoredCohort(Cohort):
    """A cohort whose arrays are mapped from the disk.

    Attributes:
        held: (n, r, *space) uint8, the masks.
    """

    held: ByteArray | None = None

    def masks(self) -> ByteArray:
        """As they were prepared."""
        return super().masks() if self.held is None else self.held


class Store:
    """Where a run's workers find its cohort; gone when the run ends, for it holds the images.

    What a killed run leaves is used, and taken away, by the next one.

    Args:
        folder: of the prepared cohorts; made when it is needed.
        cohort: loaded, and checked.
        fingerprint: of it.
    """

    def __init__(self, folder: Path, cohort: Cohort, fingerprint: str) -> None:
        self.folder = folder
        self._cohort, self._fingerprint = cohort, fingerprint

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepared(self) -> Path:
        """The folder of the prepared cohorts, with this one among them.

        Raises:
            EnvironmentProblemError: the disk has no room, or refused a file.
        """
        place = place_of(self._fingerprint, self.folder)
        if not place.is_dir():
            _prepare(self._cohort, place)
        return self.folder


def place_of(fingerprint: str, store: Path) -> Path:
    """Where a cohort is, or would be."""
    return store / f"{STORE_VERSION}-{fingerprint}"


def read(folder: Path) -> Cohort:
    """Map a prepared cohort; its arrays are read when and where they are used."""
    told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    # Copy on write: torch wants arrays that could be written, and nobody writes the files.
    images, labels, masks = (
        np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
        for name in ("images", "labels", "masks")
    )
    return StoredCohort(
        name=told["name"],
        modalities=tuple(told["modalities"]),
        images=images.swapaxes(0, 1),
        labels=labels,
        regions={name: tuple(values) for name, values in told["regions"]},
        patients=np.array(told["patients"], dtype=np.str_),
        positions=np.array(told["positions"], dtype=np.int64),
        scaling=told["scaling"],
        shareable=told["shareable"],
        warnings=tuple(told["warnings"]),
        study=None if told["study"] is None else np.array(told["study"], dtype=np.int64),
        site=None if told["site"] is None else np.array(told["site"], dtype=np.str_),
        held=masks,
    )


def _prepare(cohort: Cohort, place: Path) -> None:
    masks = cohort.masks()
    needed = cohort.images.nbytes + cohort.labels.nbytes + masks.nbytes
    check_disk(place, needed, "the prepared cohort")
    partial = place.parent / f".partial-{place.name}-{socket.gethostname()}-{os.getpid()}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(partial / "images.npy", cohort.images.swapaxes(0, 1))
        _write(partial / "labels.npy", cohort.labels)
        _write(partial / "masks.npy", masks)
        (partial / DESCRIPTION).write_text(json.dumps(_described(cohort)), encoding="utf-8")
        partial.rename(place)
    except OSError as problem:
        shutil.rmtree(partial, ignore_errors=True)
        raise EnvironmentProblemError(
            f"the prepared cohort must fit into the run folder ({problem.strerror})",
            found=f"{needed / 2**20:,.0f} MiB to write to {place.parent}",
            remedy="free disk space, or name another folder with --out; then repeat the command",
        ) from None


def _write(file: Path, array: npt.NDArray[np.generic]) -> None:
    """As `numpy.save` would, without a copy of all of it in memory."""
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    with file.open("wb") as target:
        np.lib.format.write_array_header_2_0(target, header)
        for part in array:
            for piece in np.array_split(part, max(1, part.nbytes // _PIECE_BYTES)):
                target.write(np.ascontiguousarray(piece).data)


def _described(cohort: Cohort) -> dict[str, object]:
    alone = {name: getattr(cohort, name) for name in ("patients", "positions", "study", "site")}
    return {
        "name": cohort.name,
        "modalities": cohort.modalities,
        # A list: the order of regions is the order of mask channels.
        "regions": [(name, list(values)) for name, values in cohort.regions.items()],
        "scaling": cohort.scaling,
        "shareable": cohort.shareable,
        "warnings": cohort.warnings,
    } | {name: None if array is None else array.tolist() for name, array in alone.items()}

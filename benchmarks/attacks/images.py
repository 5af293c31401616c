"""Images for the attack benchmarks: generated patients, or slices of ``LEAKAUDIT_REAL_DATA``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leakaudit.cohorts.phantom import Phantom

ARCHIVE = "lgg_128.npz"
MODALITIES = ("T1", "T2", "FLAIR")
EACH = 4  # slices of a generated patient


@dataclass(frozen=True, eq=False)
class Slices:
    """Small images of many patients.

    Attributes:
        source: where they come from, in words.
        images: (n, channels, side, side) in [0, 1], a patient's slices in a row.
        masks: (n, 1, side, side), 0 or 1.
        patients: (n,) number of the patient.
    """

    source: str
    images: Tensor
    masks: Tensor
    patients: Tensor

    def split(self, held: int) -> tuple[Slices, Slices]:
        """The first patients, and the last ones with at most so many images together."""
        cut = len(self.images) - held
        while self.patients[cut] == self.patients[cut - 1]:
            cut += 1
        return self._rows(slice(cut)), self._rows(slice(cut, None))

    def parted(self, first: int) -> tuple[Slices, Slices]:
        """So many images, and the others."""
        return self._rows(slice(first)), self._rows(slice(first, None))

    def one_each(self, count: int) -> Slices:
        """One image of each of so many patients."""
        new = torch.cat([torch.ones(1, dtype=torch.bool), self.patients.diff() != 0])
        rows = new.nonzero()[:count, 0]
        return Slices(self.source, self.images[rows], self.masks[rows], self.patients[rows])

    def _rows(self, rows: slice) -> Slices:
        return Slices(self.source, self.images[rows], self.masks[rows], self.patients[rows])


def slices(count: int, channels: int, side: int = 32) -> Slices:
    """So many images, several of each patient, in the last channels."""
    folder = os.environ.get("LEAKAUDIT_REAL_DATA")
    if folder:
        return _real(Path(folder) / ARCHIVE, count, channels, side)
    cohort = Phantom(
        patients=-(-count // EACH),
        slices_per_patient=EACH,
        size=side,
        modalities=MODALITIES[-channels:],
    ).load()
    return Slices(
        "generated patients",
        torch.from_numpy(cohort.images[:count]),
        torch.from_numpy(cohort.labels[:count, None] > 0).float(),
        torch.arange(count) // EACH,
    )


def _real(archive: Path, count: int, channels: int, side: int) -> Slices:
    """Slices in the order of their patients, reduced by averaging."""
    with np.load(archive) as given:
        names, owners = np.unique(given["patient"], return_inverse=True)
        order = np.argsort(owners, kind="stable")[:count]
        images = torch.from_numpy(given["image"][order]).movedim(-1, 1).float() / 255
        masks = torch.from_numpy(given["mask"][order] > 0)[:, None].float()
    pool = torch.nn.functional.adaptive_avg_pool2d
    return Slices(
        f"slices of {len(names)} patients with low-grade glioma",
        pool(images[:, -channels:], side),
        (pool(masks, side) > 0.5).float(),
        torch.from_numpy(owners[order]),
    )

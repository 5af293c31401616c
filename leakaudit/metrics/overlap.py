"""Dice: how much of a guessed mask lies where the true one does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Masks, Metric, Values
from leakaudit.statistics.direction import Direction


class MaskOverlap(Metric):
    """Dice of a recovered label mask, over all voxels and regions of each patient."""

    name: ClassVar[str] = "dice"
    title: ClassVar[str] = "mask overlap (Dice)"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Dice 1945, Ecology 26(3): twice the overlap over the sum of sizes"
    meaning: ClassVar[str] = (
        "How much of the patient's lesion, as drawn by the label holder, the adversary can draw "
        "itself: 0 is none of it, 1 its exact outline."
    )
    remedy: ClassVar[str] = (
        "Clip and add noise to the gradients sent back, or send fewer levels back."
    )

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """The exact outline."""
        return 1.0

    def __call__(
        self, reference: Masks, candidate: Masks, patients: Sequence[str]
    ) -> tuple[Values, npt.NDArray[np.str_]]:
        """One value per patient.

        Args:
            reference: (n, regions, *space) the true masks.
            candidate: the same of the recovered ones.
            patients: (n,) owner of each sample.

        Returns:
            (patients,) values, NaN where both masks are empty, and the patients they belong to.

        Raises:
            DataError: shapes disagree.
        """
        if reference.shape != candidate.shape or len(reference) != len(patients):
            raise DataError(
                "a recovered mask has the shape of the true one, and every sample an owner",
                found=f"{candidate.shape} against {reference.shape}, {len(patients)} owners",
            )
        flat = (len(reference), -1)
        both = (reference & candidate).reshape(flat).sum(axis=1)
        total = reference.reshape(flat).sum(axis=1) + candidate.reshape(flat).sum(axis=1)
        owners, number = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
        sums = np.bincount(number, total)
        values = np.full(len(owners), np.nan)
        np.divide(2.0 * np.bincount(number, both), sums, out=values, where=sums > 0)
        return values, owners

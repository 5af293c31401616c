"""Differences between two settings on the same patients, from the record's per-patient values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from leakaudit.record.model import Finding, Utility

from .frequencies import Floats, patient_advantages, patient_means


@dataclass(frozen=True)
class Difference:
    """Mean over patients of (with - without), with its interval.

    Attributes:
        mean: of the per-patient differences; seeds are averaged first.
        lower: lower end of the 95 % interval; None for fewer than two patients.
        upper: upper end.
        patients: patients measured under both settings.
    """

    mean: float
    lower: float | None
    upper: float | None
    patients: int

    def overlaps(self, other: Difference) -> bool:
        """Whether the two intervals share a value, or one is missing."""
        if self.lower is None or self.upper is None:
            return True
        if other.lower is None or other.upper is None:
            return True
        return self.lower <= other.upper and other.lower <= self.upper


def difference(with_it: Floats, without: Floats) -> Difference | None:
    """Student's t interval of the paired differences; None where no patient has both."""
    if with_it.shape != without.shape:
        return None
    gaps = with_it - without
    gaps = gaps[np.isfinite(gaps)]
    if not len(gaps):
        return None
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return Difference(mean, None, None, len(gaps))
    half = float(stdtrit(len(gaps) - 1, 0.975) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
    return Difference(mean, mean - half, mean + half, len(gaps))


def leakage_difference(with_it: Finding, without: Finding) -> Difference | None:
    """Change in advantage over blind; in the metric itself where no advantage is defined."""
    pair = patient_advantages(with_it), patient_advantages(without)
    if pair[0] is not None and pair[1] is not None:
        return difference(pair[0], pair[1])
    if with_it.metric != without.metric or with_it.region != without.region:
        return None
    return difference(patient_means(with_it.values), patient_means(without.values))


def utility_difference(with_it: Utility, without: Utility) -> Difference | None:
    """Change in Dice or HD95 on the same validation patients."""
    return difference(patient_means(with_it.values), patient_means(without.values))

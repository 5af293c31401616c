"""Natural frequencies: "of 100 patients, 12". The unit is the patient, seeds are averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.record.model import Finding

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Frequency:
    """A share of patients, as a count of a hundred.

    Attributes:
        of_100: whole patients of a hundred.
        low_of_100: lower end of the 95 % interval, rounded down; None where undefined.
        high_of_100: upper end, rounded up.
        guessing_of_100: what guessing gives; None where there is nothing to guess.
        share: the share itself, 0 to 1.
        patients: patients behind it.
    """

    of_100: int
    low_of_100: int | None
    high_of_100: int | None
    guessing_of_100: int | None
    share: float
    patients: int


def patient_means(values: Sequence[Sequence[float | None]]) -> Floats:
    """(patients,) mean over seeds of what was measured; NaN where no seed measured it."""
    table = np.array([[np.nan if v is None else v for v in seed] for seed in values], dtype=float)
    seen = np.isfinite(table)
    total = np.where(seen, table, 0.0).sum(axis=0)
    means: Floats = np.full(len(total), np.nan)
    np.divide(total, seen.sum(axis=0), out=means, where=seen.any(axis=0))
    return means


def patient_advantages(finding: Finding) -> Floats | None:
    """(patients,) share of the way from the blind guess to a perfect attack; None if undefined."""
    values = patient_means(finding.values)
    if finding.ceiling is None:
        return None
    # A patient's own blind guess at identity is 0 or 1: the chance level is the fair yardstick.
    if finding.chance is not None and (finding.asset == "identity" or not finding.blind_values):
        blind = np.full_like(values, finding.chance)
    elif finding.blind_values is not None:
        blind = patient_means(finding.blind_values)
    else:
        return None
    room = finding.ceiling - blind
    usable = np.abs(room) > 1e-9
    return np.divide(values - blind, room, out=np.full_like(values, np.nan), where=usable)


def picked_out(finding: Finding) -> Frequency | None:
    """How many of 100 patients an identity attack picks out, from the recorded estimate."""
    estimate = finding.estimate
    if finding.asset != "identity" or not 0 <= estimate.mean <= 1:
        return None
    guess = finding.chance
    if guess is None and finding.blind is not None:
        guess = finding.blind.mean
    return Frequency(
        of_100=round(100 * estimate.mean),
        low_of_100=None if estimate.lower is None else max(0, math.floor(100 * estimate.lower)),
        high_of_100=None if estimate.upper is None else min(100, math.ceil(100 * estimate.upper)),
        guessing_of_100=None if guess is None else round(100 * guess),
        share=estimate.mean,
        patients=estimate.patients,
    )


def beaten_blind(finding: Finding, threshold: float) -> Frequency | None:
    """How many of 100 patients were rebuilt better than blind by more than the threshold."""
    advantages = patient_advantages(finding)
    if advantages is None:
        return None
    advantages = advantages[np.isfinite(advantages)]
    if not len(advantages):
        return None
    hits, patients = int((advantages > threshold).sum()), len(advantages)
    low, high = wilson(hits, patients)
    return Frequency(
        of_100=round(100 * hits / patients),
        low_of_100=math.floor(100 * low),
        high_of_100=math.ceil(100 * high),
        guessing_of_100=None,
        share=hits / patients,
        patients=patients,
    )


def wilson(hits: int, trials: int, z: float = 1.959963985) -> tuple[float, float]:
    """95 % score interval of a rate (Wilson 1927, equation 6)."""
    rate = hits / trials
    centre = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)

"""Natural frequencies: "of 100 patients, 12". The unit is the patient, seeds are averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.record import Estimate, Finding
from leakaudit.record.advantage import advantages

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Frequency:
    """A share of patients, as a count of a hundred.

    Attributes:
        of_100: whole patients of a hundred.
        low_of_100: lower end of the 95 % interval, rounded down; without an interval the bound from
            one side; None where there is neither.
        high_of_100: upper end, rounded up.
        two_sided: whether the ends are an interval's.
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
    two_sided: bool = False


def patient_means(table: Floats) -> Floats:
    """(patients,) mean over the seeds that measured them; NaN where none did."""
    seen = np.isfinite(table)
    means: Floats = np.full(table.shape[1], np.nan)
    total = np.where(seen, table, 0.0).sum(axis=0)
    np.divide(total, seen.sum(axis=0), out=means, where=seen.any(axis=0))
    return means


def picked_out(finding: Finding) -> Frequency | None:
    """How many of 100 patients an identity attack picks out, from the recorded estimate."""
    estimate = finding.estimate
    if finding.asset != "identity" or not 0 <= estimate.mean <= 1:
        return None
    guess = finding.chance
    if guess is None and finding.blind is not None:
        guess = finding.blind.mean
    return _rate(estimate, None if guess is None else round(100 * guess))


def told_apart(finding: Finding) -> Frequency | None:
    """Of 100 pairs of patients who differ, how many are told apart: an area under a curve."""
    estimate = finding.estimate
    if finding.metric != "auc" or not 0 <= estimate.mean <= 1:
        return None
    return _rate(estimate, 50)


def _rate(estimate: Estimate, guessing: int | None) -> Frequency:
    low, high = ends_of_100(estimate)
    return Frequency(
        of_100=round(100 * estimate.mean),
        low_of_100=low,
        high_of_100=high,
        guessing_of_100=guessing,
        share=estimate.mean,
        patients=estimate.patients,
        two_sided=estimate.lower is not None,
    )


def ends_of_100(estimate: Estimate) -> tuple[int | None, int | None]:
    """The interval's ends of a hundred, or the bounds from one side where there is no interval."""
    low, high = estimate.lower, estimate.upper
    if low is None or high is None:
        low, high = estimate.one_sided_lower, estimate.one_sided_upper
    return (
        None if low is None else max(0, math.floor(100 * low)),
        None if high is None else min(100, math.ceil(100 * high)),
    )


def beaten_blind(finding: Finding, threshold: float) -> Frequency | None:
    """How many of 100 patients were rebuilt better than blind by more than the threshold.

    A count of those attacked: no bound is given for it, since seeds move all of them together.
    """
    table = advantages(finding)
    if table is None:
        return None
    means = patient_means(table)
    means = means[np.isfinite(means)]
    if not len(means):
        return None
    hits, patients = int((means > threshold).sum()), len(means)
    return Frequency(
        of_100=round(100 * hits / patients),
        low_of_100=None,
        high_of_100=None,
        guessing_of_100=None,
        share=hits / patients,
        patients=patients,
    )

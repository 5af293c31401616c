"""Natural frequencies: "of 100 patients, 12". The unit is the patient, seeds are averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.record import Finding
from leakaudit.record.advantage import advantages
from leakaudit.statistics import wilson

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
    return Frequency(
        of_100=round(100 * estimate.mean),
        low_of_100=None if estimate.lower is None else max(0, math.floor(100 * estimate.lower)),
        high_of_100=None if estimate.upper is None else min(100, math.ceil(100 * estimate.upper)),
        guessing_of_100=None if guess is None else round(100 * guess),
        share=estimate.mean,
        patients=estimate.patients,
    )


def told_apart(finding: Finding) -> Frequency | None:
    """Of 100 pairs of patients who differ, how many are told apart: an area under a curve."""
    estimate = finding.estimate
    if finding.metric != "auc" or not 0 <= estimate.mean <= 1:
        return None
    return Frequency(
        of_100=round(100 * estimate.mean),
        low_of_100=None if estimate.lower is None else math.floor(100 * estimate.lower),
        high_of_100=None if estimate.upper is None else math.ceil(100 * estimate.upper),
        guessing_of_100=50,
        share=estimate.mean,
        patients=estimate.patients,
    )


def beaten_blind(finding: Finding, threshold: float) -> Frequency | None:
    """How many of 100 patients were rebuilt better than blind by more than the threshold."""
    table = advantages(finding)
    if table is None:
        return None
    means = patient_means(table)
    means = means[np.isfinite(means)]
    if not len(means):
        return None
    hits, patients = int((means > threshold).sum()), len(means)
    bounds = wilson(hits, patients)
    return Frequency(
        of_100=round(100 * hits / patients),
        low_of_100=None if bounds.lower is None else math.floor(100 * bounds.lower),
        high_of_100=None if bounds.upper is None else math.ceil(100 * bounds.upper),
        guessing_of_100=None,
        share=hits / patients,
        patients=patients,
    )

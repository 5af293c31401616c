"""A finding's advantage, patient by patient, on the scale the record's own estimate has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leakaudit.record.estimates import RATES, advantage_values, zero_of_rate
from leakaudit.record.model import Finding

Doubles = npt.NDArray[np.float64]


def table_of(values: Sequence[Sequence[float | None]]) -> Doubles:
    """(seeds, patients) with NaN for what is missing."""
    return np.array([[np.nan if v is None else v for v in seed] for seed in values], dtype=float)


def advantages(finding: Finding) -> Doubles | None:
    """(seeds, patients): way from the blind guess to a perfect attack; None where undefined.

    A patient's own blind guess at a rate is 0 or 1: what all share is the yardstick there.
    """
    values = table_of(finding.values)
    blind = np.full_like(values, np.nan)
    if finding.blind_values:
        blind = table_of(finding.blind_values)
    if finding.metric not in RATES or finding.chance is None or finding.ceiling is None:
        return advantage_values(values, blind, finding.ceiling)
    zero = zero_of_rate(finding.chance, blind)
    return None if zero >= finding.ceiling else (values - zero) / (finding.ceiling - zero)

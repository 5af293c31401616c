"""A finding's advantage, patient by patient, on the scale the record's own estimate has."""

from __future__ import annotations

import numpy as np

from leakaudit.record.estimates import RATES, Doubles, advantage_values, as_array, zero_of_rate
from leakaudit.record.leakage import Finding


def arrays(finding: Finding) -> tuple[Doubles, Doubles]:
    """(seeds, patients) of values and of the blind baseline, NaN where missing."""
    values = as_array(finding.values)
    blind = finding.blind_values
    return values, as_array(blind) if blind else np.full_like(values, np.nan)


def advantages(finding: Finding) -> Doubles | None:
    """(seeds, patients): way from the blind guess to a perfect attack; None where undefined."""
    return advantages_of(finding, *arrays(finding))


def advantages_of(finding: Finding, values: Doubles, blind: Doubles) -> Doubles | None:
    """:func:`advantages` of values that were read already.

    Args:
        finding: says which scale its values have.
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
    """
    return advantage_cells(
        values, blind, metric=finding.metric, chance=finding.chance, ceiling=finding.ceiling
    )


def advantage_cells(
    values: Doubles, blind: Doubles, *, metric: str, chance: float | None, ceiling: float | None
) -> Doubles | None:
    """Way from the blind guess to a perfect attack, cell by cell; None where undefined.

    A patient's own blind guess at a rate is 0 or 1: what all share is the yardstick there.

    Args:
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
        metric: registered name.
        chance: value of guessing; None where undefined.
        ceiling: value of a perfect attack; None where there is none.
    """
    if metric not in RATES or chance is None or ceiling is None:
        return advantage_values(values, blind, ceiling)
    zero = zero_of_rate(chance, blind)
    return None if zero >= ceiling else (values - zero) / (ceiling - zero)

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

    A patient's own blind guess at a rate is 0 or 1: what all share is the yardstick there.

    Args:
        finding: says which scale its values have.
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
    """
    if finding.metric not in RATES or finding.chance is None or finding.ceiling is None:
        return advantage_values(values, blind, finding.ceiling)
    zero = zero_of_rate(finding.chance, blind)
    return None if zero >= finding.ceiling else (values - zero) / (finding.ceiling - zero)

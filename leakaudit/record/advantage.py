"""A finding's advantage, patient by patient, on the scale the record's own estimate has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leakaudit.record.model import Finding

Doubles = npt.NDArray[np.float64]
NO_ROOM = 1e-9
"""A blind guess this close to perfect leaves nothing to gain: the advantage is undefined."""


def table_of(values: Sequence[Sequence[float | None]]) -> Doubles:
    """(seeds, patients) with NaN for what is missing."""
    return np.array([[np.nan if v is None else v for v in seed] for seed in values], dtype=float)


def advantages(finding: Finding) -> Doubles | None:
    """(seeds, patients): way from the blind guess to a perfect attack; None where undefined.

    The differences are each patient's own, the scale is common to all: a scale of its own for every
    patient would let one whose blind guess is nearly perfect outweigh all others.
    """
    values = table_of(finding.values)
    if finding.ceiling is None:
        return None
    # A patient's own blind guess at a rate is 0 or 1: what all share is the fair yardstick.
    if finding.chance is not None and (finding.asset == "identity" or not finding.blind_values):
        blind = np.full_like(values, _zero(finding, finding.chance, finding.ceiling))
    elif finding.blind_values is not None:
        blind = table_of(finding.blind_values)
    else:
        return None
    seen = blind[np.isfinite(blind)]
    room = finding.ceiling - float(seen.mean()) if len(seen) else 0.0
    return (values - blind) / room if abs(room) > NO_ROOM else None


def _zero(finding: Finding, chance: float, ceiling: float) -> float:
    """The rate that counts as no advantage: the one the record's own estimate was scaled by."""
    share = None if finding.advantage is None else finding.advantage.mean
    if share is None or abs(1 - share) < NO_ROOM:
        return chance
    return (finding.estimate.mean - share * ceiling) / (1 - share)

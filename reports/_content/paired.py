"""Differences between two settings on the same patients, from the record's per-patient values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leakaudit.errors import DataError
from leakaudit.record import Finding, Utility
from leakaudit.record.advantage import advantages
from leakaudit.record.changes import Difference
from leakaudit.record.estimates import as_array
from leakaudit.statistics import Cells, Direction, compare

from .frequencies import Floats


def cells(table: Floats, seeds: Sequence[int]) -> Cells:
    """A (seeds, patients) table as the statistics take it; patients by their place."""
    seen = np.isfinite(table)
    some, runs = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    kept = table[runs][:, some]
    return Cells(
        values=kept,
        patients=tuple(f"{place:07d}" for place in some.tolist()),
        seeds=tuple(seeds[run] for run in runs.tolist()),
        n_samples=int(np.isfinite(kept).sum()),
        n_missing=int(table.size - seen.sum()),
    )


def difference(with_it: Floats, without: Floats) -> Difference | None:
    """The paired difference; None where no patient was measured under both."""
    today = cells(with_it, range(len(with_it)))
    before = cells(without, range(len(without)))
    try:
        found = compare(today, before, direction=Direction.HIGHER).difference
    except DataError:
        return None
    if found.mean is None:
        return None
    return Difference(
        found.mean, found.lower, found.upper, found.n_patients, None, found.at_least, found.at_most
    )


def leakage_difference(with_it: Finding, without: Finding) -> Difference | None:
    """Change in advantage over blind; in the metric itself where no advantage is defined."""
    pair = advantages(with_it), advantages(without)
    if pair[0] is not None and pair[1] is not None:
        return difference(pair[0], pair[1])
    if with_it.metric != without.metric or with_it.region != without.region:
        return None
    return difference(as_array(with_it.values), as_array(without.values))


def utility_difference(with_it: Utility, without: Utility) -> Difference | None:
    """Change in Dice or HD95 on the same validation patients."""
    return difference(as_array(with_it.values), as_array(without.values))

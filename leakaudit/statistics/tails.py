"""Bounds for the 95th percentile of the patients to come.

Order statistics over the patients' means (David and Nagaraja 2003, section 7.1), which assume no
distribution, widened by Student's interval over the seeds' own percentiles. The sum of the two is
never below the root of their squares, which would be enough were both normal: it errs on the wide
side (tests/statistics/test_tails.py). Nobody can bound the worst of all patients to come; of the
patients audited, :mod:`leakaudit.statistics.patients` does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leakaudit.statistics.bounded import seeds_margin
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.estimate import Cells, Figure
from leakaudit.statistics.rates import percentile_bounds

Doubles = npt.NDArray[np.float64]
QUANTILE = 0.95


def percentile_estimate(
    cells: Cells, *, direction: Direction, level: float = LEVEL, quantile: float = QUANTILE
) -> Figure:
    """The percentile of patients towards the leak, with one-sided bounds.

    Args:
        cells: complete; a missing cell leaves the bounds undefined.
        direction: which way is leak; for ``LOWER`` it is the 5th percentile.
        level: confidence of each bound by itself.
        quantile: share of patients that leak less.

    Returns:
        An estimate whose ``mean`` is the percentile itself and whose two-sided ends are None. A
        bound that so few patients cannot give is None: "at most" takes 59 of them.
    """
    sign = direction.sign
    leaks = sign * cells.values
    reason = no_replicates(cells)
    if reason:
        return one_sided(cells, direction, level, None, None, None, reason, "")
    means = leaks.mean(axis=0)
    point = float(np.quantile(means, quantile))
    bounds = percentile_bounds(means, quantile, level=level)
    margin = float(seeds_margin(np.quantile(leaks, quantile, axis=1, keepdims=True), level))
    least = None if bounds.lower is None else bounds.lower - margin
    most = None if bounds.upper is None else bounds.upper + margin
    why = "" if most is not None else _too_few(means.size, quantile, level)
    method = (
        f"{quantile:.0%} percentile over patients by order statistics, widened by Student's t over "
        f"{len(cells.seeds)} seeds"
    )
    return one_sided(cells, direction, level, point, least, most, why, method)


def no_replicates(cells: Cells) -> str:
    """Why these cells allow no bound from replicates; empty where they do."""
    n_seeds, n_patients = cells.values.shape
    if n_patients < 2:
        return f"undefined because there is {('no', 'one')[n_patients]} patient"
    if n_seeds < 2:
        return "undefined because there is one seed, and no replicate of it"
    if np.isnan(cells.values).any():
        return "undefined because values are missing"
    return ""


def _too_few(patients: int, quantile: float, level: float) -> str:
    needed = int(np.ceil(np.log(1 - level) / np.log(quantile)))
    return f"no upper bound from {patients} patients: the {quantile:.0%} percentile takes {needed}"


def one_sided(
    cells: Cells,
    direction: Direction,
    level: float,
    point: float | None,
    least: float | None,
    most: float | None,
    undefined: str,
    method: str,
) -> Figure:
    """In the metric's own direction again: for one that leaks downwards the ends change places."""
    sign = direction.sign
    ends = [None if end is None else sign * end for end in (least, most)]
    low, high = ends if sign > 0 else ends[::-1]
    means = cells.by_patient
    top = int(np.argmax(sign * means)) if len(means) else None
    return Figure(
        mean=None if point is None else sign * point,
        lower=None,
        upper=None,
        at_least=low,
        at_most=high,
        level=level,
        direction=direction,
        n_patients=len(cells.patients),
        n_samples=cells.n_samples,
        n_missing=cells.n_missing,
        n_seeds=len(cells.seeds),
        worst=None if top is None else float(means[top]),
        worst_patient=None if top is None else cells.patients[top],
        tail=None,
        method=method,
        undefined=undefined,
    )

"""Bounds for the tail of the patients: the 95th percentile, and the one who leaks most.

A mean averages people away. What is bounded here is a patient's *expected* value over seeds of
training and attack; each bound adds two half-widths, one for each source of chance. Their sum is
never below the root of their squares, which would be enough were both normal: it errs on the wide
side (tests/statistics/test_tails.py).

- **percentile** of the patients to come: order statistics over the patients' means (David and
  Nagaraja 2003, section 7.1), which assume no distribution, and Student's interval over the seeds'
  own percentiles.
- **worst** of the patients audited: nobody can bound the worst of all patients to come. A patient's
  mean over seeds strays by what all patients share under a seed (Student's interval over the
  seeds' means) and by what is its own (spread of the replicates, pooled over patients). "At least"
  is corrected for having picked the worst of many (Bonferroni); "at most" needs no correction: it
  can only miss where the truly worst patient's own bound misses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.statistics.direction import Direction
from leakaudit.statistics.estimate import LEVEL, ROUNDING, Cells, Estimate
from leakaudit.statistics.rates import percentile_bounds

Doubles = npt.NDArray[np.float64]
QUANTILE = 0.95


def percentile_estimate(
    cells: Cells, *, direction: Direction, level: float = LEVEL, quantile: float = QUANTILE
) -> Estimate:
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
    reason = _undefined(cells)
    if reason:
        return _estimate(cells, direction, level, None, None, None, reason, "")
    means = leaks.mean(axis=0)
    point = float(np.quantile(means, quantile))
    bounds = percentile_bounds(means, quantile, level=level)
    margin = seeds_margin(np.quantile(leaks, quantile, axis=1), level)
    least = None if bounds.lower is None else bounds.lower - margin
    most = None if bounds.upper is None else bounds.upper + margin
    why = "" if most is not None else _too_few(means.size, quantile, level)
    method = (
        f"{quantile:.0%} percentile over patients by order statistics, widened by Student's t over "
        f"{len(cells.seeds)} seeds"
    )
    return _estimate(cells, direction, level, point, least, most, why, method)


def worst_estimate(cells: Cells, *, direction: Direction, level: float = LEVEL) -> Estimate:
    """The patient who leaks most of those audited, with one-sided bounds from the replicates.

    Args:
        cells: complete; a missing cell leaves the bounds undefined.
        direction: which way is leak.
        level: confidence of each bound by itself.

    Returns:
        An estimate whose ``mean`` is the worst patient's value and whose two-sided ends are None.
    """
    leaks = direction.sign * cells.values
    reason = _undefined(cells)
    if reason:
        return _estimate(cells, direction, level, None, None, None, reason, "")
    n_seeds, n_patients = leaks.shape
    means = leaks.mean(axis=0)
    point = float(means.max())
    rest = leaks - means - leaks.mean(axis=1, keepdims=True) + leaks.mean()
    freedom = (n_seeds - 1) * (n_patients - 1)
    error = float(np.sqrt((rest**2).sum() / freedom / n_seeds))
    shared = seeds_margin(leaks.mean(axis=1), level)
    if error + shared <= ROUNDING * float(np.abs(leaks).max()):
        why = "undefined because every seed gave the same values"
        return _estimate(cells, direction, level, point, None, None, why, "")
    picked = 1 - (1 - level) / n_patients
    least = point - shared - error * float(special.stdtrit(freedom, picked))
    most = point + shared + error * float(special.stdtrit(freedom, level))
    method = (
        f"worst of {n_patients} audited patients, from {n_seeds} seeds as replicates; "
        "the lower bound is corrected for having picked the worst"
    )
    return _estimate(cells, direction, level, point, least, most, "", method)


def seeds_margin(by_seed: Doubles, level: float) -> float:
    """Half-width of Student's one-sided interval over the seeds' own figures, (seeds,)."""
    error = by_seed.std(ddof=1) / np.sqrt(len(by_seed))
    return float(special.stdtrit(len(by_seed) - 1, level) * error)


def _undefined(cells: Cells) -> str:
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


def _estimate(
    cells: Cells,
    direction: Direction,
    level: float,
    point: float | None,
    least: float | None,
    most: float | None,
    undefined: str,
    method: str,
) -> Estimate:
    """In the metric's own direction again: for one that leaks downwards the ends change places."""
    sign = direction.sign
    ends = [None if end is None else sign * end for end in (least, most)]
    low, high = ends if sign > 0 else ends[::-1]
    means = cells.by_patient
    top = int(np.argmax(sign * means)) if len(means) else None
    return Estimate(
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

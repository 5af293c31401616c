"""Bounds of the mean of a bounded quantity, whatever its distribution.

A few patients who leak everything among many who leak nothing make a sample that looks like
silence: Student's interval of ten patients then misses the mean one time in four. Gaffke's bound
does not: it weighs the sample, and one patient more who leaks everything, with uniform spacings,
and takes the quantile of that mean. For hits and misses it is Clopper and Pearson's.

That it holds for every distribution on a bounded range is proven in special cases only and
conjectured in general (Learned-Miller and Thomas 2019, arXiv 1905.06208, section 4.1). What was
simulated are seven shapes of 5 to 100 patients under 1 to 5 seeds (``benchmarks/coverage.py``);
docs/statistics.md has what came out, misses included.

Source: Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of
a nonnegative variable", Mathematical Methods of Statistics 14.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Doubles = npt.NDArray[np.float64]

_POINTS = 65
_ROUNDS, _NEAR, _LEAST = 40, 1e-6, 1e-13
_ROUGHLY, _SHARES = 3, np.arange(1.0, 8.0)
_MANY, _PLACES = 250, 32


def tail_probability(
    values: npt.ArrayLike,
    mean: npt.ArrayLike,
    *,
    top: npt.ArrayLike = 1.0,
    counts: Doubles | None = None,
) -> Doubles:
    """The share of weighings that reach ``mean``: small where so high a mean is not to be believed.

    The weights D are uniform spacings of n + 1 places, so that P(sum D_i z_i > m) is that of
    sum (z_i - m) E_i > 0 for exponential E_i: an inverse Laplace transform, integrated along the
    line through its saddle point.

    Args:
        values: (..., n), none above ``top``.
        mean: (...) the mean asked about.
        top: upper end of the range, () or (...).
        counts: (n,) how often each value occurs; None: once.

    Returns:
        float64 (...), between 0 and 1, to about 1e-7.
    """
    sample = np.asarray(values, dtype=np.float64)
    asked = np.asarray(mean, dtype=np.float64)
    often = np.ones(sample.shape[-1] + 1)
    if counts is not None:
        often[:-1] = counts
    ends = np.broadcast_to(np.asarray(top, dtype=np.float64)[..., None], (*sample.shape[:-1], 1))
    distances = np.concatenate([sample, ends], axis=-1) - asked[..., None]
    high, low = distances.max(axis=-1), distances.min(axis=-1)
    open_ = (high > 0) & (low < 0)
    scaled = np.where(open_[..., None], distances / np.where(open_, high, 1.0)[..., None], 0.0)
    scaled[..., -1] = np.where(open_, scaled[..., -1], 0.0)
    saddle = _saddle(scaled, often)
    curvature = (often * scaled**2 / (1 - saddle[..., None] * scaled) ** 2).sum(
        axis=-1
    ) + 1 / saddle**2
    # The integrand falls off like a power of n: the fewer values, the further out it matters.
    steps = np.linspace(0.0, 5.0 + 12.0 / (often.sum() - 1), _POINTS)
    width = 1 / np.sqrt(curvature)[..., None]
    line = saddle[..., None] + 1j * np.sinh(steps) * width
    with np.errstate(over="ignore", invalid="ignore"):  # beyond all floats the integrand is 0
        if line.size <= _POINTS:
            product = line * ((1 - line[..., None] * scaled[..., None, :]) ** often).prod(axis=-1)
        else:  # place by place: all at once would leave the cache
            product = line.copy()
            for place in range(scaled.shape[-1]):
                factor = 1 - line * scaled[..., place, None]
                product *= factor if often[place] == 1 else factor ** often[place]
        heights = np.nan_to_num((1 / product).real * np.cosh(steps) * width)
    heights[..., 0] /= 2
    found = heights.sum(axis=-1) * (steps[1] - steps[0]) / np.pi
    return np.where(open_, np.clip(found, 0.0, 1.0), np.where(high > 0, 1.0, 0.0))


def _saddle(distances: Doubles, often: Doubles) -> Doubles:
    """Where -log s - sum log(1 - s a) is least on (0, 1); the largest distance is 1."""
    low, width = np.zeros((*distances.shape[:-1], 1)), 1.0
    for _ in range(_ROUGHLY):  # any point between will do; near the saddle the line is shortest
        width /= len(_SHARES) + 1
        tried = low + width * _SHARES
        slope = (distances[..., None, :] / (1 - tried[..., None] * distances[..., None, :])) @ often
        low = low + width * (slope < 1 / tried).sum(axis=-1, keepdims=True)
    return low[..., 0] + width / 2


def upper_bound(values: npt.ArrayLike, level: float, *, top: npt.ArrayLike = 1.0) -> Doubles:
    """One-sided upper bound of the mean at this confidence; there is no lower end of the range.

    Args:
        values: (..., n) independent values, one per patient or trial, none above ``top``.
        level: confidence, such as 0.95.
        top: upper end of the range, () or (...).

    Returns:
        float64 (...).
    """
    sample, counts = np.asarray(values, dtype=np.float64), None
    n, score = sample.shape[-1], float(special.ndtri(level))
    low, error = sample.mean(axis=-1), sample.std(axis=-1) / n**0.5
    end = np.asarray(top, dtype=np.float64)
    high = np.full_like(low, end)
    # What no value showed, if all are alike: the bound lies not far from here.
    unseen = -(high - low) * np.log(1 - level) / n
    guess = low + score * error + unseen
    if sample.ndim == 1 and n > _MANY:
        high = np.minimum(high, low + 8 * error + 3 * unseen)
        sample, counts = _grouped(sample, float(end))

    def beyond(mean: Doubles) -> Doubles:
        reached = tail_probability(sample, mean, top=end, counts=counts)
        found: Doubles = special.ndtri(np.clip(reached, _LEAST, 1 - _LEAST)) + score
        return found

    return _root(beyond, low, high, guess)


def _root(
    falling: Callable[[Doubles], Doubles], low: Doubles, high: Doubles, guess: Doubles
) -> Doubles:
    """Where it crosses 0, by the Illinois variant of the secant: scores are nearly straight."""
    left, right = falling(low), falling(high)
    found, last = np.minimum(guess, (low + high) / 2), np.zeros_like(low)
    for _ in range(_ROUNDS):
        found = np.where(left <= 0, low, np.where(right >= 0, high, found))
        value = falling(found)
        above = value > 0
        # An end that stays twice weighs half, so that both close in.
        left = np.where(above, value, np.where(last < 0, left / 2, left))
        right = np.where(above, np.where(last > 0, right / 2, right), value)
        low, high = np.where(above, found, low), np.where(above, high, found)
        last = np.where(above, 1.0, -1.0)
        if np.all((np.abs(value) < _NEAR) | (high <= low)):
            break
        found = low + (high - low) * left / np.where(left > right, left - right, 1.0)
    return found


def _grouped(sample: Doubles, top: float) -> tuple[Doubles, Doubles]:
    """Many values shared out between the two nearest of a grid.

    Their mean stays, their spread grows a little, and with it the bound.
    """
    grid = np.linspace(float(sample.min()), top, _PLACES + 1, dtype=np.float64)
    place = (sample - grid[0]) / ((top - grid[0]) or 1.0) * _PLACES
    below = np.minimum(place.astype(np.int64), _PLACES - 1)
    counts: Doubles = np.zeros(_PLACES + 1)
    counts += np.bincount(below, 1 - (place - below), _PLACES + 1)
    counts += np.bincount(below + 1, place - below, _PLACES + 1)
    return grid[counts > 0], counts[counts > 0]


def lower_bound(values: npt.ArrayLike, level: float, *, bottom: npt.ArrayLike = 0.0) -> Doubles:
    """One-sided lower bound of the mean: the mirror image of :func:`upper_bound`."""
    end = -np.asarray(bottom, dtype=np.float64)
    return -upper_bound(-np.asarray(values, dtype=np.float64), level, top=end)


def mean_bounds(
    cells: Doubles, level: float, *, bottom: npt.ArrayLike, top: float
) -> tuple[Any, Any]:
    """One-sided bounds of the mean over patients and seeds, for any distribution of patients.

    Given the seeds, patients are independent and Gaffke's bound holds; seeds shift all of them, by
    what Student's interval over the seeds' own means allows. The two distances are added as the
    root of their squares, as those of independent errors are.

    Args:
        cells: (..., seeds, patients), NaN where missing; every patient has a value, two all.
        level: confidence of each bound by itself.
        bottom: least possible value, () or (...); -inf: the lower bound is -inf. Lower values count
            as this.
        top: greatest possible value; inf: the upper bound is inf. Where measured values are
            greater, the greatest of them takes its place.

    Returns:
        At least, at most: each (...).
    """
    means = np.nanmean(cells, axis=-2)
    centre, seeds = means.mean(axis=-1), seeds_margin(cells, level)
    least, most = np.full_like(centre, -np.inf), np.full_like(centre, np.inf)
    if np.isfinite(top):
        highest = np.maximum(top, means.max(axis=-1))
        patients = upper_bound(means, level, top=highest) - centre
        most = np.minimum(centre + np.hypot(patients, seeds), highest)
    lowest = np.asarray(bottom, dtype=np.float64)
    if np.isfinite(lowest).all():
        raised = np.maximum(means, lowest[..., None])
        centre = raised.mean(axis=-1)
        patients = centre - lower_bound(raised, level, bottom=lowest)
        least = np.maximum(centre - np.hypot(patients, seeds), lowest)
    return least, most


def seeds_margin(cells: Doubles, level: float) -> Any:
    """Half-width of Student's one-sided interval over the seeds' own means; 0 for one seed.

    Args:
        cells: (..., seeds, patients); the patients that have every seed count.
        level: confidence.

    Returns:
        (...).
    """
    n_seeds = cells.shape[-2]
    if n_seeds < 2:
        return np.zeros(cells.shape[:-2])
    complete = ~np.isnan(cells).any(axis=tuple(range(cells.ndim - 1)))
    error = cells[..., complete].mean(axis=-1).std(axis=-1, ddof=1) / n_seeds**0.5
    return special.stdtrit(n_seeds - 1, level) * error

"""Bounds of the mean of a bounded quantity, whatever its distribution.

A few patients who leak everything among many who leak nothing make a sample that looks like
silence: Student's interval of ten patients then misses the mean one time in four. Gaffke's bound
does not: it weighs the sample, and one patient more who leaks everything, with uniform spacings,
and takes the quantile of that mean. For hits and misses it is Clopper and Pearson's.

That it holds for every distribution on a bounded range is proven in special cases only and
conjectured in general (Learned-Miller and Thomas 2019, arXiv 1905.06208, section 4.1); what
tests/statistics simulates found no exception.

Source: Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of
a nonnegative variable", Mathematical Methods of Statistics 14.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_POINTS = 65
_ROUNDS, _GRID = 3, 16
_MANY, _PLACES = 250, 32


def tail_probability(
    values: npt.ArrayLike,
    mean: npt.ArrayLike,
    *,
    top: float = 1.0,
    counts: Doubles | None = None,
) -> Doubles:
    """The share of weighings that reach ``mean``: small where so high a mean is not to be believed.

    The weights D are uniform spacings of n + 1 places, so that P(sum D_i z_i > m) is that of
    sum (z_i - m) E_i > 0 for exponential E_i: an inverse Laplace transform, integrated along the
    line through its saddle point.

    Args:
        values: (..., n), none above ``top``.
        mean: (...) the mean asked about.
        top: upper end of the range.
        counts: (n,) how often each value occurs; None: once.

    Returns:
        float64 (...), between 0 and 1, to about 1e-7.
    """
    sample = np.asarray(values, dtype=np.float64)
    asked = np.asarray(mean, dtype=np.float64)
    often = np.ones(sample.shape[-1] + 1)
    if counts is not None:
        often[:-1] = counts
    ends = np.full((*sample.shape[:-1], 1), float(top))
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
    product = line.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # beyond all floats the integrand is 0
        for place in range(scaled.shape[-1]):
            factor = 1 - line * scaled[..., place, None]
            product *= factor if often[place] == 1 else factor ** often[place]
        heights = np.nan_to_num((1 / product).real * np.cosh(steps) * width)
    heights[..., 0] /= 2
    found = heights.sum(axis=-1) * (steps[1] - steps[0]) / np.pi
    return np.where(open_, np.clip(found, 0.0, 1.0), np.where(high > 0, 1.0, 0.0))


def _saddle(distances: Doubles, often: Doubles) -> Doubles:
    """Where -log s - sum log(1 - s a) is least on (0, 1); the largest distance is 1."""
    low, high = np.zeros(distances.shape[:-1]), np.ones(distances.shape[:-1])
    for _ in range(12):  # any point between will do; near the saddle the line is shortest
        middle = (low + high) / 2
        slope = (often * distances / (1 - middle[..., None] * distances)).sum(axis=-1) - 1 / middle
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    return (low + high) / 2


def upper_bound(values: npt.ArrayLike, level: float, *, top: float = 1.0) -> Doubles:
    """One-sided upper bound of the mean at this confidence; there is no lower end of the range.

    Args:
        values: (..., n) independent values, one per patient or trial, none above ``top``.
        level: confidence, such as 0.95.
        top: upper end of the range.

    Returns:
        float64 (...).
    """
    sample, counts = np.asarray(values, dtype=np.float64), None
    low = sample.mean(axis=-1)[..., None]
    width, rounds = float(top) - low, _ROUNDS
    if sample.ndim == 1 and len(sample) > _MANY:
        rounds, n, share_above = _ROUNDS - 1, len(sample), -3 * np.log(1 - level)
        # So many values leave little room: eight standard errors, and what none of them showed.
        room = 8 * sample.std() / n**0.5 + width * share_above / n
        width = np.minimum(width, room)
        sample, counts = _grouped(sample, float(top))
    share = np.arange(1, _GRID + 1) / (_GRID + 1)
    for _ in range(rounds):
        grid = low + width * share
        reached = tail_probability(sample[..., None, :], grid, top=top, counts=counts)
        width = width / (_GRID + 1)
        low = low + width * (reached > 1 - level).sum(axis=-1, keepdims=True)
    ends = low + width * np.array([0.0, 1.0])
    both = tail_probability(sample[..., None, :], ends, top=top, counts=counts)
    logs = np.log(np.maximum(both, 1e-300) / (1 - level))
    drop = np.maximum(logs[..., :1] - logs[..., 1:], 1e-12)
    bound: Doubles = (low + width * np.clip(logs[..., :1] / drop, 0.0, 1.0))[..., 0]
    return bound


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


def lower_bound(values: npt.ArrayLike, level: float, *, bottom: float = 0.0) -> Doubles:
    """One-sided lower bound of the mean: the mirror image of :func:`upper_bound`."""
    return -upper_bound(-np.asarray(values, dtype=np.float64), level, top=-bottom)

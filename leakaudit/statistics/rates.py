"""Intervals for rates and percentiles, where a mean's interval would lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.errors import DataError
from leakaudit.statistics.bounded import seeds_margin
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.ends import LEVEL, why_no_rate_interval
from leakaudit.statistics.estimate import Cells, Figure, cells_of, estimate_cells


@dataclass(frozen=True)
class Bounds:
    """The ends of a statement; None where the sample is too small to give one."""

    lower: float | None
    upper: float | None


def clopper_pearson(hits: float, trials: int, *, level: float = LEVEL) -> Bounds:
    """The exact two-sided interval of a rate; conservative, never too narrow.

    For the one-sided reading "0 of 100 is at most 3 %" take ``level=0.9``: its upper end is the
    one-sided 95 % bound.

    Args:
        hits: successes, 0 to ``trials``; fractions (means over a patient's slices) are allowed.
        trials: independent trials: patients, not slices.
        level: confidence.

    Source: Clopper and Pearson 1934, Biometrika 26.

    Raises:
        DataError: no trials, or hits outside 0 to trials.
    """
    _check(hits, trials)
    tail = (1 - level) / 2
    lower = float(special.betaincinv(hits, trials - hits + 1, tail)) if hits > 0 else 0.0
    upper = float(special.betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return Bounds(lower, upper)


def wilson(hits: float, trials: int, *, level: float = LEVEL) -> Bounds:
    """The score interval of a rate: narrower than the exact one, right on average.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22.

    Raises:
        DataError: no trials, or hits outside 0 to trials.
    """
    _check(hits, trials)
    z2 = float(special.ndtri((1 + level) / 2)) ** 2
    rate = hits / trials
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * (rate * (1 - rate) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return Bounds(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def _check(hits: float, trials: int) -> None:
    if trials < 1 or not 0 <= hits <= trials:
        raise DataError("a rate has 0 to n hits of n >= 1 trials", found=f"{hits} of {trials}")


def estimate_rate(
    hits: npt.ArrayLike,
    patients: Sequence[str],
    seeds: Sequence[int] | None = None,
    *,
    direction: Direction = Direction.HIGHER,
    level: float = LEVEL,
    trials: int | None = None,
) -> Figure:
    """A rate over patients, such as re-identification; defined even at 0 of n.

    A patient's queries and seeds are averaged first, and the patients are the trials: one hit of
    five seeds is no fifth of a sure trial, so that averaged hits vary less than single ones, which
    Gaffke's bounds use and Clopper and Pearson's do not. What seeds share is added. Trials are
    asked of several patients: one patient gives no interval.

    Args:
        hits: (n,) 1 where the query succeeded, 0 where not, NaN where missing.
        patients: (n,) whose query it is.
        seeds: (n,) under which seed of training and attack.
        direction: which way is leak.
        level: confidence.
        trials: independent trials behind the rate, where they are fewer than the patients: an
            area under a curve varies no more than a rate of as many trials as its smaller kind has
            patients (van Dantzig 1951). None: the patients.

    Raises:
        DataError: a hit lies outside [0, 1].
    """
    numbers = np.asarray(hits, dtype=np.float64)
    if np.any((numbers < 0) | (numbers > 1)):
        raise DataError("a hit is 0 or 1, or a share between them", found=numbers.tolist()[:5])
    cells = cells_of(numbers, patients, seeds)
    plain = estimate_cells(cells, direction=direction, level=level, limits=(0.0, 1.0))
    if plain.at_least is None:
        return plain
    if trials is not None and trials <= plain.n_patients:
        return _of_trials(cells, plain, max(1, trials), level)
    why = why_no_rate_interval(cells.values)
    return replace(
        plain,
        lower=None if why else plain.lower,
        upper=None if why else plain.upper,
        method="rate over patients; bounds from one side exact for hits and misses (Clopper-"
        "Pearson, Gaffke for shares of hits); interval by Student's t with Hall's skewness "
        f"correction; {plain.n_seeds} seed(s)",
        undefined=why,
    )


def trial_bounds(mean: float, margin: float, trials: int, level: float) -> tuple[float, float]:
    """Clopper-Pearson's one-sided bounds of a rate of so many trials, widened by the seeds' margin.

    Args:
        mean: the rate.
        margin: of the seeds' own means, one-sided at this level.
        trials: independent ones.
        level: confidence of each bound by itself.
    """
    exact = clopper_pearson(min(float(trials), mean * trials), trials, level=2 * level - 1)
    low, high = exact.lower or 0.0, 1.0 if exact.upper is None else exact.upper
    return (
        max(0.0, mean - float(np.hypot(mean - low, margin))),
        min(1.0, mean + float(np.hypot(high - mean, margin))),
    )


def _of_trials(cells: Cells, plain: Figure, trials: int, level: float) -> Figure:
    margin = float(seeds_margin(cells.values, level))
    least, most = trial_bounds(float(cells.by_patient.mean()), margin, trials, level)
    return replace(
        plain,
        lower=None,
        upper=None,
        at_least=least,
        at_most=most,
        method=f"rate of {trials} independent trials, Clopper-Pearson; {plain.n_seeds} seed(s)",
        undefined="undefined because patients are compared with each other: none covers closely, "
        "and the bounds from one side are surer than they say",
    )


def percentile_bounds(values: npt.ArrayLike, quantile: float, *, level: float = LEVEL) -> Bounds:
    """One-sided bounds of a percentile over patients, from order statistics alone.

    Args:
        values: (n,) one value per patient, without NaN.
        quantile: such as 0.95.
        level: confidence of each bound by itself.

    Returns:
        None at the end that so few patients cannot bound: the upper bound of a 95th percentile
        takes 59 patients.

    Source: David and Nagaraja 2003, Order Statistics, section 7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    below = special.bdtr(np.arange(n), n, quantile)  # P(at most k of n lie below the percentile)
    # The k-th smallest (k from 0) exceeds the percentile with probability P(Bin <= k).
    above = np.flatnonzero(below >= level)
    under = np.flatnonzero(below <= 1 - level)
    return Bounds(
        lower=float(ordered[under[-1]]) if len(under) else None,
        upper=float(ordered[above[0]]) if len(above) else None,
    )

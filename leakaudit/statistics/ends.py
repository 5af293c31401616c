"""The ends of a mean's interval and its bounds from one side, from tables of seeds and patients.

Two-sided intervals are Student's with Hall's correction (:mod:`leakaudit.statistics.pivot`): they
cover where patients and seeds suffice. Bounds from one side decide verdicts and budgets; where the
range has an end they are Gaffke's (:mod:`leakaudit.statistics.bounded`), for any shape of patients.
Leading axes of a table carry many audits at once, such as those that ``benchmarks/coverage.py``
simulates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.statistics.bounded import mean_bounds
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.pivot import Pivot

Doubles = npt.NDArray[np.float64]
Range = tuple[float, float]
LEVEL = 0.95

# What a two-sided interval takes, so that it covers as often as it says (benchmarks/coverage.py;
# docs/statistics.md names where it does not): of fewer patients, those one in ten who fail or leak
# are often not among them at all, and nothing in the others shows it. Hits and misses: so many
# patients of each.
MIN_INTERVAL, MIN_SEEDS, MIN_HITS = 40, 3, 5
# Patients of Student's one-sided bounds, for values without a range.
MIN_NORMAL = 5

# Below this share of the values' size a spread is rounding, not a spread.
ROUNDING = 1e-12


def two_sided(values: Doubles, level: float, limits: Range | None) -> tuple[Any, Any]:
    """Lower and upper end, for tables (..., seeds, patients); :func:`why_no_interval` is empty."""
    pivot, tail = Pivot.of(values), (1 - level) / 2
    return _within(limits, pivot.bound(tail)), _within(limits, pivot.bound(1 - tail))


def one_sided(
    values: Doubles, level: float, limits: tuple[Any, float] | None, direction: Direction
) -> tuple[Any, Any]:
    """At least, at most: of any shape at the ends that the range has, of Student's elsewhere.

    Args:
        values: (..., seeds, patients), NaN where missing.
        level: confidence of each bound by itself.
        limits: the range, -inf or inf at an end that has none; the least value () or (...).
        direction: which way is leak.

    Returns:
        Each (...); None where it cannot be told.
    """
    n_seeds, n_patients = values.shape[-2:]
    if n_patients < 2 or (n_seeds > 1 and _complete(values) < 2):
        return None, None
    ends: list[Any] = [None, None]
    if n_patients >= MIN_NORMAL and not why_undefined(values):
        pivot = Pivot.of(values)
        ends = [_within(limits, pivot.bound(p)) for p in (1 - level, level)]
    bottom, top = any_shape(limits, direction)
    least, most = mean_bounds(values, level, bottom=bottom, top=top)
    return (
        least if np.isfinite(bottom).all() else ends[0],
        most if np.isfinite(top) else ends[1],
    )


def any_shape(limits: tuple[Any, float] | None, direction: Direction) -> tuple[Any, float]:
    """The ends of the range that bounds can rest on.

    An error's greatest value is far beyond all that occur: resting on it would say nothing.
    """
    low, high = limits or (-np.inf, np.inf)
    return low, (high if direction is Direction.HIGHER else np.inf)


def why_no_interval(values: Doubles) -> str:
    """Why no two-sided interval is printed; empty where one is.

    Below these sizes none covers for every shape of patients and every share of seeds
    (``benchmarks/coverage.py``); bounds from one side may still hold.
    """
    reason = why_undefined(values)
    n_seeds, n_patients = values.shape[-2:]
    if reason:
        return reason
    if n_patients < MIN_INTERVAL:
        return (
            f"undefined because {n_patients} patients are too few for one whatever their shape, "
            f"{MIN_INTERVAL} are needed"
        )
    if n_seeds < MIN_SEEDS:
        return (
            f"undefined because {n_seeds} seed{'s' if n_seeds > 1 else ''} cannot show how much "
            f"trainings differ, {MIN_SEEDS} are needed"
        )
    return ""


def why_no_rate_interval(hits: Doubles) -> str:
    """The same for a table (seeds, patients) of hits, or shares of hits: few of a kind are skewed.

    Hits and misses are counted as patients: the mean over seeds of each.
    """
    reason = why_no_interval(hits)
    if reason:
        return reason
    means = np.nanmean(hits, axis=-2)
    found, n = float(means.sum()), hits.shape[-1]
    for kind, of in (("hits", found), ("misses", n - found)):
        if of < MIN_HITS:
            return (
                f"undefined because {of:.1f} {kind} of {n} patients are too few for one, "
                f"{MIN_HITS} are needed"
            )
    return ""


def why_undefined(values: Doubles) -> str:
    """Why a table (seeds, patients) tells nothing of its mean's error; empty where it does."""
    n_seeds, n_patients = values.shape[-2:]
    if n_patients == 0:
        return "undefined because there is no value"
    if n_patients == 1:
        return "undefined because there is one patient only"
    if n_seeds > 1 and _complete(values) < 2:
        return "undefined because fewer than two patients have a value under every seed"
    means = np.nanmean(values, axis=-2)
    if np.all(np.ptp(means, axis=-1) <= ROUNDING * np.abs(means).max(axis=-1)):
        return "undefined because all patients have the same value"
    return ""


def method_of(n_seeds: int, limits: Range | None, direction: Direction) -> str:
    """How bounds and interval were made, in a sentence."""
    low, high = np.isfinite(any_shape(limits, direction))
    bounds = {
        (True, True): "bounds from one side by Gaffke, for any shape of patients",
        (False, True): "upper bound by Gaffke, for any shape of patients; lower bound by "
        "Student's t with Hall's skewness correction",
        (True, False): "lower bound by Gaffke, for any shape of patients; upper bound by "
        "Student's t with Hall's skewness correction",
        (False, False): "bounds from one side by Student's t with Hall's skewness correction, "
        "for patients not far from normal",
    }[bool(low), bool(high)]
    text = f"mean over patients; {bounds}; interval by Student's t with Hall's skewness correction"
    if n_seeds == 1:
        return text + "; one seed, so the variation of training and attack is not in it"
    return text + f"; {n_seeds} seeds as a second level of variance"


def _complete(values: Doubles) -> int:
    """Patients that have a value under every seed."""
    return int((~np.isnan(values).any(axis=tuple(range(values.ndim - 1)))).sum())


def _within(limits: tuple[Any, float] | None, bound: Any) -> Any:
    return bound if limits is None else np.clip(bound, limits[0], limits[1])

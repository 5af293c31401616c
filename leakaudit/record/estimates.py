"""Per-patient values of several seeds to the record's estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from leakaudit.record.part import Estimate, Tail
from leakaudit.statistics import Cells, Direction, cells_of, estimate_cells
from leakaudit.statistics import Estimate as Figure
from leakaudit.statistics.rates import estimate_rate

Table = tuple[tuple[float | None, ...], ...]
"""Per seed, per patient; None is missing."""
Doubles = npt.NDArray[np.float64]

RATES = frozenset({"re-identification", "auc", "tpr-at-low-fpr"})
"""Metrics whose values are hits, or shares of hits."""
ADVANTAGE = (-np.inf, 1.0)
"""The range that bounds of an advantage rest on: nothing leaks more than everything, and an attack
may do any amount worse than the blind guess. So the upper bound, which "none shown" asks for, holds
for any shape of patients; the lower one assumes patients not far from normal."""
# With less room than this between blind guess and ceiling, a quotient is rounding.
_NO_SPAN = 1e-9


def as_array(table: Table) -> Doubles:
    """(seeds, patients) with NaN for what is missing."""
    return np.array(
        [[np.nan if value is None else value for value in row] for row in table], dtype=np.float64
    )


def as_table(values: Doubles) -> Table:
    """The inverse of :func:`as_array`."""
    return tuple(
        tuple(None if np.isnan(value) else float(value) for value in row) for row in values
    )


def cells(values: Doubles, patients: Sequence[str]) -> Cells:
    """(seeds, patients) as the statistics want them."""
    seeds = np.repeat(np.arange(len(values)), len(patients)).tolist()
    return cells_of(values.ravel(), list(patients) * len(values), seeds)


def figure(
    values: Doubles,
    patients: Sequence[str],
    *,
    direction: Direction,
    rate: bool = False,
    level: float = 0.95,
    limits: tuple[float, float] | None = None,
    trials: int | None = None,
) -> Figure:
    """A mean over patients, or a rate, with its interval.

    Args:
        values: (seeds, patients), NaN where missing.
        patients: pseudonyms, in order.
        direction: which way is leak.
        rate: values are hits; the interval is one of rates.
        level: coverage of the interval.
        limits: the metric's range; no bound leaves it.
        trials: independent trials behind a rate; None: the patients.
    """
    if rate:
        seeds = np.repeat(np.arange(len(values)), len(patients)).tolist()
        return estimate_rate(
            values.ravel(), list(patients) * len(values), seeds, direction=direction, level=level,
            trials=trials,
        )  # fmt: skip
    return estimate_cells(cells(values, patients), direction=direction, level=level, limits=limits)


def scaled(given: Figure, zero: float, one: float) -> Figure:
    """The same figure on a scale where ``zero`` is 0 and ``one`` is 1: an advantage."""
    span = one - zero

    def to(value: float | None) -> float | None:
        return None if value is None else (value - zero) / span

    ends = (given.lower, given.upper), (given.at_least, given.at_most)
    (lower, upper), (least, most) = (pair if span > 0 else pair[::-1] for pair in ends)
    return replace(
        given, mean=to(given.mean), lower=to(lower), upper=to(upper), at_least=to(least),
        at_most=to(most), worst=to(given.worst), tail=to(given.tail), direction=Direction.HIGHER,
    )  # fmt: skip


def recorded(given: Figure, samples: int | None = None) -> Estimate | None:
    """A figure as the record holds it; None where not even a mean is defined."""
    if given.mean is None:
        return None
    return Estimate(
        mean=given.mean,
        lower=given.lower,
        upper=given.upper,
        level=given.level,
        one_sided_lower=given.at_least,
        one_sided_upper=given.at_most,
        patients=given.n_patients,
        samples=samples or given.n_samples,
        seeds=given.n_seeds,
        worst=None if given.worst is None else Tail(value=given.worst, patient=given.worst_patient),
        p95=None if given.tail is None else Tail(value=given.tail),
        method=given.method,
        undefined_because=given.undefined or None,
    )


def advantage_values(values: Doubles, blind: Doubles, ceiling: float | None) -> Doubles | None:
    """How far from blind towards a total leak, cell by cell.

    (value - blind) / (ceiling - mean blind): the differences are each patient's own, the scale is
    common. A scale of its own for every patient would let one whose blind baseline is nearly
    perfect outweigh all others.

    Args:
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
        ceiling: value of a perfect attack; None where there is none.

    Returns:
        None where blind is already perfect, was not measured, or there is no ceiling.
    """
    if ceiling is None or np.isnan(blind).all():
        return None
    span = ceiling - float(np.nanmean(blind))
    return None if abs(span) < _NO_SPAN else (values - blind) / span


def zero_of_rate(chance: float, blind: Doubles) -> float:
    """What a rate must exceed to be a leak: the better of guessing and the mean blind baseline."""
    return chance if np.isnan(blind).all() else max(chance, float(np.nanmean(blind)))


def advantage_figure(
    values: Doubles,
    blind: Doubles,
    patients: Sequence[str],
    *,
    ceiling: float | None,
    chance: float | None = None,
    limits: tuple[float, float] | None = None,
    rate: bool = False,
    trials: int | None = None,
    direction: Direction = Direction.HIGHER,
    level: float = 0.95,
) -> Figure | None:
    """The mean of :func:`advantage_values`; for a rate the zero is that of :func:`zero_of_rate`.

    Args:
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
        patients: pseudonyms, in order.
        ceiling: value of a perfect attack; None where there is none.
        chance: value of guessing, for rates.
        limits: the metric's range, for rates.
        rate: values are hits.
        trials: independent trials behind a rate; None: the patients.
        direction: which way the metric leaks; the advantage always leaks upwards.
        level: coverage of the interval.
    """
    if rate and chance is not None and ceiling is not None:
        zero = zero_of_rate(chance, blind)
        if zero >= ceiling or np.isnan(blind).all():
            return None
        plain = figure(
            values, patients, direction=direction, rate=True, level=level, limits=limits,
            trials=trials,
        )  # fmt: skip
        return scaled(plain, zero, ceiling)
    shares = advantage_values(values, blind, ceiling)
    if shares is None:
        return None
    return figure(shares, patients, direction=Direction.HIGHER, level=level, limits=ADVANTAGE)

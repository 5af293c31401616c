"""Per-patient values of several seeds to the record's estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.record.part import Estimate, Tail
from leakaudit.statistics import Cells, Direction, Figure, cells_of, estimate_cells
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.rates import estimate_rate

Table = tuple[tuple[float | None, ...], ...]
"""Per seed, per patient; None is missing."""
Doubles = npt.NDArray[np.float64]

RATES = frozenset({"re-identification", "auc", "tpr-at-low-fpr"})
"""Metrics whose values are hits, or shares of hits."""
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


def scaled(
    given: Figure, zero: float, one: float, ends: tuple[float, float] | None = None
) -> Figure:
    """The same figure on a scale where ``zero`` is 0 and ``one`` is 1: an advantage.

    Args:
        given: a rate.
        zero: what counts as none.
        one: what counts as everything, more than ``zero``.
        ends: at least and at most, one-sided at the figure's own level, where ``one`` was measured
            itself. Both errors are added as the root of squares, which is wide where the people who
            are hard to find are so for both. No bound goes beyond everything.
    """
    span = one - zero

    def to(value: float | None) -> float | None:
        return None if value is None else (value - zero) / span

    mean = to(given.mean)
    most = max(1.0, mean or 0.0)

    def end(value: float | None, further: float) -> float | None:
        found = to(value)
        if found is None or mean is None:
            return None
        away = float(np.hypot(found - mean, further))
        return min(most, mean + away if found > mean else mean - away)

    # A ceiling that may be higher lowers the advantage, and the other way round.
    lowers, raises = (
        (0.0, 0.0)
        if ends is None or mean is None
        else (abs(mean) * (ends[1] - one) / span, abs(mean) * (one - ends[0]) / span)
    )
    surer = float(special.ndtri((1 + given.level) / 2) / special.ndtri(given.level))
    return replace(
        given, mean=mean, lower=end(given.lower, surer * lowers),
        upper=end(given.upper, surer * raises), at_least=end(given.at_least, lowers),
        at_most=end(given.at_most, raises), worst=to(given.worst), tail=to(given.tail),
        direction=Direction.HIGHER,
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


def advantage_range(
    blind: Doubles, ceiling: float | None, limits: tuple[float, float] | None
) -> tuple[float, float]:
    """The range that bounds of an advantage rest on.

    Nothing leaks more than everything: so the upper bound, which "none shown" asks for, holds for
    any shape of patients. An attack does worse than the blind guess by no more than to miss what
    can be missed, where that is 0 of a score such as Dice: so the lower bound, which "over budget"
    asks for, holds for any shape too, whoever of the patients resists. An error may grow far beyond
    what occurs, and SSIM below 0 does not: resting on those would say nothing, and the lower bound
    assumes patients not far from normal.

    Args:
        blind: (seeds, patients) of the blind baseline.
        ceiling: value of a perfect attack; None where there is none.
        limits: the metric's own range; None where it is not known.

    Returns:
        Least and greatest; -inf where there is no least.
    """
    if ceiling is None or limits is None or np.isnan(blind).all() or limits[0] != 0:
        return -np.inf, 1.0
    span = ceiling - float(np.nanmean(blind))
    return (-float(np.nanmax(blind)) / span if span > _NO_SPAN else -np.inf), 1.0


def _at(
    level: float, middle: float, ends: tuple[float, float] | None
) -> tuple[float, float] | None:
    """One-sided 95 % bounds at another level, as those of a normal error."""
    if ends is None:
        return None
    surer = float(special.ndtri(level) / special.ndtri(LEVEL))
    low, high = (middle + surer * (end - middle) for end in ends)
    return low, high


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
    ceiling_ends: tuple[float, float] | None = None,
) -> Figure | None:
    """The mean of :func:`advantage_values`; for a rate the zero is that of :func:`zero_of_rate`.

    Args:
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.
        patients: pseudonyms, in order.
        ceiling: value of a perfect attack; None where there is none.
        chance: value of guessing, for rates.
        limits: the metric's range.
        rate: values are hits.
        trials: independent trials behind a rate; None: the patients.
        direction: which way the metric leaks; the advantage always leaks upwards.
        level: coverage of the interval.
        ceiling_ends: one-sided 95 % bounds of a ceiling that was measured, for rates.
    """
    if rate and chance is not None and ceiling is not None:
        zero = zero_of_rate(chance, blind)
        if zero >= ceiling or np.isnan(blind).all():
            return None
        plain = figure(
            values, patients, direction=direction, rate=True, level=level, limits=limits,
            trials=trials,
        )  # fmt: skip
        return scaled(plain, zero, ceiling, _at(level, ceiling, ceiling_ends))
    shares = advantage_values(values, blind, ceiling)
    if shares is None:
        return None
    reach = advantage_range(blind, ceiling, limits)
    return figure(shares, patients, direction=Direction.HIGHER, level=level, limits=reach)

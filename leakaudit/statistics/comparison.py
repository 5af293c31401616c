"""Two systems on the same patients, one system against a budget, many attacks at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.ends import LEVEL, MIN_SEEDS, ROUNDING, why_undefined
from leakaudit.statistics.estimate import Cells, Figure, cells_of, estimate_cells
from leakaudit.statistics.pivot import Pivot


class Outcome(StrEnum):
    """How a bound lies to a budget."""

    WITHIN = "within"
    OVER = "over"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """A paired difference, today minus baseline.

    Attributes:
        difference: its estimate over patients; direction is the metric's own.
        p_value: two-sided, of no difference; None where undefined.
        p_worse: one-sided, of "leaks no more than the baseline"; small means it leaks more.
    """

    difference: Figure
    p_value: float | None
    p_worse: float | None


def paired_cells(today: Cells, baseline: Cells) -> Cells:
    """Cell-wise differences over the patients and seeds that both have.

    Raises:
        DataError: they share no patient or no seed.
    """
    patients = sorted(set(today.patients) & set(baseline.patients))
    seeds = sorted(set(today.seeds) & set(baseline.seeds))
    if not patients or not seeds:
        raise DataError(
            "a paired comparison needs the same patients under the same seeds",
            found=f"{len(patients)} patients and {len(seeds)} seeds in common",
            remedy="record the baseline again on this cohort and these seeds",
        )

    def rows(cells: Cells) -> npt.NDArray[np.float64]:
        row = {seed: i for i, seed in enumerate(cells.seeds)}
        column = {patient: i for i, patient in enumerate(cells.patients)}
        kept = cells.values[[row[seed] for seed in seeds]]
        return kept[:, [column[patient] for patient in patients]]

    after, before = rows(today), rows(baseline)
    values = after - before
    # The last bits of two equal numbers are no difference: a tiny spread of them would be "sure".
    values[np.abs(values) <= ROUNDING * np.maximum(np.abs(after), np.abs(before))] = 0.0
    present = ~np.isnan(values)
    some, runs = np.any(present, axis=0).tolist(), np.any(present, axis=1).tolist()
    return Cells(
        values=values[runs][:, some],
        patients=tuple(p for p, keep in zip(patients, some, strict=True) if keep),
        seeds=tuple(s for s, keep in zip(seeds, runs, strict=True) if keep),
        n_samples=int(present.sum()),
        n_missing=int((~present).sum()),
    )


def compare(
    today: Cells, baseline: Cells, *, direction: Direction, level: float = LEVEL
) -> Comparison:
    """Paired comparison of two systems on the same patients and the same attack seeds.

    Raises:
        DataError: they share no patient or no seed.
    """
    cells = paired_cells(today, baseline)
    difference = estimate_cells(cells, direction=direction, level=level)
    if why_undefined(cells.values):
        if np.all(cells.values == 0):
            difference = replace(difference, undefined="undefined because nothing changed at all")
        return Comparison(difference, None, None)
    greater = float(Pivot.of(cells.values).tail_probability(0.0))
    worse = greater if direction is Direction.HIGHER else 1 - greater
    return Comparison(difference, 2 * min(greater, 1 - greater), worse)


def against_budget(figure: Figure, budget: float) -> Outcome:
    """Hold a figure's one-sided bounds against a budget for its leak.

    Within where even the bound on the leaking side keeps the budget; over where even the other
    bound breaks it. A system exactly on its budget is called over 5 % of the time, and one over it
    is called within at most 5 % of the time. An undefined interval is inconclusive, and so is what
    would be within under fewer than three seeds: they do not show how much trainings differ.
    """
    if figure.at_least is None or figure.at_most is None:
        return Outcome.INCONCLUSIVE
    sign = figure.direction.sign
    low, high = sorted((sign * figure.at_least, sign * figure.at_most))
    if high <= sign * budget:
        return Outcome.WITHIN if figure.n_seeds >= MIN_SEEDS else Outcome.INCONCLUSIVE
    return Outcome.OVER if low > sign * budget else Outcome.INCONCLUSIVE


def against_baseline(comparison: Comparison, margin: float) -> Outcome:
    """Paired non-inferiority: may the leak have grown by more than the margin?

    Args:
        comparison: today against the baseline.
        margin: growth of the leak that is tolerated, in the metric's unit, not negative.

    Returns:
        Within: surely grown by no more than the margin. Over: surely by more. At a margin of 0 an
        unchanged system is called over at most 5 % of the time. Exactly equal values are within.

    Raises:
        DataError: the margin is negative.
    """
    if not margin >= 0:
        raise DataError("a regression margin is not negative", found=margin)
    difference = comparison.difference
    if difference.undefined and difference.mean == 0 == difference.worst:
        return Outcome.WITHIN
    return against_budget(difference, difference.direction.sign * margin)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: many comparisons, one error rate.

    Source: Holm 1979, Scand. J. Statist. 6.

    Raises:
        DataError: a p-value lies outside [0, 1].
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise DataError("a p-value lies in [0, 1]", found=list(p_values))
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return tuple(adjusted.tolist())


@dataclass(frozen=True)
class Strongest:
    """The strongest of many attacks.

    Attributes:
        name: the attack with the highest estimated leak.
        figure: its estimate, uncorrected: it was chosen for being high.
        at_least: lower bound of the greatest true leak, corrected for the choice.
        at_most: upper bound of the greatest true leak; needs no correction.
        n_attacks: how many were compared.
        unmeasured: attacks without an interval; where there are any, ``at_most`` is None.
    """

    name: str
    figure: Figure
    at_least: float | None
    at_most: float | None
    n_attacks: int
    unmeasured: tuple[str, ...]


def strongest(
    attacks: Mapping[str, Cells], *, direction: Direction, level: float = LEVEL
) -> Strongest:
    """What the worst of many attacks leaks, corrected for having picked it.

    "At least": the best of the attacks' bounds, each at confidence 1 - (1 - level) / n
    (Bonferroni: valid however the attacks depend on each other). "At most": the greatest of the
    plain bounds; it can only miss where the truly strongest attack's own bound misses. Both in
    the leak's direction: for a metric where lower leaks, "at most" is the smaller number.

    Raises:
        DataError: no attack has a value.
    """
    figures = {
        name: estimate_cells(cells, direction=direction, level=level)
        for name, cells in attacks.items()
    }
    strict = corrected_level(level, len(attacks))
    corrected = {
        name: estimate_cells(cells, direction=direction, level=strict)
        for name, cells in attacks.items()
    }
    return strongest_figure(figures, corrected, direction=direction)


def corrected_level(level: float, n: int) -> float:
    """The confidence of each of ``n`` statements so that all hold together (Bonferroni)."""
    return 1 - (1 - level) / n


def strongest_figure(
    figures: Mapping[str, Figure], corrected: Mapping[str, Figure], *, direction: Direction
) -> Strongest:
    """:func:`strongest` for figures that are not means over cells, such as rates.

    Args:
        figures: by name, at the plain level.
        corrected: the same at :func:`corrected_level`.
        direction: which way is leak.

    Raises:
        DataError: no figure has a value.
    """
    sign = direction.sign
    measured = {name: figure for name, figure in figures.items() if figure.mean is not None}
    if not measured:
        raise DataError("at least one attack has a value", found=sorted(figures))
    name = max(measured, key=lambda key: sign * (measured[key].mean or 0.0))
    lows, highs, unmeasured = [], [], []
    for key, figure in figures.items():
        low, high = _towards(corrected[key], -sign), _towards(figure, sign)
        if low is not None:
            lows.append(low)
        if high is None:
            unmeasured.append(key)
        else:
            highs.append(high)
    return Strongest(
        name=name,
        figure=measured[name],
        at_least=sign * max(sign * low for low in lows) if lows else None,
        at_most=sign * max(sign * high for high in highs) if highs and not unmeasured else None,
        n_attacks=len(figures),
        unmeasured=tuple(unmeasured),
    )


def _towards(figure: Figure, sign: int) -> float | None:
    return figure.at_most if sign > 0 else figure.at_least


def terciles(
    values: npt.ArrayLike,
    patients: Sequence[str],
    covariate: Mapping[str, float],
    seeds: Sequence[int] | None = None,
    *,
    direction: Direction,
    level: float = LEVEL,
) -> dict[str, Figure]:
    """The figure by thirds of the patients, such as small, medium and large lesions.

    Args:
        values: (n,) one value per sample, NaN where missing.
        patients: (n,) whose sample it is.
        covariate: what to group by, per patient; a patient without one, or with NaN, is left out.
        seeds: (n,) seeds, or None.
        direction: which way is leak.
        level: confidence of each interval by itself; subgroups are described, not tested.

    Returns:
        "low", "middle" and "high"; a third without patients is left out.
    """
    owners = np.asarray(patients, dtype=str)
    sizes = np.array([covariate.get(name, np.nan) for name in owners.tolist()], dtype=np.float64)
    known = sorted({(covariate[name], name) for name in set(owners[~np.isnan(sizes)].tolist())})
    if not known:
        return {}
    first, second = np.quantile([size for size, _ in known], [1 / 3, 2 / 3])
    groups = {
        "low": sizes <= first,
        "middle": (sizes > first) & (sizes <= second),
        "high": sizes > second,
    }
    numbers = np.asarray(values, dtype=np.float64)
    runs = np.zeros(len(numbers), int) if seeds is None else np.asarray(seeds)
    return {
        name: estimate_cells(
            cells_of(numbers[inside], owners[inside].tolist(), runs[inside].tolist()),
            direction=direction,
            level=level,
        )
        for name, inside in groups.items()
        if inside.any()
    }

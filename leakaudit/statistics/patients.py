"""Statements about single audited patients: who surely leaks, and how much the worst may leak.

A mean averages people away, and law looks at any of them. What is bounded is a patient's *expected*
value over seeds of training and attack, from that patient's own values alone, one per seed: nothing
is borrowed from other patients, for where noise differs between them a pooled spread is too small
for just the noisiest, who looks worst.

- **values**: Student's interval over the patient's own seeds, which holds for normal noise of any
  size and for whatever all patients share under a seed. A patient whose few seeds agree by chance
  is given the median patient's spread.
- **hits** (0 or 1, or shares of hits): exact binomial bounds over the patient's own trials.

Lower bounds hold together, for all patients at once (Bonferroni): the patient who looks worst was
picked for it. The upper bound of the worst needs no correction: it can only miss where the truly
worst patient's own bound misses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.statistics.bounded import lower_bound, upper_bound
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.ends import LEVEL, ROUNDING
from leakaudit.statistics.estimate import Cells, Figure
from leakaudit.statistics.tails import no_replicates, one_sided

Doubles = npt.NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class PatientBounds:
    """Bounds of every audited patient's expected value, towards the leak: higher leaks more.

    Attributes:
        patients: in the order of the cells.
        value: (patients,) means over the patient's seeds, times the direction's sign.
        at_least: (patients,) lower bounds that hold all at once; -inf where there is none.
        at_most: (patients,) upper bounds, each by itself; inf where there is none.
    """

    patients: tuple[str, ...]
    value: Doubles
    at_least: Doubles
    at_most: Doubles


def patient_bounds(
    cells: Cells, *, direction: Direction, level: float = LEVEL, hits: Range | None = None
) -> PatientBounds:
    """Bounds of every patient from its own seeds.

    Args:
        cells: one value per seed and patient; attack repeats were averaged into their seed.
        direction: which way is leak.
        level: confidence: of all lower bounds together, and of each upper bound.
        hits: where values are hits, what a miss and a hit are worth, such as (0, 1); on the scale
            of an advantage, what they are worth there. None: values with normal noise.
    """
    sign = direction.sign
    leaks = sign * cells.values
    n_patients = leaks.shape[1]
    least, most = np.full(n_patients, -np.inf), np.full(n_patients, np.inf)
    counts = (~np.isnan(leaks)).sum(axis=0)
    strict = 1 - (1 - level) / max(n_patients, 1)
    if hits is None:
        floor = _median_variance(leaks)
    for count in np.unique(counts).tolist():
        columns = np.flatnonzero(counts == count)
        own = leaks[:, columns].T
        own = own[~np.isnan(own)].reshape(len(columns), count)
        if hits is not None:
            bottom, top = sorted(sign * end for end in hits)
            # Few seeds of hits give few different patients.
            kinds, which = np.unique(np.sort(own, axis=1), axis=0, return_inverse=True)
            least[columns] = lower_bound(kinds, strict, bottom=bottom)[which.ravel()]
            most[columns] = upper_bound(kinds, level, top=top)[which.ravel()]
        elif count > 1 and floor > 0:
            least[columns], most[columns] = students(own.T, floor, strict, level)
    return PatientBounds(cells.patients, sign * cells.by_patient, least, most)


def students(
    own: Doubles, floor: float | Doubles, strict: float, level: float
) -> tuple[Doubles, Doubles]:
    """Student's bounds of every patient from its own seeds, at least and at most.

    Args:
        own: (..., seeds, patients), without NaN.
        floor: least variance over seeds, () or (..., 1).
        strict: confidence of the lower bounds.
        level: of the upper ones.
    """
    seeds, mean = own.shape[-2], own.mean(axis=-2)
    error = np.sqrt(np.maximum(own.var(axis=-2, ddof=1), floor) / seeds)
    return (
        mean - error * special.stdtrit(seeds - 1, strict),
        mean + error * special.stdtrit(seeds - 1, level),
    )


def _median_variance(leaks: Doubles) -> float:
    """Of the patients that have two seeds or more; 0 where replicates are copies."""
    several = leaks[:, (~np.isnan(leaks)).sum(axis=0) > 1]
    if not several.size:
        return 0.0
    variance = float(np.median(np.nanvar(several, axis=0, ddof=1)))
    size = float(np.nanmax(np.abs(several)))
    return variance if np.sqrt(variance) > ROUNDING * size else 0.0


def patients_above(
    cells: Cells,
    value: float,
    *,
    direction: Direction,
    level: float = LEVEL,
    hits: Range | None = None,
) -> tuple[str, ...]:
    """The patients whose expected value surely leaks more than ``value``.

    Where no patient does, any is named at most 1 - ``level`` of the time, however many were looked
    at. Two seeds can hardly name anybody; three name a patient copied in clear among fifteen.

    Args:
        cells: one value per seed and patient; missing ones are left out.
        value: in the metric's own unit and direction.
        direction: which way is leak.
        level: confidence of all statements together.
        hits: as in :func:`patient_bounds`.

    Returns:
        Pseudonyms, the patient who leaks most first.
    """
    bounds = patient_bounds(cells, direction=direction, level=level, hits=hits)
    order = np.argsort(-bounds.value, kind="stable")
    return tuple(
        bounds.patients[place]
        for place in order.tolist()
        if bounds.at_least[place] > direction.sign * value
    )


def worst_estimate(
    cells: Cells, *, direction: Direction, level: float = LEVEL, hits: Range | None = None
) -> Figure:
    """The patient who leaks most of those audited, with one-sided bounds from the replicates.

    Args:
        cells: complete; a missing cell leaves the bounds undefined, for the worst may hide there.
        direction: which way is leak.
        level: confidence of each bound by itself.
        hits: as in :func:`patient_bounds`.

    Returns:
        An estimate whose ``mean`` is the worst patient's value and whose two-sided ends are None.
        "At least" is the highest of bounds that hold for all patients together; "at most" is the
        highest of their own upper bounds.
    """
    reason = no_replicates(cells)
    if reason:
        return one_sided(cells, direction, level, None, None, None, reason, "")
    bounds = patient_bounds(cells, direction=direction, level=level, hits=hits)
    point = float(bounds.value.max())
    if not np.isfinite(bounds.at_most).all():
        why = "undefined because every seed gave the same values"
        return one_sided(cells, direction, level, point, None, None, why, "")
    least, most = float(bounds.at_least.max()), float(bounds.at_most.max())
    kind = "Student's t" if hits is None else "exact binomial bounds"
    method = (
        f"worst of {len(cells.patients)} audited patients, each by {kind} over its own "
        f"{len(cells.seeds)} seeds; the lower bound is corrected for having looked at all"
    )
    return one_sided(cells, direction, level, point, least, most, "", method)

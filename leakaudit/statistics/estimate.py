"""A figure with its uncertainty: per-sample values to a mean over patients and its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.ends import LEVEL, method_of, one_sided, two_sided, why_no_interval

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A mean over patients, and how sure it is. ``None`` is undefined, never zero.

    Attributes:
        mean: mean over patients; None without any value.
        lower: lower end of the two-sided interval; None where undefined.
        upper: its upper end.
        at_least: one-sided lower bound at the same level, for budgets.
        at_most: one-sided upper bound.
        level: confidence of each of the three statements, such as 0.95.
        direction: which way is leak.
        n_patients: patients with a value.
        n_samples: values that counted.
        n_missing: values that were missing.
        n_seeds: seeds of training and attack that counted.
        worst: the value of the patient who leaks most, the mean over its samples and seeds.
        worst_patient: that patient's pseudonym.
        tail: the 95th percentile of patients towards the leak; None below 20 patients, where it
            would only repeat the worst.
        method: how the interval was made.
        undefined: why there is no interval; empty where there is one.
    """

    mean: float | None
    lower: float | None
    upper: float | None
    at_least: float | None
    at_most: float | None
    level: float
    direction: Direction
    n_patients: int
    n_samples: int
    n_missing: int
    n_seeds: int
    worst: float | None
    worst_patient: str | None
    tail: float | None
    method: str
    undefined: str = ""


@dataclass(frozen=True)
class Cells:
    """Values averaged into (seed, patient) cells.

    Attributes:
        values: (seeds, patients), NaN where a patient has none under a seed.
        patients: the patients that have any value, sorted.
        seeds: the seeds that have any value, sorted.
        n_samples: values that counted.
        n_missing: values that were NaN.
    """

    values: Doubles
    patients: tuple[str, ...]
    seeds: tuple[int, ...]
    n_samples: int
    n_missing: int

    @property
    def by_patient(self) -> Doubles:
        """(patients,) the mean over the seeds each patient has."""
        if not self.patients:
            return np.empty(0)
        means: Doubles = np.nanmean(self.values, axis=0)
        return means


def cells_of(
    values: npt.ArrayLike, patients: Sequence[str], seeds: Sequence[int] | None = None
) -> Cells:
    """Average samples into their patient, seed by seed.

    Args:
        values: (n,) one value per sample, NaN where missing.
        patients: (n,) whose sample it is.
        seeds: (n,) under which seed of training and attack; None for a single one.

    Raises:
        DataError: lengths differ, or a value is infinite.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    owners = np.asarray(patients, dtype=str).ravel()
    runs = np.zeros(len(numbers), int) if seeds is None else np.asarray(seeds, dtype=int).ravel()
    if not len(numbers) == len(owners) == len(runs):
        raise DataError(
            "every value has one patient and one seed",
            found=f"{len(numbers)} values, {len(owners)} patients, {len(runs)} seeds",
        )
    if np.isinf(numbers).any():
        raise DataError(
            "a value is finite, or NaN where missing",
            found="inf",
            remedy="cap the metric, or mark the sample as missing",
        )
    present = ~np.isnan(numbers)
    names, columns = np.unique(owners[present], return_inverse=True)
    kept, rows = np.unique(runs[present], return_inverse=True)
    shape = (len(kept), len(names))
    totals, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(totals, (rows, columns), numbers[present])
    np.add.at(counts, (rows, columns), 1)
    means = np.full(shape, np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return Cells(
        values=means,
        patients=tuple(names.tolist()),
        seeds=tuple(kept.tolist()),
        n_samples=int(present.sum()),
        n_missing=int((~present).sum()),
    )


def estimate(
    values: npt.ArrayLike,
    patients: Sequence[str],
    seeds: Sequence[int] | None = None,
    *,
    direction: Direction,
    level: float = LEVEL,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """The mean over patients with its interval, the worst patient and the tail.

    Each sample counts within its patient, each patient counts once, and seeds are a second source
    of variance. Deterministic: no resampling, hence no generator.

    Args:
        values: (n,) one value per sample, NaN where missing.
        patients: (n,) whose sample it is.
        seeds: (n,) under which seed of training and attack; None for a single one.
        direction: which way is leak, for the worst patient and the tail.
        level: confidence, between 0.5 and 1.
        limits: the metric's range, -inf or inf at an end that has none. At an end of a range the
            one-sided bound holds for any distribution on it.

    Raises:
        DataError: lengths differ, a value is infinite, or the level is no confidence.
    """
    return estimate_cells(
        cells_of(values, patients, seeds), direction=direction, level=level, limits=limits
    )


def estimate_cells(
    cells: Cells,
    *,
    direction: Direction,
    level: float = LEVEL,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """:func:`estimate` for values already averaged into cells."""
    if not 0.5 < level < 1:
        raise DataError("a confidence level lies between 0.5 and 1", found=level)
    reason = why_no_interval(cells.values)
    lower, upper = (None, None) if reason else two_sided(cells.values, level, limits)
    at_least, at_most = one_sided(cells.values, level, limits, direction)
    means = cells.by_patient
    order = np.argmax(direction.sign * means) if len(means) else None
    return Figure(
        mean=float(means.mean()) if len(means) else None,
        lower=_plain(lower),
        upper=_plain(upper),
        at_least=_plain(at_least),
        at_most=_plain(at_most),
        level=level,
        direction=direction,
        n_patients=len(cells.patients),
        n_samples=cells.n_samples,
        n_missing=cells.n_missing,
        n_seeds=len(cells.seeds),
        worst=None if order is None else float(means[order]),
        worst_patient=None if order is None else cells.patients[int(order)],
        tail=_tail(means, direction),
        method=method_of(len(cells.seeds), limits, direction),
        undefined=reason,
    )


def _plain(end: Any) -> float | None:
    return None if end is None else float(end)


def _tail(means: Doubles, direction: Direction) -> float | None:
    if len(means) < 20:
        return None
    return float(direction.sign * np.quantile(direction.sign * means, 0.95))

"""The distribution behind every interval: a mean over patients, with seeds as a second level.

Model: value = mean + patient + seed + rest, patients crossed with seeds. Slices are averaged into
their patient first, for they are not independent. Two-way analysis of variance parts the squared
error of the grand mean in what patients bring and what the seeds' own means show. Each part gets
Student's quantile with its own degrees of freedom, the patients' with Hall's correction for skewed
ones, and the two margins are added as the root of their squares (Graybill and Wang 1980, J. Am.
Stat. Assoc. 75: modified large samples): few seeds then weigh only where seeds matter.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

_MOST_SKEWED = 0.35
_HALVINGS = 50
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pivot:
    """A mean and the parts of its squared error; arrays carry many at once.

    Attributes:
        mean: the grand mean, every patient weighing the same.
        spread: squared error of patients' means, what their seeds add to them included.
        patients_part: of it what patients bring themselves; below 0 by chance where they are alike.
        seeds_part: squared error of the seeds' own means, the rest included; 0 for one seed.
        skewness: of the patients' part; 0 for symmetric patients.
        n_patients: patients that have a value.
        n_seeds: seeds that have a value.
    """

    mean: Any
    spread: Any
    patients_part: Any
    seeds_part: Any
    skewness: Any
    n_patients: int
    n_seeds: int

    @classmethod
    def of(cls, cells: Doubles) -> Pivot:
        """From cells (..., seeds, patients): the mean over the patient's samples under that seed.

        NaN is a missing cell. A patient counts with the seeds it has; the seeds' part comes from
        the patients that have all. Needs 2 patients, and 2 complete ones where seeds are several.
        """
        n_seeds, n_patients = cells.shape[-2:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # empty cells were ruled out above
            means = np.nanmean(cells, axis=-2)
        spread = means.var(axis=-1, ddof=1) / n_patients
        seeds_part, rest = np.zeros_like(spread), np.zeros_like(spread)
        if n_seeds > 1:
            seeds_part, rest = _seeds_and_rest(cells)
        return cls(
            mean=means.mean(axis=-1),
            spread=spread,
            patients_part=spread - rest / (n_seeds * n_patients),
            seeds_part=seeds_part,
            skewness=_skewness(means) / np.sqrt(n_patients),
            n_patients=n_patients,
            n_seeds=n_seeds,
        )

    def bound(self, probability: float | Doubles) -> Any:
        """The value that the true mean stays below with this probability."""
        over = self._unskewed(special.stdtrit(self.n_patients - 1, probability))
        seeds = 0.0
        if self.n_seeds > 1:
            few = special.stdtrit(self.n_seeds - 1, probability)
            seeds = few * np.abs(few) * self.seeds_part
        squared = over * np.abs(over)
        both, alone = squared * self.patients_part + seeds, squared * self.spread
        # Seeds that agree by chance narrow nothing that the patients by themselves show.
        signed = np.where(over > 0, np.maximum(both, alone), np.minimum(both, alone))
        return self.mean + np.sign(signed) * np.sqrt(np.abs(signed))

    def tail_probability(self, null: float) -> Any:
        """How surprising it is to see a mean this high or higher if the truth were ``null``.

        The one-sided p-value of "greater than null"; 1 minus it is that of "less".
        """
        low, high = np.zeros_like(self.mean), np.ones_like(self.mean)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self.bound(middle) < null
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def _unskewed(self, quantile: Any) -> Any:
        """From a quantile of the corrected statistic to the margin, by Hall's cubic transformation.

        Source: Hall 1992, J. R. Statist. Soc. B 54.
        """
        # Beyond this the cubic turns back within the quantiles asked for: eight patients of whom
        # one fails would get an interval from 0.
        g = np.clip(self.skewness, -_MOST_SKEWED, _MOST_SKEWED)
        g = np.where(np.abs(g) < 1e-8, 1e-8, g)
        return -3 * (np.cbrt(1 - g * (quantile + g / 6)) - 1) / g


def _seeds_and_rest(cells: Doubles) -> tuple[Any, Any]:
    """Squared error of the seeds' own means, and the variance of one cell beyond both effects."""
    complete = ~np.isnan(cells).any(axis=tuple(range(cells.ndim - 1)))
    cells = cells[..., complete]
    n_seeds, n_patients = cells.shape[-2:]
    by_patient = cells.mean(axis=-2, keepdims=True)
    by_seed = cells.mean(axis=-1, keepdims=True)
    grand = by_seed.mean(axis=-2, keepdims=True)
    rest = ((cells - by_patient - by_seed + grand) ** 2).sum(axis=(-2, -1))
    seeds = by_seed[..., 0].var(axis=-1, ddof=1) / n_seeds
    return seeds, rest / ((n_seeds - 1) * (n_patients - 1))


def _skewness(values: Doubles) -> Any:
    """Sample skewness, corrected for small samples; 0 where it is undefined."""
    n = values.shape[-1]
    if n < 3:
        return np.zeros(values.shape[:-1])
    centred = values - values.mean(axis=-1, keepdims=True)
    second = (centred**2).mean(axis=-1)
    third = (centred**3).mean(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(second > 0, third / second**1.5, 0.0)
    return raw * np.sqrt(n * (n - 1)) / (n - 2)

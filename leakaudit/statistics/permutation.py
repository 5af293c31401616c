"""Whether things belong to their owners: an exact test over permutations of the patients."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError

Doubles = npt.NDArray[np.float64]

# Up to so many patients, every permutation is looked at; 7! = 5,040.
_ENUMERATED = 7
_DRAWS = 1_999
_CHUNK = 500
# Likeness that varies less than this, relative to its size, varies by rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Matched:
    """What the test of :func:`match_test` came to.

    Attributes:
        p: probability of a match at least as good where nothing belongs to anybody, corrected for
            looking at all matrices.
        smallest_p: that so few patients can give at all.
        strongest: number of the matrix that matches best.
        scores: (t,) how well each matches, in standard deviations over all permutations; 0 where
            nothing varies.
    """

    p: float
    smallest_p: float
    strongest: int
    scores: Doubles


def match_test(
    likeness: npt.ArrayLike, rng: np.random.Generator, *, draws: int = _DRAWS
) -> Matched:
    """Whether what was sent is more like its own patient's image than like the others'.

    If messages do not depend on the images, any assignment of images to messages is as likely as
    the true one: the share of permutations whose best matrix matches at least as well is an exact
    p value, whatever the matrices measure and however they depend on each other. Every message
    counts alike: rows are centred and scaled first.

    Args:
        likeness: (t, patients, patients) of message (row) and image (column), finite; one matrix
            for each way to compare them.
        rng: of the permutations, where there are too many to look at all.
        draws: of them, then.

    Source: Westfall and Young 1993, Resampling-Based Multiple Testing, section 2.5 (one step).

    Raises:
        DataError: no square matrices of two patients, or values that are not finite.
    """
    raw = np.asarray(likeness, dtype=np.float64)
    if raw.ndim != 3 or raw.shape[1] != raw.shape[2] or raw.shape[1] < 2 or not len(raw):
        raise DataError(
            "likeness is compared among two patients or more, in square matrices",
            found=f"shape {raw.shape}",
        )
    if not np.isfinite(raw).all():
        raise DataError("likeness must be finite", found=f"{(~np.isfinite(raw)).sum()} that is not")
    even = _standardised(raw)
    patients = even.shape[1]
    orders = _permutations(patients, rng, draws)
    places = np.arange(patients)
    best = np.concatenate(
        [
            even[:, places, orders[start : start + _CHUNK]].sum(2).max(0)
            for start in range(0, len(orders), _CHUNK)
        ]
    )
    scores = np.einsum("tpp->t", even)
    # Sums of the same terms in another order differ by rounding.
    reached = int((best >= scores.max() * (1 - _ROUNDING) - _ROUNDING).sum())
    enumerated = patients <= _ENUMERATED
    total = len(orders) + (0 if enumerated else 1)
    return Matched(
        p=(reached + (0 if enumerated else 1)) / total,
        smallest_p=1 / total,
        strongest=int(scores.argmax()),
        scores=scores,
    )


def own_before_others(likeness: npt.ArrayLike) -> Doubles:
    """(patients,) share of the others whose image is less like a patient's message than its own.

    One half by guessing; ties count half.
    """
    values = np.asarray(likeness, dtype=np.float64)
    own = np.diag(values)[:, None]
    near = _ROUNDING * np.abs(values).max(initial=0.0)
    wins = (own > values + near).sum(1) + 0.5 * (np.abs(own - values) <= near).sum(1)
    # A patient's own image is tied with itself.
    shares: Doubles = (wins - 0.5) / (len(values) - 1)
    return shares


def _standardised(raw: Doubles) -> Doubles:
    """Doubly centred, so that the sum of a permutation's entries has mean 0 and variance 1."""
    centred = raw - raw.mean(2, keepdims=True)
    spread = centred.std(2, keepdims=True)
    size = np.abs(raw).max(axis=(1, 2), keepdims=True)
    varies = spread > _ROUNDING * size
    rows = np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)
    rows -= rows.mean(1, keepdims=True)
    variance = (rows**2).sum(axis=(1, 2), keepdims=True) / (rows.shape[1] - 1)
    standard: Doubles = np.where(
        variance > _ROUNDING, rows / np.sqrt(np.maximum(variance, _ROUNDING)), 0.0
    )
    return standard


def _permutations(patients: int, rng: np.random.Generator, draws: int) -> npt.NDArray[np.int64]:
    if patients <= _ENUMERATED:
        return np.array(list(itertools.permutations(range(patients))), dtype=np.int64)
    return rng.permuted(np.tile(np.arange(patients, dtype=np.int64), (draws, 1)), axis=1)

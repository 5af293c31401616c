"""Distance correlation and kernel alignment between images and messages.

Both are one statistic on two n x n matrices, distances or inner products: the inner product of
U-centred matrices, which is unbiased where the usual double centring is not.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric
from leakaudit.statistics.direction import Direction

Doubles = npt.NDArray[np.float64]

_LEAST_SAMPLES = 4
_COLUMNS = 2**16  # features per step: bounds the float64 copy to n x 65,536


class DependenceMetric(Metric):
    """A metric of a whole set of (image, message) pairs; one number, not one per sample.

    Pass one sample per patient, or per-patient means: slices of a patient resemble each other, and
    the correction for bias assumes independent pairs. Memory: two n x n float64 matrices.
    """

    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    remedy: ClassVar[str] = (
        "Train the encoders with a penalty on dependence, or send fewer channels; then attack "
        "again, for low dependence alone proves nothing."
    )

    def chance(self, n: int) -> float | None:  # noqa: ARG002
        """Independent pairs give 0 on average, for any ``n``."""
        return 0.0

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """Messages that are the images, up to rotation and scale."""
        return 1.0

    @final
    def __call__(self, images: npt.ArrayLike, messages: npt.ArrayLike) -> float:
        """The statistic of n pairs.

        Args:
            images: (n, ...) any number of features.
            messages: (n, ...) any number of features.

        Returns:
            The value; NaN, that is undefined, where either side does not vary.

        Raises:
            DataError: fewer than four pairs, unequal counts, or non-finite values.
        """
        x, y = (np.asarray(side).reshape(len(np.asarray(side)), -1) for side in (images, messages))
        if len(x) != len(y) or len(x) < _LEAST_SAMPLES:
            raise DataError(
                f"dependence takes at least {_LEAST_SAMPLES} (image, message) pairs",
                found=f"{len(x)} images, {len(y)} messages",
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise DataError("images and messages are finite", found="NaN or infinity")
        a, b = self.matrix(x), self.matrix(y)
        spread = unbiased_product(a, a) * unbiased_product(b, b)
        if not spread > 0:
            return float("nan")
        return float(unbiased_product(a, b) / np.sqrt(spread))

    @abstractmethod
    def matrix(self, features: npt.NDArray[np.generic]) -> Doubles:
        """The (n, n) distances or inner products of (n, p) features."""


class DistanceCorrelation(DependenceMetric):
    """Squared distance correlation, corrected for bias; equal to ``dcor``'s.

    Differs: distances come from centred inner products, in blocks of features, which is as fast as
    a matrix product and accurate to about 1e-12 of the largest distance squared.
    """

    name: ClassVar[str] = "distance-correlation"
    title: ClassVar[str] = "distance correlation"
    unit: ClassVar[str] = "squared"
    source: ClassVar[str] = "Szekely and Rizzo 2014, Ann. Statist. 42(6), definition 3"
    meaning: ClassVar[str] = (
        "Whether patients whose pictures differ also send messages that differ: 0 is no relation, "
        "1 a perfect one; a low value does not rule out a good reconstruction."
    )

    def matrix(self, features: npt.NDArray[np.generic]) -> Doubles:
        """Euclidean distances."""
        inner = _inner_products(features)
        squares = np.diag(inner)
        distances = squares[:, None] + squares[None, :] - 2 * inner
        np.maximum(distances, 0.0, out=distances)
        np.sqrt(distances, out=distances)
        np.fill_diagonal(distances, 0.0)
        return distances


class KernelAlignment(DependenceMetric):
    """Centred kernel alignment (CKA): normalised, unbiased HSIC with linear kernels."""

    name: ClassVar[str] = "hsic-cka"
    title: ClassVar[str] = "kernel alignment"
    source: ClassVar[str] = (
        "Kornblith et al. 2019, ICML; unbiased HSIC of Song et al. 2012, JMLR 13"
    )
    meaning: ClassVar[str] = (
        "How much of the differences between patients' pictures reappears, linearly, in what they "
        "send: 0 is nothing, 1 everything; a low value does not rule out a reconstruction."
    )

    def matrix(self, features: npt.NDArray[np.generic]) -> Doubles:
        """Inner products; centring the features changes nothing but the rounding."""
        return _inner_products(features)


def unbiased_product(a: Doubles, b: Doubles) -> float:
    """The inner product of two symmetric matrices after U-centring, / (n (n - 3)).

    For distances it is the unbiased squared distance covariance; for kernels the unbiased HSIC.
    Diagonals are ignored.

    Args:
        a: (n, n), n >= 4.
        b: (n, n).
    """
    n = len(a)
    rows_a, rows_b = a.sum(axis=1) - np.diag(a), b.sum(axis=1) - np.diag(b)
    products = np.vdot(a, b) - np.vdot(np.diag(a), np.diag(b))
    products -= 2 / (n - 2) * np.vdot(rows_a, rows_b)
    products += rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2))
    return float(products / (n * (n - 3)))


def _inner_products(features: npt.NDArray[np.generic]) -> Doubles:
    """(n, n) inner products of the centred features, block by block."""
    n = len(features)
    total = np.zeros((n, n))
    for start in range(0, features.shape[1], _COLUMNS):
        block = features[:, start : start + _COLUMNS].astype(np.float64)
        block -= block.mean(axis=0)
        total += block @ block.T
    return total

"""Mutual information where things are Gaussian: from below by residuals, from above by noise."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric
from leakaudit.statistics.direction import Direction

_LEAST_SAMPLES = 8


class GaussianResidual(Metric):
    """Information that a reconstruction proves, as if images were Gaussian.

    Images and reconstructions are taken apart into the principal components of auxiliary images; a
    component whose variance is v and whose mean squared error is e carries log2(v / e) / 2 bits.
    Exact for Gaussian images and the best decoder. A lower bound for Gaussian images and any
    decoder. For real images, whose components are neither Gaussian nor independent, a comparable
    figure rather than a bound. Which components count is chosen on one half of the samples and read
    on the other, so that chance adds nothing.
    """

    name: ClassVar[str] = "gaussian-mi-lower"
    title: ClassVar[str] = "information, from the residual"
    unit: ClassVar[str] = "bits per image"
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = (
        "Cover and Thomas 2006, theorems 8.6.6 and 10.3.3 (rate distortion of Gaussian vectors)"
    )
    meaning: ClassVar[str] = (
        "So many bits about the patient's picture are proven by a reconstruction that somebody "
        "really made; each bit halves the number of pictures it could have been."
    )
    remedy: ClassVar[str] = "Send fewer channels or noisier messages until the residual is large."

    components: int = Field(default=32, ge=1, description="principal components looked at")

    def chance(self, n: int) -> float | None:  # noqa: ARG002
        """A reconstruction that knows nothing proves nothing."""
        return 0.0

    def __call__(
        self,
        images: npt.ArrayLike,
        reconstructions: npt.ArrayLike,
        auxiliary: npt.ArrayLike,
        rng: np.random.Generator,
    ) -> float:
        """Bits per image.

        Args:
            images: (n, ...) of held-out patients, one per patient.
            reconstructions: the same shape.
            auxiliary: (m, ...) images of other patients, which give the components.
            rng: for the halves.

        Raises:
            DataError: shapes disagree, or there are too few samples.
        """
        x, guess, basis = (
            np.asarray(side, dtype=np.float64).reshape(len(np.asarray(side)), -1)
            for side in (images, reconstructions, auxiliary)
        )
        if x.shape != guess.shape or x.shape[1] != basis.shape[1] or len(x) < _LEAST_SAMPLES:
            raise DataError(
                f"a residual takes {_LEAST_SAMPLES} or more images with their reconstructions",
                found=f"{x.shape}, {guess.shape}, auxiliary {basis.shape}",
            )
        centre = basis.mean(axis=0)
        _, spread, axes = np.linalg.svd(basis - centre, full_matrices=False)
        kept = max(1, int((spread > 1e-9 * spread[0]).sum()))
        axes = axes[: min(self.components, kept)]
        truth, residual = (x - centre) @ axes.T, (x - guess) @ axes.T
        half = rng.permutation(len(x)) % 2 == 0
        return 0.5 * sum(
            self._bits(truth, residual, choose, read)
            for choose, read in ((half, ~half), (~half, half))
        )

    @staticmethod
    def _bits(
        truth: npt.NDArray[np.float64],
        residual: npt.NDArray[np.float64],
        choose: npt.NDArray[np.bool_],
        read: npt.NDArray[np.bool_],
    ) -> float:
        def bits(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
            variance = truth[rows].var(axis=0)
            # A perfect copy is cut where float32 rounding begins: finite, and 20 bits a component.
            error = np.maximum((residual[rows] ** 2).mean(axis=0), 2.0**-40 * variance + 1e-300)
            found: npt.NDArray[np.float64] = 0.5 * np.log2(np.maximum(variance, 1e-300) / error)
            return found

        return float(bits(read)[bits(choose) > 0].sum())


def channel_bits_at_most(
    mean_square: float, noise_std: float, dimensions: int, *, releases: int = 1
) -> float:
    """The most bits that a message with Gaussian noise can carry about anything.

    d/2 log2(1 + r P / (d s^2)): the capacity of d parallel Gaussian channels of total power P, for
    r noisy releases of the same message, which an adversary averages.

    Args:
        mean_square: P, the mean squared norm of the message without noise; the clipping norm
            squared bounds it.
        noise_std: s, of each entry's noise.
        dimensions: d, entries of the message.
        releases: r, how often the same message is sent with fresh noise.

    Returns:
        Bits per image; infinite without noise: there is no bound then.

    Source: Cover and Thomas 2006, section 9.4.

    Raises:
        DataError: a negative power or noise, or no dimension or release.
    """
    if not (mean_square >= 0 and noise_std >= 0 and dimensions >= 1 and releases >= 1):
        raise DataError(
            "a channel has power >= 0, noise >= 0, and at least one dimension and release",
            found=(mean_square, noise_std, dimensions, releases),
        )
    if noise_std == 0:
        return math.inf
    ratio = releases * mean_square / (dimensions * noise_std**2)
    return dimensions / 2 * math.log1p(ratio) / math.log(2)

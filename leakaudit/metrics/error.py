"""Squared error and peak signal-to-noise ratio, one value per image."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from leakaudit.metrics.metric import FloatImages, ImageMetric, Masks, Values, masked_means
from leakaudit.statistics.direction import Direction

# PSNR of identical images is infinite, which no mean survives. 100 dB is a root-mean-square error
# of 1e-5 of the intensity range: below what float32 images in [0, 1] distinguish reliably.
PSNR_CAP_DB = 100.0


class MeanSquaredError(ImageMetric):
    """Mean squared intensity error of a reconstruction."""

    name: ClassVar[str] = "mse"
    title: ClassVar[str] = "mean squared error"
    unit: ClassVar[str] = "squared intensity, full scale 1"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    direction: ClassVar[Direction] = Direction.LOWER
    source: ClassVar[str] = "definition; intensities scaled to [0, 1]"
    meaning: ClassVar[str] = (
        "How far the intensities of the rebuilt picture lie from the patient's, "
        "squared; 0 is a perfect copy."
    )
    remedy: ClassVar[str] = (
        "Withhold the finest skip connection, or send fewer channels or noisier messages."
    )

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """A perfect copy has no error."""
        return 0.0

    def per_channel(
        self, reference: FloatImages, candidate: FloatImages, masks: Masks | None
    ) -> Values:
        """Mean squared difference inside the region."""
        difference = reference.astype(np.float64) - candidate
        difference *= difference
        return masked_means(difference, masks)


class PeakSignalToNoise(ImageMetric):
    """Peak signal-to-noise ratio of each image, in decibels; never of pooled images.

    Identical images are set to 100 dB, and nothing exceeds it.
    """

    name: ClassVar[str] = "psnr"
    title: ClassVar[str] = "peak signal-to-noise ratio"
    unit: ClassVar[str] = "dB"
    range: ClassVar[tuple[float, float]] = (0.0, PSNR_CAP_DB)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "10 log10(1 / MSE) at data range 1, per image"
    meaning: ClassVar[str] = (
        "How faithful the rebuilt picture's intensities are: 20 dB is a typical error of a tenth "
        "of full scale, 40 dB of a hundredth."
    )
    remedy: ClassVar[str] = MeanSquaredError.remedy

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """Where a perfect copy is capped."""
        return PSNR_CAP_DB

    def per_channel(
        self, reference: FloatImages, candidate: FloatImages, masks: Masks | None
    ) -> Values:
        """Decibels from the squared error inside the region."""
        error = MeanSquaredError().per_channel(reference, candidate, masks)
        return -10.0 * np.log10(np.maximum(error, 10 ** (-PSNR_CAP_DB / 10)))

"""What a metric is: a number about a leak that says how to read it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.plugins import Plugin
from leakaudit.statistics.direction import Direction

FloatImages = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

# Rounding in a decoder's last layer may leave [0, 1] by this much; anything more is a mistake.
_RANGE_SLACK = 1e-6


class Metric(Plugin):
    """Base of all metrics. The class says how its number is read; the fields are its settings.

    Attributes:
        name: the name it is registered under.
        title: what a reader calls it.
        unit: unit of the value; empty for a pure number.
        range: least and greatest value that can occur.
        direction: which way is leak.
        source: where the definition comes from.
        meaning: one plain sentence on what it means for a patient.
        remedy: what to do about a high leak.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]]
    direction: ClassVar[Direction]
    source: ClassVar[str]
    meaning: ClassVar[str]
    remedy: ClassVar[str]

    def chance(self, n: int) -> float | None:  # noqa: ARG002
        """What guessing gives among ``n`` candidates or samples; None where undefined."""
        return None

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """What a total leak gives, or where the estimator saturates, for ``n`` of them."""
        return None

    def available(self) -> str | None:
        """None where the metric can run here; otherwise why not and how to mend it."""
        return None


class ImageMetric(Metric):
    """A metric that compares each image with its reconstruction.

    Subclasses write :meth:`per_channel`; the base checks what comes in and averages channels.
    """

    takes_masks: ClassVar[bool] = True

    @final
    def __call__(
        self,
        reference: FloatImages,
        candidate: FloatImages,
        masks: Masks | None = None,
        *,
        dimensions: int = 2,
    ) -> Values:
        """Compare a batch, sample by sample; never pooled.

        Args:
            reference: the true images, (n, *space) or (n, c, *space), in [0, 1].
            candidate: the reconstructions, same shape, in [0, 1].
            masks: (n, *space), True inside the region that counts; None for the whole image.
            dimensions: 2 for slices, 3 for volumes: tells (n, c, h, w) from (n, d, h, w).

        Returns:
            (n,) float64, the mean over channels; NaN where the region is empty, which is missing,
            not zero.

        Raises:
            DataError: shapes disagree, or a voxel is not finite or leaves [0, 1].
        """
        reference, candidate = _checked(reference, candidate, dimensions)
        masks = _checked_masks(masks, reference, dimensions, self)
        channels = [
            self.per_channel(reference[:, channel], candidate[:, channel], masks)
            for channel in range(reference.shape[1])
        ]
        values: Values = np.mean(channels, axis=0)
        return values

    @abstractmethod
    def per_channel(
        self, reference: FloatImages, candidate: FloatImages, masks: Masks | None
    ) -> Values:
        """One modality: images (n, *space), already checked, to values (n,)."""


def _checked(
    reference: FloatImages, candidate: FloatImages, dimensions: int
) -> tuple[FloatImages, FloatImages]:
    """Both as (n, c, *space)."""
    if dimensions not in (2, 3):
        raise DataError("images have 2 or 3 dimensions", found=dimensions)
    if reference.shape != candidate.shape:
        raise DataError(
            "a reconstruction has the shape of its reference",
            found=f"{candidate.shape} against {reference.shape}",
            remedy="resample the reconstruction to the reference's grid",
        )
    extra = reference.ndim - dimensions
    if extra not in (1, 2) or 0 in reference.shape[1:]:
        raise DataError(
            f"{dimensions}-D images come as (n, *space) or (n, c, *space)",
            found=reference.shape,
            remedy="pass dimensions=2 for slices, dimensions=3 for volumes",
        )
    for what, images in (("reference", reference), ("reconstruction", candidate)):
        # Written so that a NaN fails it too.
        if images.size and not (images.min() >= -_RANGE_SLACK and images.max() <= 1 + _RANGE_SLACK):
            raise DataError(
                f"every voxel of a {what} is finite and within [0, 1]",
                found=f"{images.min()} to {images.max()}",
                remedy="clip to [0, 1]; a non-finite reconstruction makes the attack invalid",
            )
    if extra == 1:
        reference, candidate = reference[:, None], candidate[:, None]
    return reference, candidate


def _check_range(images: FloatImages, what: str) -> None:
    if not images.size:
        return
    # As unsigned integers, floats from 0 to 1 keep their order, and negative ones, infinities and
    # NaN lie above: one look, eight times as fast as two. What it rejects is looked at properly.
    if (
        images.dtype == np.float32
        and images.flags.c_contiguous
        and images.view(np.uint32).max() <= np.float32(1 + _RANGE_SLACK).view(np.uint32)
    ):
        return
    # Written so that a NaN fails it too.
    if not (images.min() >= -_RANGE_SLACK and images.max() <= 1 + _RANGE_SLACK):
        raise DataError(
            f"every voxel of a {what} is finite and within [0, 1]",
            found=f"{images.min()} to {images.max()}",
            remedy="clip to [0, 1]; a non-finite reconstruction makes the attack invalid",
        )


def _checked_masks(
    masks: Masks | None, reference: FloatImages, dimensions: int, metric: ImageMetric
) -> Masks | None:
    if masks is None:
        return None
    if not metric.takes_masks:
        raise DataError(
            f"{metric.name} is defined on whole images only", found="masks", remedy="pass none"
        )
    expected = (reference.shape[0], *reference.shape[-dimensions:])
    if masks.shape != expected or masks.dtype != np.bool_:
        raise DataError(
            "masks are boolean, one per sample, on the images' grid",
            found=f"{masks.dtype} {masks.shape} for {expected}",
        )
    return masks


def masked_means(maps: npt.NDArray[np.floating], masks: Masks | None) -> Values:
    """The mean of each sample's map (n, *space) over its region; NaN where the region is empty."""
    axes = tuple(range(1, maps.ndim))
    if masks is None:
        # One axis to sum over is faster than several, and the maps are contiguous.
        flat = maps.reshape(len(maps), math.prod(maps.shape[1:]))
        plain: Values = flat.mean(axis=1, dtype=np.float64)
        return plain
    counts = masks.sum(axis=axes)
    totals = maps.sum(axis=axes, dtype=np.float64, where=masks)
    means = np.full(len(maps), np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means

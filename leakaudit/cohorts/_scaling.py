"""How stored values become [0, 1]: by a window or percentiles, never by a type's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import FloatArray

# What stays as it is: 8-bit pictures are made for the eye, floats in [0, 1] are scaled already.
Stored = Literal["bytes", "unit", "values"]

# A corner value is background when it fills half of the corners and this share of the image.
_CORNER_SHARE, _FILLED_SHARE = 0.5, 0.01
# Without such corners: a value that fills this share.
_MODE_SHARE = 0.2
# Hounsfield units: air is -1000, and nothing but air and lung is below -500.
_AIR_HU, _BODY_HU = -900.0, -500.0
_MOST_SAMPLED = 200_000

VOLUME_SCALING = (
    "per volume and modality: 0.5th to 99.5th percentile of the voxels that are not background "
    "to [0, 1], clipped; background becomes 0; a window instead where one is set"
)
STORED_SCALING = (
    "8-bit pictures divided by 255; floating-point images within [0, 1] in the whole cohort kept; "
    "all others per patient and modality: 0.5th to 99.5th percentile of the pixels that are not "
    "background to [0, 1], clipped; background becomes 0; a window instead where one is set"
)


@dataclass(frozen=True)
class Scale:
    """One image's way to [0, 1].

    Attributes:
        low: the value that becomes 0.
        high: the value that becomes 1.
        background: the value that is no tissue, and becomes 0; None where there is none.
        windowed: whether the limits were set, not measured.
    """

    low: float
    high: float
    background: float | None
    windowed: bool = False

    def apply(self, image: npt.NDArray[Any]) -> FloatArray:
        """`low` to 0 and `high` to 1, clipped; background to 0."""
        low, width = np.float32(self.low), np.float32(self.high - self.low)
        scaled: FloatArray = np.clip((image.astype(np.float32) - low) / width, 0, 1)
        if self.background is not None:
            scaled = np.where(image != self.background, scaled, np.float32(0))
        return np.asarray(scaled, dtype=np.float32)

    def foreground(self, image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Where there is something: above the window's low end, and in CT denser than air."""
        if self.windowed:
            return np.asarray(image > self.low)
        shown: npt.NDArray[np.bool_] = np.ones(image.shape, dtype=bool)
        if self.background is not None:
            shown &= image != self.background
        if min(self.low, self.background or 0.0) <= _AIR_HU:
            shown &= image > _BODY_HU
        return shown


def guessed_background(image: npt.NDArray[Any]) -> float | None:
    """The value of empty space, from the corners of every slice, or else the commonest value.

    Args:
        image: (n, h, w) slices, or (d, h, w).
    """
    corners = image[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    values, counts = np.unique(corners, return_counts=True)
    candidate = values[counts.argmax()]
    filled = float(np.mean(image == candidate))
    if counts.max() >= _CORNER_SHARE * corners.size and _FILLED_SHARE <= filled < 1:
        return float(candidate)
    values, counts = np.unique(_sampled(image), return_counts=True)
    if len(values) > 1 and counts.max() >= _MODE_SHARE * counts.sum():
        return float(values[counts.argmax()])
    return None


def scale_of(
    image: npt.NDArray[Any],
    *,
    stored: Stored = "values",
    window: tuple[float, float] | None = None,
    background: float | None = None,
) -> Scale:
    """How one image of one modality is brought to [0, 1].

    Args:
        image: (n, h, w) slices of one patient, or (d, h, w).
        stored: what its values are.
        window: what becomes 0 and 1; percentiles if None.
        background: the value of empty space; guessed if None.
    """
    if window is not None:
        return Scale(*window, background, windowed=True)
    if stored != "values":
        return Scale(0.0, 255.0 if stored == "bytes" else 1.0, background or 0.0)
    if background is None:
        background = guessed_background(image)
    shown = image if background is None else image[image != background]
    if not shown.size:
        shown = image
    low, high = (float(value) for value in np.percentile(shown, (0.5, 99.5)))
    if not high > low:
        # Nearly binary images: the percentiles coincide, the range does not.
        low, high = float(image.min()), float(image.max())
    return Scale(low, high, background)


def stored_as(images: npt.NDArray[Any]) -> Stored:
    """What the values of one patient's pictures are."""
    if images.dtype == np.uint8:
        return "bytes"
    if images.dtype.kind in "fb" and images.min() >= 0 and images.max() <= 1:
        return "unit"
    return "values"


def scaled_volume(volume: npt.NDArray[Any]) -> FloatArray:
    """0.5th to 99.5th percentile of what is not background to [0, 1], clipped."""
    return scale_of(volume).apply(volume)


def _sampled(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    flat = image.reshape(-1)
    return flat[:: max(1, flat.size // _MOST_SAMPLED)]

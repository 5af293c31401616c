"""What images are usually like: what is to be believed of one that messages say little about."""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_POWER = 1e-4  # of the mean: a frequency that few images do not show is not forbidden
_ALIKE = 1e-10  # variance in grey values, far above what rounding makes of images that are the same
_POOLED = 5.0  # images' worth of belief that a pixel varies as any does, off the head too


class UsualImages:
    """How unlike known images an image is: the energy of a normal distribution fitted to them.

    Each pixel has its mean and spread; in units of that spread the deviations of an image have a
    spectrum, the same wherever they lie. So many pixels vary together in more ways than a few
    images show: the spread of each is pulled towards that of all, the power of a frequency is that
    of its neighbours too. Images that do not differ at all say nothing, and the energy is zero.

    Args:
        images: (n, modalities, *space) that show what is usual.
    """

    def __init__(self, images: Tensor) -> None:
        self._axes = tuple(range(2, images.ndim))
        self._mean = images.mean(0, keepdim=True)
        variance = (images - self._mean).square().mean(0, keepdim=True)
        pooled = variance.mean(self._axes, keepdim=True)
        variance = (len(images) * variance + _POOLED * pooled) / (len(images) + _POOLED)
        differ = pooled > _ALIKE
        self._spread = variance.sqrt().where(differ, 1.0)
        power = self._power(images).mean(0, keepdim=True)
        for axis in self._axes:
            power = (power.roll(-1, axis) + power + power.roll(1, axis)) / 3
        least = _LEAST_POWER * power.mean(self._axes, keepdim=True)
        # The mean was fitted to these images, and lies off that of all.
        wider = (len(images) + 1) / max(1, len(images) - 1)
        self._usual = (wider * power.maximum(least)).where(differ, torch.inf)

    def __call__(self, images: Tensor) -> Tensor:
        """(n,) of images (n, modalities, *space): about one, or less, for those like known ones."""
        return (self._power(images) / self._usual).flatten(1).mean(1)

    def _power(self, images: Tensor) -> Tensor:
        """(n, modalities, *space), by frequency."""
        units = (images - self._mean) / self._spread
        waves: Tensor = torch.fft.fftn(units, dim=self._axes, norm="ortho")
        return waves.real.square() + waves.imag.square()

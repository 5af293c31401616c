"""What images are like before any message is looked at: terms that a matching attack adds.

How they vary from pixel to pixel, how unlike known images they are, how unlike theirs the features
are that they cause, and how far several starts disagree.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_AT_ONCE = 64
_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm)
_LEAST = 1e-6  # of the layer's variance: a channel that is the same everywhere has no unit
_LEAST_POWER = 1e-4  # of the mean: a frequency that few images do not show is not forbidden
_ALIKE = 1e-10  # variance in grey values, far above what rounding makes of images that are the same
_POOLED = 5.0  # images' worth of belief that a pixel varies as any does, off the head too


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, summed over axes: (n,) for (n, c, *space)."""
    return torch.stack(
        [images.diff(dim=axis).abs().flatten(1).mean(1) for axis in range(2, images.ndim)]
    ).sum(0)


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


class FeatureStatistics:
    """How far the features' mean and variance are from those of known images.

    Features are what an encoder's normalisations take in; of an encoder without any, what it puts
    out. Each channel counts alike, whatever its scale, and each layer.

    Args:
        encoder: images (n, modalities, *space) to level to features.
        images: (n, modalities, *space) that show what is usual.
    """

    def __init__(self, encoder: nn.Module, images: Tensor) -> None:
        self._encoder = encoder
        with torch.no_grad():
            parts = [self._features(part) for part in images.split(_AT_ONCE)]
            usual = [_moments(torch.cat(layer)[None]) for layer in zip(*parts, strict=True)]
        self._usual = [
            (mean, variance, variance.clamp_min(_LEAST * variance.mean().item() + 1e-30))
            for mean, variance in usual
        ]

    def __call__(self, images: Tensor) -> Tensor:
        """(rows,) of images (rows, batch, modalities, *space); zero where nothing differs."""
        layers = self._features(images.flatten(0, 1))
        total = images.new_zeros(len(images))
        for layer, (usual_mean, usual_variance, unit) in zip(layers, self._usual, strict=True):
            mean, variance = _moments(layer.unflatten(0, images.shape[:2]))
            shift = (mean - usual_mean).square() / unit
            spread = ((variance - usual_variance) / unit).square()
            total = total + (shift + spread).mean(1) / len(layers)
        return total

    def _features(self, images: Tensor) -> list[Tensor]:
        """(n, channels, *grid) of every layer, in the order of their computation."""
        found: list[Tensor] = []

        def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            found.append(given[0])

        norms = [each for each in self._encoder.modules() if isinstance(each, _NORMS)]
        hooks = [norm.register_forward_pre_hook(keep) for norm in norms]
        try:
            outputs: Mapping[int, Tensor] = self._encoder(images)
        finally:
            for hook in hooks:
                hook.remove()
        return found or list(outputs.values())


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (rows, channels) of (rows, batch, channels, *grid)."""
    axes = (1, *range(3, features.ndim))
    variance, mean = torch.var_mean(features, dim=axes, correction=0)
    return mean, variance


def disagreement(images: Tensor, restarts: int) -> Tensor:
    """(rows,) mean squared distance from the mean of all restarts of the same update.

    Differs: GradInversion aligns the restarts before it takes their mean; here each sample's own
    gradient at the cut says where it lies.

    Args:
        images: (rows, ...), restarts of one update in a row.
        restarts: of each update.
    """
    grouped = images.unflatten(0, (-1, restarts))
    apart = grouped - grouped.mean(1, keepdim=True).detach()
    each: Tensor = apart.square().flatten(2).mean(2).flatten()
    return each

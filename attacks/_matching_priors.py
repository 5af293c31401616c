"""What images are like whose gradients match: features as usual, and restarts that agree."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_AT_ONCE = 64
_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm)
_LEAST = 1e-6  # of the layer's variance: a channel that is the same everywhere has no unit


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

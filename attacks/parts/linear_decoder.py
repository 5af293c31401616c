"""A fitted linear map from features to images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import Strides, depth_to_space


@dataclass(frozen=True, eq=False)
class LinearDecoder:
    """A fitted linear map from features of one level to images.

    Attributes:
        local: (outputs * factor**d, channels, *kernel) convolution weights.
        summary: (2 * channels + 1, outputs * factor**d) weights of means, spreads and one.
        base: (1, outputs, *space), added to what is read.
        factor: pixels per feature position along each axis.
        space: image size.
    """

    local: Tensor
    summary: Tensor
    base: Tensor
    factor: Strides

    def __call__(self, features: Tensor) -> Tensor:
        """Images (n, outputs, *space), not clamped."""
        d = features.ndim - 2
        convolve = nn.functional.conv2d if d == 2 else nn.functional.conv3d
        blocks = convolve(features, self.local, padding=self.local.shape[-1] // 2)
        blocks = blocks + (summary_of(features) @ self.summary)[(..., *(None,) * d)]
        return self.base + depth_to_space(blocks, self.factor, tuple(self.base.shape[2:]))


def summary_of(features: Tensor) -> Tensor:
    """(n, 2 * channels + 1): each channel's mean and spread over the sample, and one."""
    flat = features.flatten(2)
    mean = flat.mean(2)
    spread = (flat.square().mean(2) - mean.square()).clamp_min(1e-12).sqrt()
    return torch.cat([mean, spread, torch.ones_like(flat[:, :1, 0])], dim=1)

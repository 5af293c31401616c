"""A picture's structure without its grey values, and how to give it some.

An unknown encoder that normalises every sample hides offset, contrast and sign: an attack that
knows no pair of image and message can only recover them from what images look like in general.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_DARK, _BRIGHT = 0.02, 0.75  # where images are scaled to [0, 1] and lie on a dark ground
_SHARE = 0.5  # of a difference from the typical image that is kept where detail is missing


def strongest_pattern(features: Tensor, space: tuple[int, ...]) -> Tensor:
    """(n, 1, *space): each position's score on the first principal component of the channels.

    Args:
        features: (n, channels, *grid).
        space: image size.
    """
    axes = (0, *range(2, features.ndim))
    spread = features.std(axes, keepdim=True)
    even = (features - features.mean(axes, keepdim=True)) / spread.clamp_min(1e-12)
    rows = even.movedim(1, -1).flatten(0, -2).double()
    weights = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1]
    weights = weights * torch.sign(weights[weights.abs().argmax()])
    scores = torch.einsum("c,nc...->n...", weights.float(), even)[:, None]
    mode = "bilinear" if len(space) == 2 else "trilinear"
    return nn.functional.interpolate(scores, size=space, mode=mode)


def coloured(structure: Tensor, typical: Tensor | None) -> Tensor:
    """Structure with grey values as images have them, in [0, 1].

    Args:
        structure: (n, channels, *space); offset, contrast and sign mean nothing.
        typical: (m, channels, *space) other images; None: all that is known is that images are
            darkest at their borders.
    """
    axes = tuple(range(2, structure.ndim))
    centre = structure.mean(axes, keepdim=True)
    even = (structure - centre) / structure.std(axes, keepdim=True).clamp_min(1e-9)
    if typical is None:
        ground = torch.cat([_border(even, axis) for axis in axes], dim=2).mean((0, 2))
        even = even * torch.where(ground <= 0, 1.0, -1.0)[(None, ..., *(None,) * len(axes))]
        flat = even.flatten(2)
        low, high = flat.quantile(0.02, 2), flat.quantile(0.98, 2)
        low, high = (each[(..., *(None,) * len(axes))] for each in (low, high))
        even = (even - low) / (high - low).clamp_min(1e-9)
        return (_DARK + (_BRIGHT - _DARK) * even).clamp(0, 1)
    mean = typical.mean(0, keepdim=True)
    shared = even.mean(0, keepdim=True) * (mean - mean.mean(axes, keepdim=True))
    even = even * torch.where(shared.sum(axes, keepdim=True) >= 0, 1.0, -1.0)
    spread = typical.std(axes, keepdim=True).mean(0, keepdim=True)
    return (mean.mean(axes, keepdim=True) + spread * even).clamp(0, 1)


def departures(images: Tensor, typical: Tensor) -> Tensor:
    """The typical image, changed where an image departs from its own kind; in [0, 1].

    Args:
        images: (n, channels, *space), too blurred to be better than the typical image.
        typical: (m, channels, *space) other images.
    """
    axes = (0, *range(2, images.ndim))
    apart = images - images.mean(0, keepdim=True)
    usual = (typical - typical.mean(0, keepdim=True)).square().mean(axes, keepdim=True).sqrt()
    own = apart.square().mean(axes, keepdim=True).sqrt().clamp_min(1e-9)
    return (typical.mean(0, keepdim=True) + _SHARE * usual / own * apart).clamp(0, 1)


def _border(images: Tensor, axis: int) -> Tensor:
    """(n, channels, values) at both ends of an axis."""
    side = images.shape[axis]
    ends = images.index_select(axis, torch.tensor([0, side - 1]))
    return ends.flatten(2)

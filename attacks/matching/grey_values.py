"""A picture's structure without its grey values, and how to give it some.

An unknown encoder that normalises every sample hides offset, contrast and sign: an attack that
knows no pair of image and message can only recover them from what images look like in general.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_DARK, _BRIGHT = 0.02, 0.75  # where images are scaled to [0, 1] and lie on a dark ground
_SHARE = 0.5  # of a difference from the typical image that is kept where detail is missing
_FINE = 0.25  # cycles per pixel, where detail begins
_LEAST = 1e-12


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


def tempered(images: Tensor, typical: Tensor) -> Tensor:
    """Images as far as they can be believed: the typical one where they look like noise; in [0, 1].

    How images depart from each other is mostly smooth; noise has as much power at fine detail as
    at coarse. Of the two, every frequency is given what is left when the noise is weighed out. What
    all of them have in common and the typical image lacks is believed as far as one patient would
    depart from it.

    Args:
        images: (n, channels, *space).
        typical: (m, channels, *space) other images; of one alone nothing is known about how they
            differ, and all is believed.
    """
    if len(typical) == 1:
        return images
    mean = typical.mean(0, keepdim=True)
    usual = _power(typical - mean)
    if len(images) == 1:
        return (mean + _filtered(images - mean, _believed(_power(images - mean), usual))).clamp(
            0, 1
        )
    common = images.mean(0, keepdim=True)
    own, shared = images - common, common - mean
    likely = usual / torch.maximum(_power(shared), usual).clamp_min(_LEAST)
    kept = _filtered(own, _believed(_power(own), usual)) + _filtered(shared, likely)
    return (mean + kept).clamp(0, 1)


def _believed(found: Tensor, usual: Tensor) -> Tensor:
    """(*space,) weight of every frequency, where white noise may lie on a share of the usual."""
    sides = [torch.fft.fftfreq(side) for side in found.shape]
    radius = torch.stack(torch.meshgrid(*sides, indexing="ij")).square().sum(0).sqrt()
    fine = radius > _FINE
    apart = (usual[~fine].mean() - usual[fine].mean()).clamp_min(_LEAST)
    share = ((found[~fine].mean() - found[fine].mean()) / apart).clamp(0, 1)
    noise = (found[fine].mean() - share * usual[fine].mean()).clamp_min(0)
    return (share.sqrt() * usual / (share * usual + noise).clamp_min(_LEAST)).clamp(max=1)


def _power(parts: Tensor) -> Tensor:
    """(*space,) mean power of every frequency."""
    waves = torch.fft.fftn(parts, dim=tuple(range(2, parts.ndim)))
    found: Tensor = waves.abs().square().mean((0, 1))
    return found


def _filtered(parts: Tensor, weights: Tensor) -> Tensor:
    axes = tuple(range(2, parts.ndim))
    found: Tensor = torch.fft.ifftn(torch.fft.fftn(parts, dim=axes) * weights, dim=axes).real
    return found


def _border(images: Tensor, axis: int) -> Tensor:
    """(n, channels, values) at both ends of an axis."""
    side = images.shape[axis]
    ends = images.index_select(axis, torch.tensor([0, side - 1]))
    return ends.flatten(2)

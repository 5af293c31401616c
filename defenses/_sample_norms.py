"""Norms of whole messages, one per sample, and clipping to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# A float32 sum over millions of values is off by less than this; the message must stay inside.
_ROUNDING_MARGIN = 1e-5


def sample_norms(message: Tensor, order: int) -> Tensor:
    """The L1 or L2 norm of each sample's message.

    Args:
        message: (n, channels, *space).
        order: 1 or 2.

    Returns:
        (n, 1, ...), broadcasting over the message. Differentiable; the gradient at zero is zero.
    """
    norms: Tensor = torch.linalg.vector_norm(message.flatten(1), ord=order, dim=1)
    return norms.reshape(-1, *[1] * (message.dim() - 1))


def clip_samples(message: Tensor, bound: float, order: int) -> Tensor:
    """Each sample's message, scaled down to the ball of that radius where it lies outside.

    Args:
        message: (n, channels, *space), float32 or wider.
        bound: radius of the ball, above 0.
        order: 1 or 2, the norm of the ball.

    Returns:
        Same shape. Inside the ball, up to the rounding margin, a message is unchanged.
    """
    inside = bound * (1 - _ROUNDING_MARGIN)
    return message / (sample_norms(message, order) / inside).clamp_min(1)


def root_mean_square(message: Tensor) -> Tensor:
    """The root mean square of each sample's message; (n, 1, ...)."""
    return sample_norms(message, 2) / math.sqrt(message[0].numel())


def channel_energies(message: Tensor) -> Tensor:
    """The L2 norm of each channel of each sample: (n, channels)."""
    energies: Tensor = torch.linalg.vector_norm(message.flatten(2), dim=2)
    return energies

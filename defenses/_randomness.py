"""Random tensors and weights from the one generator a defense is given."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn


def normal_like(message: Tensor, rng: Generator) -> Tensor:
    """Standard normal values in the shape of a message; drawn on the generator's device."""
    drawn = torch.randn(message.shape, generator=rng, device=rng.device, dtype=message.dtype)
    return drawn.to(message.device)


def laplace_like(message: Tensor, rng: Generator) -> Tensor:
    """Laplace values of scale 1 in the shape of a message: the difference of two exponentials."""
    two = torch.empty((2, *message.shape), device=rng.device, dtype=message.dtype)
    two.exponential_(generator=rng)
    return (two[0] - two[1]).to(message.device)


def keep_mask(shape: tuple[int, ...], keep: float, like: Tensor, rng: Generator) -> Tensor:
    """Ones with probability ``keep``, else zeros; dtype and device of ``like``."""
    drawn = torch.rand(shape, generator=rng, device=rng.device)
    return (drawn < keep).to(device=like.device, dtype=like.dtype)


def initialised_projection(
    dimensions: int, inputs: int, outputs: int, rng: Generator, *, side: int = 1
) -> nn.Module:
    """A convolution that keeps the spatial size; weights from the generator, none from elsewhere.

    Args:
        dimensions: 2 or 3.
        inputs: channels in.
        outputs: channels out.
        rng: gives the weights: normal, variance one over the inputs of one value (He et al. 2015).
        side: odd width of the kernel.
    """
    kind = nn.Conv2d if dimensions == 2 else nn.Conv3d
    convolution: nn.Module = nn.utils.skip_init(
        kind, inputs, outputs, kernel_size=side, padding=side // 2
    )
    weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
    with torch.no_grad():
        weight.normal_(0, 1 / math.sqrt(inputs * side**dimensions), generator=rng)
        bias.zero_()
    return convolution

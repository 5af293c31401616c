"""Random tensors from the one generator a defense is given, wherever the message lies."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def normal_like(message: Tensor, rng: Generator) -> Tensor:
    """Standard normal values in the shape of a message; drawn on the generator's device."""
    drawn = torch.randn(message.shape, generator=rng, device=rng.device, dtype=message.dtype)
    return drawn.to(message.device)


def keep_mask(shape: tuple[int, ...], keep: float, like: Tensor, rng: Generator) -> Tensor:
    """Ones with probability ``keep``, else zeros; dtype and device of ``like``."""
    drawn = torch.rand(shape, generator=rng, device=rng.device)
    return (drawn < keep).to(device=like.device, dtype=like.dtype)

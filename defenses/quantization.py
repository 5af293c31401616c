"""Send messages with few bits per value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Strength
from leakaudit.exchange.message import Direction

from ._message_guard import MessageDefense
from ._message_noise import NoiseDefense
from .learned_noise import LearnedNoise


class Quantization(MessageDefense):
    """Round each message to 1 to 8 bits per value, evenly between its least and largest.

    A message's range is split into 2**bits equal bins, and each value becomes the middle of its
    bin. Gradients pass straight through the rounding.

    Protects: nothing that can be claimed; it saves bytes, and blurs a little.
    Source: Jacob et al. 2018 (uniform quantization); Bengio et al. 2013 (straight-through).
    """

    silence: ClassVar[str] = "what is rounded off is gone, by construction"
    strength: ClassVar[Strength | None] = Strength("bits", rising=False)

    bits: int = Field(ge=1, le=8, description="bits per value")

    def change(self, message: Tensor, rng: Generator) -> Tensor:
        """The rounded message."""
        del rng
        per_sample = (-1, *[1] * (message.dim() - 1))
        flat = message.detach().flatten(1)
        least = flat.amin(dim=1).reshape(per_sample)
        # A constant message has no range; it stays as it is.
        width = (flat.amax(dim=1).reshape(per_sample) - least) / 2**self.bits
        bins = ((message.detach() - least) / torch.where(width > 0, width, 1)).floor()
        rounded: Tensor = least + (bins.clamp(0, 2**self.bits - 1) + 0.5) * width
        # Exactly the rounded value, with the message's gradient: the bracket is exactly zero.
        return rounded + (message - message.detach())

    def wire_share(self, direction: Direction, level: int, channels: int) -> float:
        """Bits over the 32 of single precision, in the directions it acts in."""
        del level, channels
        way = "forward" if direction is Direction.ACTIVATION else "backward"
        return self.bits / 32 if self.direction in (way, "both") else 1.0

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """Noise after rounding takes the values off the grid again.

        Raises:
            ConfigurationError: noise comes later on the same messages.
        """
        super().check_stack(before, after)
        for other in after:
            if isinstance(other, NoiseDefense | LearnedNoise) and self.overlaps(other):
                raise ConfigurationError(
                    "quantization comes after noise: noise takes values off the grid again",
                    found=f"{type(self).__name__}, then {type(other).__name__}",
                    remedy="put quantization last; a claim of the noise survives it",
                )

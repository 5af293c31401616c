"""Clip each sample's message and add Laplace noise to it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Generator, Tensor

from leakaudit.accounting import Spent, laplace_epsilon

from ._laplace_accountant import laplace_multiplier
from ._message_noise import NoiseDefense
from ._randomness import laplace_like


class LaplaceNoise(NoiseDefense):
    """Add fresh Laplace noise to each sample's message; with `clip_norm`, clip its L1 norm first.

    With `clip_norm` the noise has scale noise_multiplier * clip_norm per value (standard deviation
    1.41 times that). The claim is pure (delta 0) unless a delta allows a smaller epsilon. The L1
    norm of a feature map is far above its L2 norm, so the same epsilon costs more than with
    gaussian-noise.

    Protects: the images (forward) or masks (backward) behind a patient's own messages.
    Source: Dwork, McSherry, Nissim, Smith 2006; Dwork, Roth 2014, theorem 3.6.
    """

    silence: ClassVar[str] = "fresh noise buries what a message tells, by construction"
    norm: ClassVar[Literal[1, 2]] = 1
    kind: ClassVar[Literal["gaussian", "laplace"]] = "laplace"

    delta: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="failure probability of the claim; 0: pure differential privacy",
    )

    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        """Laplace values of scale 1."""
        return laplace_like(message, rng)

    def spent(self, multiplier: float, releases: int) -> Spent:
        """By the closed forms."""
        return laplace_epsilon(multiplier, releases, self.delta)

    def least_multiplier(self, target_epsilon: float, releases: int) -> float:
        """The inverse of :meth:`spent`."""
        return laplace_multiplier(target_epsilon, releases, self.delta)

    def mechanism(self) -> str:
        """Its name and settings, for the claim."""
        scale = (self.noise_multiplier or 0) * (self.clip_norm or 0)
        return f"Laplace mechanism: L1 norm clipped to {self.clip_norm:g}, scale {scale:g}"

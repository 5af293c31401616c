"""Clip each sample's message and add Gaussian noise to it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Generator, Tensor

from leakaudit.accounting import Spent

from ._accountant import gaussian_multiplier, gaussian_spent
from ._message_noise import NoiseDefense
from ._randomness import normal_like


class GaussianNoise(NoiseDefense):
    """Add fresh Gaussian noise to each sample's message; with `clip_norm`, clip its L2 norm first.

    With `clip_norm` the noise has standard deviation noise_multiplier * clip_norm per value, and an
    accountant composes every release of a patient into a claim. Without it the noise is scaled to
    the root mean square of each message: an ablation that makes no claim.

    Protects: the images (forward) or masks (backward) behind a patient's own messages.
    Source: Dwork, Roth 2014, appendix A; Titcombe et al. 2021 put noise on split activations.
    """

    silence: ClassVar[str] = "fresh noise buries what a message tells, by construction"
    norm: ClassVar[Literal[1, 2]] = 2
    kind: ClassVar[Literal["gaussian", "laplace"]] = "gaussian"

    delta: float = Field(default=1e-5, gt=0, lt=1, description="failure probability of the claim")

    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        """Standard normal values."""
        return normal_like(message, rng)

    def spent(self, multiplier: float, releases: int) -> Spent:
        """Exact, by the analytic Gaussian mechanism."""
        return gaussian_spent(multiplier, releases, self.delta)

    def least_multiplier(self, target_epsilon: float, releases: int) -> float:
        """The inverse of :meth:`spent`."""
        return gaussian_multiplier(target_epsilon, releases, self.delta)

    def mechanism(self) -> str:
        """Its name and settings, for the claim."""
        deviation = (self.noise_multiplier or 0) * (self.clip_norm or 0)
        return (
            f"Gaussian mechanism: L2 norm clipped to {self.clip_norm:g}, standard deviation "
            f"{deviation:g}"
        )

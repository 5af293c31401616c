"""Clip each sample's message and add Gaussian noise to it."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Claim, Exposure
from leakaudit.split.spec import SplitSpec

from ._accountant import (
    accountant_name,
    gaussian_epsilon,
    gaussian_multiplier,
    require_small_delta,
)
from ._message_claim import Neighbouring, Releases, message_claim, required_releases, sensitivity
from ._message_guard import MessageDefense
from ._randomness import normal_like
from ._sample_norms import clip_samples, root_mean_square


class GaussianNoise(MessageDefense):
    """Clip each sample's message to an L2 norm, per level, and add fresh Gaussian noise.

    With `clip_norm` the noise has standard deviation noise_multiplier * clip_norm per value, and an
    accountant composes every release of a patient into a claim. Without it the noise is scaled to
    the root mean square of each message: an ablation that makes no claim.

    Protects: the images (forward) or masks (backward) behind a patient's own messages.
    Source: Dwork, Roth 2014, appendix A; Titcombe et al. 2021 put noise on split activations.
    """

    not_covered: ClassVar[str] = (
        "everything, unless clip_norm is set and every crossing level is noised: then what a claim "
        "states"
    )

    noise_multiplier: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="standard deviation of the noise over clip_norm, or over the message's root "
        "mean square where nothing is clipped",
    )
    target_epsilon: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="instead of noise_multiplier: calibrate the noise to this total epsilon",
    )
    clip_norm: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="largest L2 norm of one sample's message at one level; unset: no clipping",
    )
    delta: float = Field(default=1e-5, gt=0, lt=1, description="failure probability of the claim")
    neighbouring: Neighbouring = Field(
        default="replace",
        description="replace: another patient's images in place of these (sensitivity 2 clip_norm);"
        " zero-out: blank messages in their place (sensitivity clip_norm)",
    )

    @model_validator(mode="after")
    def _one_way_to_set_the_noise(self) -> Self:
        if (self.noise_multiplier is None) == (self.target_epsilon is None):
            raise ValueError("give either noise_multiplier or target_epsilon")
        if self.target_epsilon is not None and self.clip_norm is None:
            raise ValueError("target_epsilon needs clip_norm: without clipping no noise gives it")
        return self

    def resolved(self, exposure: Exposure, split: SplitSpec) -> Self:
        """With the noise that keeps to the target over all releases.

        Raises:
            ConfigurationError: no noise keeps to it, a level crosses bare, or delta is too large.
        """
        if self.clip_norm is not None:
            require_small_delta(self.delta, exposure)
        if self.target_epsilon is None:
            return self
        releases = required_releases(self, exposure, split)
        multiplier = sensitivity(self.neighbouring) * gaussian_multiplier(
            self.target_epsilon, releases.total, self.delta
        )
        return self.model_copy(update={"target_epsilon": None, "noise_multiplier": multiplier})

    def no_claim_because(self, split: SplitSpec) -> str:
        """Without clipping, or with a bare level, there is nothing to bound."""
        if self.clip_norm is None:
            return "noise without clipping bounds nothing: one message can be any size"
        bare = [level for level in split.crossing if not self.acts_on(level)]
        return f"levels {bare} cross without noise, so no bound holds for the patient"

    def change(self, message: Tensor, rng: Generator) -> Tensor:
        """Clipped, noised in single precision or wider, and rounded to the message's own."""
        if self.noise_multiplier is None:
            raise ConfigurationError(
                "noise with a target_epsilon is calibrated before it is added",
                found=f"target_epsilon {self.target_epsilon}",
                remedy="build networks from `defense.resolved(exposure, split)`",
            )
        wide = message.to(torch.promote_types(message.dtype, torch.float32))
        if self.clip_norm is None:
            scale: Tensor | float = root_mean_square(wide)
        else:
            wide, scale = clip_samples(wide, self.clip_norm, order=2), self.clip_norm
        noised = wide + self.noise_multiplier * scale * normal_like(wide, rng)
        return noised.to(message.dtype)

    def claim(self, exposure: Exposure, split: SplitSpec) -> Claim | None:
        """Epsilon over every release of a patient; None without clipping or with a bare level."""
        releases = Releases.of(self, exposure, split)
        if self.clip_norm is None or self.noise_multiplier is None or releases is None:
            return None
        require_small_delta(self.delta, exposure)
        spent = gaussian_epsilon(
            self.noise_multiplier / sensitivity(self.neighbouring), releases.total, self.delta
        )
        also = "" if spent.prv_epsilon is None else f" (PRV accountant: {spent.prv_epsilon:.4g})"
        return message_claim(
            self,
            split,
            mechanism=f"Gaussian mechanism: L2 norm clipped to {self.clip_norm:g}, standard "
            f"deviation {self.noise_multiplier * self.clip_norm:g}",
            neighbouring=self.neighbouring,
            epsilon=spent.epsilon,
            delta=self.delta,
            composition=releases.in_words(),
            accountant=accountant_name() + also,
        )

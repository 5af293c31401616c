"""What noise on messages has in common, whatever its distribution."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from leakaudit.accounting import Spent
from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Claim, Defense, Exposure, Strength
from leakaudit.exchange.stack import MOST_EPSILON
from leakaudit.split.spec import SplitSpec

from ._accountant import LEAST_SCALE, MOST_SCALE, require_small_delta
from ._message_claim import (
    Neighbouring,
    Releases,
    bare_cuts,
    message_claim,
    required_releases,
    sensitivity,
)
from ._message_guard import MessageDefense
from ._sample_norms import clip_samples, root_mean_square


class NoiseDefense(MessageDefense):
    """Base of defenses that clip each sample's message to a norm and add fresh noise.

    Attributes:
        norm: 1 or 2, the norm that is clipped.
        kind: distribution of the noise.
    """

    not_covered: ClassVar[str] = (
        "everything, unless clip_norm is set and every cut is noised: then what a claim states"
    )
    norm: ClassVar[Literal[1, 2]]
    kind: ClassVar[Literal["gaussian", "laplace"]]
    strength: ClassVar[Strength | None] = Strength(
        "noise_multiplier", rising=True, instead=Strength("target_epsilon", rising=False)
    )

    noise_multiplier: float | None = Field(
        default=None,
        ge=LEAST_SCALE,
        le=MOST_SCALE,
        allow_inf_nan=False,
        description="scale of the noise over clip_norm, or over the message's root mean square "
        "where nothing is clipped",
    )
    target_epsilon: float | None = Field(
        default=None,
        gt=0,
        le=MOST_EPSILON,
        allow_inf_nan=False,
        description="instead of noise_multiplier: calibrate the noise to this total epsilon",
    )
    clip_norm: float | None = Field(
        default=None,
        ge=LEAST_SCALE,
        le=MOST_SCALE,
        allow_inf_nan=False,
        description="largest norm of one sample's message at one level; unset: no clipping",
    )
    delta: float = Field(ge=0, lt=1, description="failure probability of the claim")
    neighbouring: Neighbouring = Field(
        default="replace",
        description="replace: another patient's data in place of these (sensitivity 2 clip_norm);"
        " zero-out: blank messages in their place (sensitivity clip_norm)",
    )

    @model_validator(mode="after")
    def _one_way_to_set_the_noise(self) -> Self:
        if (self.noise_multiplier is None) == (self.target_epsilon is None):
            raise ValueError("give either noise_multiplier or target_epsilon")
        if self.target_epsilon is not None and self.clip_norm is None:
            raise ValueError("target_epsilon needs clip_norm: without clipping no noise gives it")
        return self

    @abstractmethod
    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        """Noise of scale 1 in the shape of a message."""

    @abstractmethod
    def spent(self, multiplier: float, releases: int) -> Spent:
        """The privacy loss of so many releases; the multiplier is over the sensitivity."""

    @abstractmethod
    def least_multiplier(self, target_epsilon: float, releases: int) -> float:
        """The least noise, over the sensitivity, that keeps to a target."""

    @abstractmethod
    def mechanism(self) -> str:
        """Its name and settings, for the claim."""

    def resolved(self, exposure: Exposure, split: SplitSpec) -> Self:
        """With the noise that keeps to the target over all releases.

        Raises:
            ConfigurationError: no noise keeps to it, a cut is bare, or delta is too large.
        """
        # Without clipping there is no claim, but a delta that somebody wrote is held to the rule.
        written = self.delta != type(self).model_fields["delta"].default
        if self.clip_norm is not None or written:
            require_small_delta(self.delta, exposure)
        if self.target_epsilon is None:
            return self
        releases = required_releases(self, exposure, split)
        multiplier = sensitivity(self.neighbouring) * self.least_multiplier(
            self.target_epsilon, releases.total
        )
        return self.model_copy(update={"target_epsilon": None, "noise_multiplier": multiplier})

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """One noise per message: the second would clip the first again.

        Raises:
            ConfigurationError: another noise acts on the same messages.
        """
        super().check_stack(before, after)
        for other in after:
            if isinstance(other, NoiseDefense) and self.overlaps(other):
                raise ConfigurationError(
                    "one noise per message: a second spends its own budget and clips the first",
                    found=f"{type(self).__name__} and {type(other).__name__}",
                    remedy="keep one of them, with more noise, or give them other directions",
                )

    def no_claim_because(self, split: SplitSpec) -> str:
        """Without clipping, or with a bare cut, there is nothing to bound."""
        if self.clip_norm is None:
            return "noise without clipping bounds nothing: one message can be any size"
        bare = bare_cuts(self, split)
        return f"{', '.join(bare)}: sent without noise, so no bound holds for the patient"

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
            wide, scale = clip_samples(wide, self.clip_norm, self.norm), self.clip_norm
        noised = wide + self.noise_multiplier * scale * self.noise_like(wide, rng)
        return noised.to(message.dtype)

    def claim(self, exposure: Exposure, split: SplitSpec) -> Claim | None:
        """Epsilon over every release of a patient; None without clipping or with a bare cut."""
        releases = Releases.of(self, exposure, split)
        if self.clip_norm is None or self.noise_multiplier is None or releases is None:
            return None
        require_small_delta(self.delta, exposure)
        spent = self.spent(self.noise_multiplier / sensitivity(self.neighbouring), releases.total)
        return message_claim(
            self,
            split,
            mechanism=self.mechanism(),
            kind=self.kind,
            neighbouring=self.neighbouring,
            epsilon=spent.epsilon,
            delta=self.delta,
            composition=releases.in_words(),
            accountant=spent.accountant,
        )

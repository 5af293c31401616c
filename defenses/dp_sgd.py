"""Train on clipped, noised per-sample gradients, with Opacus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.claim import Noise
from leakaudit.exchange.defense import Claim, Defense, Exposure, Strength, UpdateRule
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.exchange.stack import MOST_EPSILON
from leakaudit.split.spec import SERVER, SplitSpec

from ._accountant import (
    LEAST_SCALE,
    MOST_SCALE,
    gaussian_multiplier,
    gaussian_spent,
    require_small_delta,
)
from ._message_claim import Neighbouring, sensitivity
from ._per_sample_update import PerSampleUpdate

_RELATION = {
    "replace": "replace: one patient's data exchanged for any other data",
    "zero-out": "zero-out: one patient's gradients exchanged for zeros",
}


class DpSgd(Defense):
    """Clip every sample's weight gradient, add Gaussian noise, and train on that (Opacus).

    Each network (every party's encoder, the server, the last layers) is clipped and noised on its
    own. The claim covers what the weights tell about a patient. It does not cover the messages:
    activations and gradients cross as if this defense were not there.

    Protects: the trained weights and their updates, against whoever gets to see them.
    Differs: batches are fixed and every sample takes part in every epoch, so nothing is gained
    from subsampling; figures computed for Poisson batches are smaller and do not hold here.
    Source: Abadi et al., CCS 2016; Yousefpour et al. 2021 (Opacus); Titcombe et al. 2021 on what
    it leaves open in split learning.
    """

    silence: ClassVar[str] = (
        "messages are sent as they are; clipping and fresh noise change the weight updates alone"
    )
    not_covered: ClassVar[str] = (
        "every message exchanged: activations and gradients cross as if this defense were not there"
    )
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength(
        "noise_multiplier", rising=True, instead=Strength("target_epsilon", rising=False)
    )

    clip_norm: float = Field(
        ge=LEAST_SCALE,
        le=MOST_SCALE,
        allow_inf_nan=False,
        description="largest L2 norm of one sample's gradient, per network",
    )
    noise_multiplier: float | None = Field(
        default=None,
        ge=LEAST_SCALE,
        le=MOST_SCALE,
        allow_inf_nan=False,
        description="standard deviation of the noise over clip_norm, on the sum over a batch",
    )
    target_epsilon: float | None = Field(
        default=None,
        gt=0,
        le=MOST_EPSILON,
        allow_inf_nan=False,
        description="instead of noise_multiplier: calibrate the noise to this total epsilon",
    )
    delta: float = Field(default=1e-5, gt=0, lt=1, description="failure probability of the claim")
    neighbouring: Neighbouring = Field(
        default="replace",
        description="replace: another patient's data in place of these (sensitivity 2 clip_norm);"
        " zero-out: no gradients in their place (sensitivity clip_norm)",
    )
    server: bool = Field(
        default=True,
        description="also at the server and the last layers; without them no claim holds",
    )

    @model_validator(mode="after")
    def _one_way_to_set_the_noise(self) -> Self:
        if (self.noise_multiplier is None) == (self.target_epsilon is None):
            raise ValueError("give either noise_multiplier or target_epsilon")
        return self

    def check(self, split: SplitSpec) -> None:
        """It acts on weights, not on messages.

        Raises:
            ConfigurationError: cuts are named.
        """
        super().check(split)
        if self.cuts is not None:
            raise ConfigurationError(
                "dp-sgd acts on weights, not on the messages of a cut",
                found=f"cuts {list(self.cuts)}",
                remedy="leave `cuts` out of dp-sgd",
            )

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """Clipping bounds a sample's gradient only where the loss treats samples alone.

        Raises:
            ConfigurationError: another defense compares the samples of a batch.
        """
        super().check_stack(before, after)
        for other in (*before, *after):
            if not other.per_sample:
                raise ConfigurationError(
                    "dp-sgd needs a gradient per sample",
                    found=f"{type(other).__name__}, whose loss or weights do not give one",
                    remedy="take one of the two out (a defense that treats each sample alone "
                    "declares `per_sample`)",
                )

    def resolved(self, exposure: Exposure, split: SplitSpec) -> Self:
        """With the noise that keeps to the target over all steps.

        Raises:
            ConfigurationError: no noise keeps to it, a network trains without it, or delta is too
                large.
        """
        require_small_delta(self.delta, exposure)
        if self.target_epsilon is None:
            return self
        if not self._everywhere(split):
            raise ConfigurationError(
                "a target_epsilon needs dp-sgd at every party and at the server",
                found=self.no_claim_because(split),
                remedy="leave `parties` out and set server = true",
            )
        multiplier = sensitivity(self.neighbouring) * gaussian_multiplier(
            self.target_epsilon, self._releases(exposure, split), self.delta
        )
        return self.model_copy(update={"target_epsilon": None, "noise_multiplier": multiplier})

    def update_rule(self, owner: str, network: nn.Module) -> UpdateRule | None:
        """Per-sample clipping and noise on one network.

        Raises:
            ConfigurationError: Opacus finds a layer that mixes samples, or noise is uncalibrated.
        """
        covered = self.acts_at(owner) if isinstance(network, PartyEndpoint) else self.server
        if not covered:
            return None
        if self.noise_multiplier is None:
            raise ConfigurationError(
                "noise with a target_epsilon is calibrated before it is added",
                found=f"target_epsilon {self.target_epsilon}",
                remedy="train with `defense.resolved(exposure, split)`",
            )
        return PerSampleUpdate(network, self.clip_norm, self.noise_multiplier)

    def claim(self, exposure: Exposure, split: SplitSpec) -> Claim | None:
        """Epsilon of all weights together; None where a network trains without it."""
        if self.noise_multiplier is None or not self._everywhere(split):
            return None
        require_small_delta(self.delta, exposure)
        spent = gaussian_spent(
            self.noise_multiplier / sensitivity(self.neighbouring),
            self._releases(exposure, split),
            self.delta,
        )
        return Claim(
            mechanism=f"DP-SGD: each sample's gradient clipped to L2 norm {self.clip_norm:g} per "
            f"network, Gaussian noise of {self.noise_multiplier:.4g} times that on the sum",
            epsilon=spent.epsilon,
            delta=self.delta,
            unit="one training patient: images and mask, through the weights of every network and "
            "their updates",
            neighbouring=_RELATION[self.neighbouring],
            composition=self._in_words(exposure, split),
            accountant=spent.accountant,
            trust_model="each party noises its own updates and the server its own; the claim "
            "speaks of whoever sees weights or updates and no messages",
            not_covered=f"{self.not_covered}; anyone who knows the generator's seed: in use, noise "
            "must come from a secret source",
            noise=Noise(
                kind="gaussian",
                replaced=self.neighbouring == "replace",
                weight_releases=self._releases(exposure, split),
            ),
        )

    def no_claim_because(self, split: SplitSpec) -> str:
        """A network trained without noise tells the others, through the gradients it sends."""
        if not self.server:
            return (
                f"the {SERVER} trains without noise, and its gradients carry what it learned into "
                "the encoders"
            )
        bare = [name for name in split.party_names if not self.acts_at(name)]
        return f"{', '.join(bare)} trains without noise, which the other networks learn from"

    def _everywhere(self, split: SplitSpec) -> bool:
        return self.server and all(self.acts_at(name) for name in split.party_names)

    def _networks(self, split: SplitSpec) -> int:
        """Networks a patient takes part in: one encoder per holder, the server, the last layers."""
        return (len(split.parties) if split.orientation == "vertical" else 1) + 2

    def _releases(self, exposure: Exposure, split: SplitSpec) -> int:
        """Gaussian releases of sensitivity one that the training is worth."""
        return exposure.epochs * squared_shares(exposure) * self._networks(split)

    def _in_words(self, exposure: Exposure, split: SplitSpec) -> str:
        return (
            f"{exposure.epochs} epochs x {squared_shares(exposure)} (a patient's "
            f"{exposure.samples_per_patient} samples fall into as few batches of "
            f"{exposure.batch_size} as can be, and their gradients add up) x "
            f"{self._networks(split)} networks = {self._releases(exposure, split)} releases, each "
            "certain (no gain from subsampling)"
        )


def squared_shares(exposure: Exposure) -> int:
    """Largest sum of squares of one patient's samples per batch, over an epoch.

    A batch with k samples of a patient moves by up to k clipping norms, which costs as much as
    k * k single releases; the worst order of samples fills batches with one patient.
    """
    full, rest = divmod(exposure.samples_per_patient, exposure.batch_size)
    return full * exposure.batch_size**2 + rest**2

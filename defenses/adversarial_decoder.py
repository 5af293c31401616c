"""Train the encoder against a decoder that the party holds itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Guard, Site, Strength

from ._randomness import initialised_projection
from .bottleneck import Bottleneck

_ADAM_BETAS = (0.5, 0.999)  # usual for adversarial training: Radford et al. 2016


class AdversarialDecoder(Defense):
    """Train each party's encoder to defeat a decoder that the party trains alongside.

    Before each step the decoder learns to reconstruct the batch from what is about to be sent;
    then the share of image variance it explains is added to the party's loss.

    Protects: nothing that can be claimed; an attacker's decoder may be better than this one.
    Differs: penalises explained variance, between 0 and 1, where the paper uses SSIM; one decoder
    reads all levels that the defense acts on.
    Source: Li, Rakin, Chen et al., CVPR 2022 (ResSFL), section 4.
    """

    post_processing: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("weight", rising=True)

    weight: float = Field(
        gt=0, allow_inf_nan=False, description="factor of the term beside the segmentation loss"
    )
    width: PositiveInt = Field(default=16, description="channels of the decoder")
    steps: PositiveInt = Field(default=1, description="decoder steps before each party step")
    learning_rate: float = Field(
        default=2e-3, gt=0, lt=1, description="of the decoder's optimiser, Adam"
    )

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The decoder of one party."""
        return _AdversarialDecoderGuard(self, site, rng)

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """The decoder is built for the channels that are sent.

        Raises:
            ConfigurationError: a bottleneck comes later.
        """
        super().check_stack(before, after)
        if any(isinstance(other, Bottleneck) and self.overlaps(other) for other in after):
            raise ConfigurationError(
                "adversarial-decoder reads what is sent, so it comes after what changes channels",
                found="AdversarialDecoder, then Bottleneck",
                remedy="put adversarial-decoder last",
            )


class _AdversarialDecoderGuard(Guard):
    def __init__(self, defense: AdversarialDecoder, site: Site, rng: Generator) -> None:
        super().__init__()
        self._defense = defense
        self._levels = defense.acting_levels(site)
        self.decoder = _Decoder(
            site.split.dimensions,
            {level: site.shapes[level][0] for level in self._levels},
            site.modalities,
            defense.width,
            rng,
        )
        self._optimiser: torch.optim.Adam | None = None

    def loss_term(
        self, images: Tensor, features: Mapping[int, Tensor], rng: Generator
    ) -> Tensor | None:
        """The weighted share of variance explained; None for a single sample, which has none."""
        del rng
        if images.shape[0] < 2:
            return None
        seen = {level: features[level] for level in self._levels}
        variance = (images - images.mean(dim=0)).square().mean().clamp_min(1e-8)
        self._train_decoder(images, {level: tensor.detach() for level, tensor in seen.items()})
        # Constants in the encoder's graph: the party's optimiser must not train the decoder too.
        frozen = {name: weight.detach() for name, weight in self.decoder.named_parameters()}
        space = torch.Size(images.shape[2:])
        guess: Tensor = torch.func.functional_call(self.decoder, frozen, (seen, space))
        explained = 1 - (guess - images).square().mean() / variance
        return self._defense.weight * explained.clamp_min(0)

    def _train_decoder(self, images: Tensor, seen: Mapping[int, Tensor]) -> None:
        weights = list(self.decoder.parameters())
        if self._optimiser is None:
            self._optimiser = torch.optim.Adam(
                weights, lr=self._defense.learning_rate, betas=_ADAM_BETAS
            )
        for _ in range(self._defense.steps):
            guess = self.decoder(seen, torch.Size(images.shape[2:]))
            error = (guess - images).square().mean()
            for weight, gradient in zip(weights, torch.autograd.grad(error, weights), strict=True):
                weight.grad = gradient
            self._optimiser.step()
            # Without a gradient the party's own optimiser passes over these weights.
            self._optimiser.zero_grad(set_to_none=True)


class _Decoder(nn.Module):
    """Every level to one width, up to the image's size, added, two convolutions."""

    def __init__(
        self,
        dimensions: int,
        channels: Mapping[int, int],
        modalities: int,
        width: int,
        rng: Generator,
    ) -> None:
        super().__init__()
        self.enter = nn.ModuleDict(
            {
                str(level): initialised_projection(dimensions, count, width, rng)
                for level, count in channels.items()
            }
        )
        self.mix = initialised_projection(dimensions, width, width, rng, side=3)
        self.leave = initialised_projection(dimensions, width, modalities, rng, side=3)

    def forward(self, features: Mapping[int, Tensor], space: torch.Size) -> Tensor:
        """Images (n, modalities, *space) in [0, 1]."""
        raised = [
            nn.functional.interpolate(self.enter[str(level)](tensor), size=space, mode="nearest")
            for level, tensor in features.items()
        ]
        hidden = nn.functional.leaky_relu(torch.stack(raised).sum(dim=0), 0.1)
        hidden = nn.functional.leaky_relu(self.mix(hidden), 0.1)
        images: Tensor = self.leave(hidden).sigmoid()
        return images

"""Shredder: noise whose distribution is learned, as strong as the task bears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from leakaudit.exchange.defense import Defense, Guard, Site, Strength

from ._randomness import laplace_like
from ._sample_norms import root_mean_square

# Adam moves every weight by about the learning rate per step, which suits a convolution's weights.
# The logarithm of a scale has to travel further in the same training.
_SPEED = 20.0


class LearnedNoise(Defense):
    """Add Laplace noise whose place-by-place scale and shift are learned, as large as Dice bears.

    The party's loss rewards large scales; the segmentation loss holds against it. The noise is
    relative to each message's root mean square, so that the encoder cannot outgrow it.

    Protects: nothing that can be claimed; nothing is clipped, and what is learned depends on the
    data.
    Differs: the distribution trains along with the encoder; the paper learns it afterwards with
    the network frozen, and samples from a collection of learned tensors.
    Source: Mireshghallah et al., ASPLOS 2020 (Shredder).
    """

    silence: ClassVar[str] = (
        "fresh noise buries what a message tells; its learned shift is a fixed offset"
    )
    post_processing: ClassVar[bool] = True
    learned: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("weight", rising=True)

    weight: float = Field(
        gt=0, allow_inf_nan=False, description="reward for the mean logarithm of the scale"
    )
    start: float = Field(
        default=0.5,
        gt=0,
        allow_inf_nan=False,
        description="scale at first, over the message's root mean square",
    )
    most: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="largest scale that can be learned"
    )

    @model_validator(mode="after")
    def _room_to_grow(self) -> Self:
        if self.start >= self.most:
            raise ValueError("start must be below most")
        return self

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The distributions of one party."""
        del rng
        return _LearnedNoiseGuard(
            self, {level: site.shapes[level] for level in self.acting_levels(site)}
        )


class _LearnedNoiseGuard(Guard):
    def __init__(self, defense: LearnedNoise, shapes: Mapping[int, tuple[int, ...]]) -> None:
        super().__init__()
        self._weight, self._most = defense.weight, defense.most
        share = defense.start / defense.most
        self.logits = nn.ParameterDict(
            {
                str(level): nn.Parameter(torch.full(shape, math.log(share / (1 - share)) / _SPEED))
                for level, shape in shapes.items()
            }
        )
        self.shifts = nn.ParameterDict(
            {str(level): nn.Parameter(torch.zeros(shape)) for level, shape in shapes.items()}
        )

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """The message with noise drawn from the learned distribution."""
        if str(level) not in self.logits:
            return features
        noise: Tensor = self.shifts[str(level)] + self._scale(level) * laplace_like(features, rng)
        return features + root_mean_square(features.detach()) * noise

    def loss_term(
        self, images: Tensor, features: Mapping[int, Tensor], rng: Generator
    ) -> Tensor | None:
        """The reward, negative; its gradient touches the scales alone."""
        del images, features, rng
        logarithms = [self._scale(int(level)).log().mean() for level in self.logits]
        mean: Tensor = torch.stack(logarithms).mean()
        return -self._weight * mean

    def _scale(self, level: int) -> Tensor:
        share: Tensor = (_SPEED * self.logits[str(level)]).sigmoid()
        return self._most * share

"""Activation matching: change an image until it would have caused the features that were sent."""

from __future__ import annotations

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from leakaudit.threat.attack import Attack, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .matching.features import MatchingBudget, RecordedEpoch, match
from .parts.effort import Effort, scaled
from .parts.priors import UsualImages


class ActivationMatching(Attack):
    """Optimise images until the victim's own encoder turns them into what it sent.

    Knows: messages of the victim; its encoder's weights. Auxiliary images, where granted,
    give the starting point, and what to believe of an image as far as noise hides it.
    Differs: images of all samples and restarts are optimised in one batch; each step draws the
    defense's randomness anew and takes the recorded epochs in turn, so that fresh noise averages
    out; distances are judged channel by channel, so that no rescaling blinds the optimiser.
    Source: He, Zhang, Lee, "Model inversion attacks against collaborative inference", ACSAC 2019,
    section 4 (regularised maximum likelihood).
    """

    needs = Knowledge.ACTIVATIONS | Knowledge.ENCODER_WEIGHTS
    asset = "images"
    criterion = "singling out"
    family = "matching"
    source = "He et al. 2019"

    effort: Effort = Field(default="standard", description="scales steps and restarts")
    steps: PositiveInt = Field(default=150, le=1_000_000, description="optimiser steps per image")
    restarts: PositiveInt = Field(default=1, le=64, description="starting points per image")
    learning_rate: PositiveFloat = Field(
        default=0.01, le=1.0, description="highest step size, in grey values of [0, 1]"
    )
    total_variation: NonNegativeFloat = Field(
        default=0.05, le=1e3, description="weight of the mean difference of neighbouring pixels"
    )
    usual_images: NonNegativeFloat = Field(
        default=2.0, le=1e3,
        description="weight of how unlike auxiliary images a guess is, in units of what the "
        "defense's noise warrants; without such images it does nothing",
    )  # fmt: skip
    at_once: PositiveInt = Field(default=32, le=65_536, description="images per batch")
    releases: PositiveInt = Field(
        default=20, le=10_000, description="most recent recorded epochs to match"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One batched optimisation per target."""
        budget = MatchingBudget(
            steps=scaled(self.steps, self.effort),
            restarts=self.restarts * (3 if self.effort == "thorough" else 1),
            learning_rate=self.learning_rate,
            total_variation=self.total_variation,
            usual_images=self.usual_images,
            at_once=self.at_once,
        )
        return {target: self._guess(view, target, budget, rng) for target in view.targets}

    def _guess(self, view: View, target: Target, budget: MatchingBudget, rng: Generator) -> Guess:
        releases = [
            RecordedEpoch(
                view.encoder(target.victim, epoch),
                {level: view.activations(target.victim, level, epoch) for level in target.levels},
            )
            for epoch in view.epochs[-self.releases :]
        ]
        usual = None
        if Knowledge.AUXILIARY_IMAGES in view.knowledge and budget.usual_images:
            usual = UsualImages(view.auxiliary_images(target.victim))
        *trail, last = match(
            releases, lambda number: start(view, target, number, rng), budget, rng, usual
        )
        return Guess(last.values, last.effort, tuple(trail))


def start(view: View, target: Target, number: int, rng: Generator) -> Tensor:
    """Where a restart begins: the typical image or mid grey, then noise around it."""
    shape = (len(view), view.modalities[target.victim], *view.space)
    typical = torch.full(shape, 0.5)
    if Knowledge.AUXILIARY_IMAGES in view.knowledge:
        typical = view.auxiliary_images(target.victim).mean(0, keepdim=True).expand(shape)
    noise = torch.randn(shape, generator=rng)
    return (typical + (0.02 if number == 0 else 0.2) * noise).clamp(0, 1)

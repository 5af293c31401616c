"""Gradient inversion: change guessed images until they would have caused a weight update."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from torch import Generator

from leakaudit.threat.attack import Attack, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import View

from .matching.gradients import ImageBudget
from .matching.images import recover_images
from .parts.effort import Effort, scaled


class GradientInversion(Attack):
    """Optimise images until the weight update they would cause matches the victim's.

    Knows: an encoder's weights and its weight update; auxiliary images, where granted, say what an
    image is like that the gradients leave open.
    Differs: activations are smoothed, because the derivative of a ReLU jumps; the distance's
    logarithm is what is lowered, by plain Adam or by L-BFGS in double precision, in which every
    update has its own curvature and step length. Which image of a batch is whose is never guessed:
    each sample's own gradient at the cut is matched through. What features are usual comes from
    auxiliary images, because no encoder here keeps a running mean of patients' features.
    Source: Zhu, Liu, Han, "Deep leakage from gradients", NeurIPS 2019 (L-BFGS); Geiping et al.,
    "Inverting gradients", NeurIPS 2020 (cosine); Yin et al., "See through gradients", CVPR 2021
    (feature statistics, group consistency).
    """

    needs = Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS
    asset = "images"
    criterion = "inference"
    family = "gradient"
    source = "Zhu et al. 2019; Geiping et al. 2020; Yin et al. 2021"
    per_level = False

    method: Literal["lbfgs", "cosine"] = Field(
        default="cosine", description="squared distance with L-BFGS, or angle with Adam"
    )
    effort: Effort = Field(default="standard", description="scales all steps")
    steps: NonNegativeInt = Field(default=400, le=1_000_000, description="optimiser steps")
    restarts: PositiveInt = Field(
        default=1, le=64, description="starting points; the nearest match is kept"
    )
    learning_rate: PositiveFloat = Field(
        default=0.03, le=10.0, description="highest step of Adam, in grey values of [0, 1]"
    )
    total_variation: NonNegativeFloat = Field(
        default=10.0, le=1e3,
        description="weight of the mean difference of neighbours, against the logarithm of the "
        "distance",
    )  # fmt: skip
    usual_features: NonNegativeFloat = Field(
        default=0.0, le=1e3,
        description="weight of how far the features' mean and variance are from those of "
        "auxiliary images, against the logarithm of the distance",
    )  # fmt: skip
    usual_images: NonNegativeFloat = Field(
        default=1.0, le=1e3,
        description="weight of how unlike auxiliary images they are, where there are such images, "
        "against the logarithm of the distance",
    )  # fmt: skip
    agreement: NonNegativeFloat = Field(
        default=0.0, le=1e3,
        description="weight of the restarts' mean squared distance from their mean, against the "
        'logarithm of the distance; needs restarts, and method = "cosine"',
    )  # fmt: skip

    @property
    def required(self) -> Knowledge:
        """What features are usual is known from patients of its own."""
        return self.needs | Knowledge.AUXILIARY_IMAGES if self.usual_features else self.needs

    @model_validator(mode="after")
    def _somebody_to_agree_with(self) -> Self:
        if self.agreement and (self.restarts == 1 or self.method == "lbfgs"):
            raise ValueError(
                'agreement needs two restarts or more, and method = "cosine": with L-BFGS each '
                "restart has a step length of its own"
            )
        return self

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One optimisation per victim."""
        budget = ImageBudget(
            method=self.method,
            steps=scaled(self.steps, self.effort) if self.steps else 0,
            restarts=self.restarts,
            learning_rate=self.learning_rate,
            total_variation=self.total_variation,
            usual_features=self.usual_features,
            usual_images=self.usual_images,
            agreement=self.agreement,
        )
        return {target: recover_images(view, target, budget, rng) for target in view.targets}

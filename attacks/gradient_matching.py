"""Gradient matching: change a guess until it would have caused the gradients that were seen."""

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
from leakaudit.threat.view import Asset, View

from .masks.matching import MaskBudget, recover_masks
from .matching.gradients import ImageBudget
from .matching.images import recover_images
from .parts.effort import Effort, scaled

_MASKS = (
    Knowledge.GRADIENTS
    | Knowledge.OWN_IMAGES
    | Knowledge.SERVER_WEIGHTS
    | Knowledge.AUXILIARY_IMAGES
    | Knowledge.AUXILIARY_LABELS
)
_IMAGES = Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS


class GradientMatching(Attack):
    """Optimise masks or images until the gradients they would cause match those seen.

    Knows: for masks, the gradients at its own features, the server's weights, and auxiliary
    patients; for images, an encoder's weights and its weight update.
    Differs: for masks the other parties' part is unknown, so guess and optimisation start from a
    network that learned on a simulated exchange with stand-ins for the others; it reads several
    recorded epochs and the adversary's own images together. The sum of the others' features is
    optimised along with the mask, and kept where that surely helps on auxiliary patients; the
    effort curve counts steps of the network and of the match, not of the stand-ins before them. For
    images activations are smoothed, because the derivative of a ReLU jumps; the distance's
    logarithm is what is lowered, by plain Adam or by L-BFGS in double precision, in which every
    update has its own curvature and step length. Which image of a batch is whose is never guessed:
    each sample's own gradient at the cut is matched through. What features are usual comes from
    auxiliary images, because no encoder here keeps a running mean of patients' features; where
    granted, they also say what an image is like that the gradients leave open.
    Source: Zhu, Liu, Han, "Deep leakage from gradients", NeurIPS 2019 (L-BFGS); Geiping et al.,
    "Inverting gradients", NeurIPS 2020 (cosine); Yin et al., "See through gradients", CVPR 2021
    (feature statistics, group consistency).
    """

    needs = _MASKS
    asset = "masks"
    criterion = "inference"
    family = "gradient"
    source = "Zhu et al. 2019; Geiping et al. 2020; Yin et al. 2021"
    per_level = False

    target: Literal["masks", "images"] = Field(default="masks", description="what is recovered")
    method: Literal["lbfgs", "cosine"] = Field(
        default="cosine", description="squared distance with L-BFGS, or angle with Adam"
    )
    effort: Effort = Field(default="standard", description="scales all steps")
    steps: NonNegativeInt | None = Field(
        default=None, le=1_000_000,
        description="optimiser steps of matching; unset: 20 for masks, 400 for images",
    )  # fmt: skip
    restarts: PositiveInt = Field(
        default=1, le=64, description="images: starting points; the nearest match is kept"
    )
    learning_rate: PositiveFloat | None = Field(
        default=None, le=10.0,
        description="highest step of Adam; unset: 0.1 spreads of a feature for masks, 0.03 grey "
        "values of [0, 1] for images",
    )  # fmt: skip
    total_variation: NonNegativeFloat | None = Field(
        default=None, le=1e3,
        description="weight of the mean difference of neighbours; unset: 0 for masks, 10 for "
        "images, against the logarithm of the distance",
    )  # fmt: skip
    usual_features: NonNegativeFloat = Field(
        default=0.0, le=1e3,
        description="images: weight of how far the features' mean and variance are from those of "
        "auxiliary images, against the logarithm of the distance",
    )  # fmt: skip
    usual_images: NonNegativeFloat | None = Field(
        default=None, le=1e3,
        description="images: weight of how unlike auxiliary images they are, against the logarithm "
        "of the distance; unset: 1 where there are such images",
    )  # fmt: skip
    agreement: NonNegativeFloat = Field(
        default=0.0, le=1e3,
        description="images: weight of the restarts' mean squared distance from their mean, "
        'against the logarithm of the distance; needs restarts, and method = "cosine"',
    )  # fmt: skip
    stand_in_steps: NonNegativeInt = Field(
        default=30, le=1_000_000,
        description="masks: optimiser steps for stand-ins of the other parties, per epoch read",
    )  # fmt: skip
    reader_steps: PositiveInt = Field(
        default=300,
        le=1_000_000,
        description="masks: optimiser steps of the network it starts from",
    )
    channels: PositiveInt = Field(
        default=32, le=1024, description="masks: width of that network, in channels"
    )
    batch_size: PositiveInt = Field(
        default=12, le=4096, description="masks: samples per step of both trainings"
    )
    releases: PositiveInt = Field(
        default=3, le=10_000,
        description="masks: recorded epochs whose gradients are read together, spread evenly",
    )  # fmt: skip

    @property
    def goal(self) -> Asset:
        """Masks or images, as set."""
        return self.target

    @property
    def required(self) -> Knowledge:
        """Different for either target; what is usual is known from patients of its own."""
        if self.target == "masks":
            return _MASKS
        return _IMAGES | Knowledge.AUXILIARY_IMAGES if self.usual_features else _IMAGES

    @model_validator(mode="after")
    def _priors_are_of_images(self) -> Self:
        if self.target == "masks" and (self.usual_features or self.usual_images or self.agreement):
            raise ValueError(
                "usual_features, usual_images and agreement say what images are like: set "
                'target = "images", or leave them out'
            )
        return self

    @model_validator(mode="after")
    def _somebody_to_agree_with(self) -> Self:
        if self.agreement and (self.restarts == 1 or self.method == "lbfgs"):
            raise ValueError(
                'agreement needs two restarts or more, and method = "cosine": with L-BFGS each '
                "restart has a step length of its own"
            )
        return self

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One optimisation for all masks; one per victim for images."""
        if self.target == "images":
            images = self._image_budget()
            return {target: recover_images(view, target, images, rng) for target in view.targets}
        masks = self._mask_budget()
        return {target: recover_masks(view, masks, rng) for target in view.targets}

    def _mask_budget(self) -> MaskBudget:
        return MaskBudget(
            method=self.method,
            steps=self._steps(20),
            stand_in_steps=scaled(self.stand_in_steps, self.effort),
            reader_steps=scaled(self.reader_steps, self.effort),
            width=self.channels,
            batch_size=self.batch_size,
            learning_rate=0.1 if self.learning_rate is None else self.learning_rate,
            total_variation=self.total_variation or 0.0,
            releases=self.releases,
        )

    def _image_budget(self) -> ImageBudget:
        return ImageBudget(
            method=self.method,
            steps=self._steps(400),
            restarts=self.restarts,
            learning_rate=0.03 if self.learning_rate is None else self.learning_rate,
            total_variation=10.0 if self.total_variation is None else self.total_variation,
            usual_features=self.usual_features,
            usual_images=1.0 if self.usual_images is None else self.usual_images,
            agreement=self.agreement,
        )

    def _steps(self, usual: int) -> int:
        steps = usual if self.steps is None else self.steps
        return scaled(steps, self.effort) if steps else 0

"""Gradient matching: change guessed masks until they would have caused the gradients seen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Generator

from leakaudit.threat.attack import Attack, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import View

from .masks.matching import MaskBudget, recover_masks
from .parts.effort import Effort, scaled

_IMAGES = "mount gradient-inversion, which recovers images; for masks leave the setting out"


class GradientMatching(Attack):
    """Optimise masks until the gradients they would cause match those sent back to a party.

    Knows: the gradients at its own features, the server's weights, and auxiliary patients.
    Differs: the other parties' part is unknown, so guess and optimisation start from a network that
    learned on a simulated exchange with stand-ins for the others; it reads several recorded epochs
    and the adversary's own images together. The sum of the others' features is optimised along with
    the mask, and kept where that surely helps on auxiliary patients; the effort curve counts steps
    of the network and of the match, not of the stand-ins before them.
    Source: Zhu, Liu, Han, "Deep leakage from gradients", NeurIPS 2019, whose labels are optimised
    as well (L-BFGS); Geiping et al., "Inverting gradients", NeurIPS 2020 (cosine).
    """

    needs = (
        Knowledge.GRADIENTS
        | Knowledge.OWN_IMAGES
        | Knowledge.SERVER_WEIGHTS
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.AUXILIARY_LABELS
    )
    asset = "masks"
    criterion = "inference"
    family = "gradient"
    source = "Zhu et al. 2019; Geiping et al. 2020"
    per_level = False
    moved = dict.fromkeys(
        ("target", "restarts", "usual_features", "usual_images", "agreement"), _IMAGES
    )

    method: Literal["lbfgs", "cosine"] = Field(
        default="cosine", description="squared distance with L-BFGS, or angle with Adam"
    )
    effort: Effort = Field(default="standard", description="scales all steps")
    steps: NonNegativeInt = Field(
        default=20, le=1_000_000, description="optimiser steps of matching"
    )
    learning_rate: PositiveFloat = Field(
        default=0.1, le=10.0, description="highest step of Adam, in spreads of a feature"
    )
    total_variation: NonNegativeFloat = Field(
        default=0.0, le=1e3, description="weight of the mean difference of neighbours"
    )
    stand_in_steps: NonNegativeInt = Field(
        default=30, le=1_000_000,
        description="optimiser steps for stand-ins of the other parties, per epoch read",
    )  # fmt: skip
    reader_steps: PositiveInt = Field(
        default=300, le=1_000_000, description="optimiser steps of the network it starts from"
    )
    channels: PositiveInt = Field(
        default=32, le=1024, description="width of that network, in channels"
    )
    batch_size: PositiveInt = Field(
        default=12, le=4096, description="samples per step of both trainings"
    )
    releases: PositiveInt = Field(
        default=3, le=10_000,
        description="recorded epochs whose gradients are read together, spread evenly",
    )  # fmt: skip

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One optimisation for all masks."""
        budget = MaskBudget(
            method=self.method,
            steps=scaled(self.steps, self.effort) if self.steps else 0,
            stand_in_steps=scaled(self.stand_in_steps, self.effort),
            reader_steps=scaled(self.reader_steps, self.effort),
            width=self.channels,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            total_variation=self.total_variation,
            releases=self.releases,
        )
        return {target: recover_masks(view, budget, rng) for target in view.targets}

"""Membership inference against the trained network: does it remember this person?"""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator

from leakaudit.threat.attack import Attack, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import View

from .parts.effort import Effort, scaled
from .simulation.reference_models import ReferenceBudget, told_by_model


class ModelMembershipInference(Attack):
    """Tell who trained by the trained network, which errs less on whom it saw.

    Knows: the server's weights and query access, through the defense; auxiliary patients with
    masks, who were surely not in training; of the person in question an image, a mask where
    granted, and only the modalities of parties it goes for.
    Differs: it is offline RMIA on the training loss, with few references that each leave out their
    share of the auxiliary patients, and soft comparisons. Without the person's mask the network is
    held against what it draws itself, which says much less. No message is read.
    Source: Zarifzadeh et al., "Low-cost high-power membership inference attacks" (RMIA), ICML 2024.
    """

    needs = (
        Knowledge.SERVER_WEIGHTS
        | Knowledge.QUERIES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.AUXILIARY_LABELS
        | Knowledge.CANDIDATE_IMAGES
    )
    asset = "membership"
    criterion = "singling out"
    family = "membership"
    source = "Zarifzadeh et al. 2024"
    per_level = False
    mixed_up = "candidates"

    effort: Effort = Field(default="standard", description="scales redraws and steps")
    draws: PositiveInt = Field(
        default=8, le=64, description="redraws of a random defense on images asked about"
    )
    references: PositiveInt = Field(
        default=3, ge=2, le=64, description="reference networks, on auxiliary patients"
    )
    steps: PositiveInt = Field(
        default=120, le=1_000_000, description="optimiser steps of each reference network"
    )
    batch_size: PositiveInt = Field(default=8, le=4096, description="samples per step")
    learning_rate: PositiveFloat = Field(
        default=1e-2, le=1.0, description="highest step size of the reference networks"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """Scores (candidates,), the same for every target: all parties trained one network."""
        budget = ReferenceBudget(
            references=self.references,
            steps=scaled(self.steps, self.effort),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            draws=scaled(self.draws, self.effort),
        )
        return dict.fromkeys(view.targets, told_by_model(view, budget, rng))

"""What attacks have in common that train decoders: their settings, and what those come to."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from leakaudit.threat.attack import Attack

from .effort import Effort, scaled
from .training import TrainingBudget


class DecoderAttack(Attack):
    """Base of attacks that train decoders; subclasses state the rest of an attack."""

    effort: Effort = Field(default="standard", description="scales all steps and the width")
    steps: PositiveInt = Field(
        default=200,
        le=1_000_000,
        description="optimiser steps of the decoder of one target; several targets may share them",
    )
    channels: PositiveInt = Field(default=24, le=1024, description="decoder width, in channels")
    batch_size: PositiveInt = Field(default=8, le=4096, description="samples per step")
    learning_rate: PositiveFloat = Field(
        default=1e-2, le=1.0, description="highest step size of the decoder"
    )

    @property
    def budget(self) -> TrainingBudget:
        """What one decoder may cost under these settings."""
        return TrainingBudget(
            steps=scaled(self.steps, self.effort),
            width=self.channels * (2 if self.effort == "thorough" else 1),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )

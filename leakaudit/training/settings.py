"""How a split is trained."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator

References = Literal["pooled", "alone"]


class TrainingSettings(BaseModel):
    """Optimiser and schedule, the same for every setting of one audit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: PositiveInt = Field(default=25, description="passes over the training patients")
    batch_size: PositiveInt = Field(default=16, description="samples per step")
    learning_rate: PositiveFloat = Field(default=2e-3, lt=1.0, description="peak, of AdamW")
    weight_decay: float = Field(default=1e-4, ge=0.0, le=1.0)
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="learning rate over the run"
    )
    references: tuple[References, ...] = Field(
        default=(),
        description="also train: one network on all data in one place; each party alone",
    )
    device: str = Field(default="cpu", description="`cpu`, `cuda`, `cuda:0`, ...")

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if re.fullmatch(r"cpu|cuda(:\d+)?", device) is None:
            raise ValueError("must be `cpu`, `cuda`, or `cuda:` and a number")
        return device

"""Set random values, or whole channels, of each message to zero."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Generator, Tensor

from leakaudit.exchange.defense import Strength

from ._message_guard import MessageDefense
from ._randomness import keep_mask


class Dropout(MessageDefense):
    """Set random values or channels of each message to zero, in training and in use alike.

    What is kept is scaled up by 1 / (1 - rate). The mask is fresh for every release.

    Protects: nothing that can be claimed; an attacker who trains through it, or averages releases
    over epochs, undoes it.
    Source: Scheliga, Maeder, Seeland 2023, who show that attackers solve for the mask.
    """

    silence: ClassVar[str] = (
        "values set to zero are gone, by construction; the others are sent as they are"
    )
    strength: ClassVar[Strength | None] = Strength("rate", rising=True)

    rate: float = Field(gt=0, lt=1, description="share of values or channels set to zero")
    unit: Literal["element", "channel"] = Field(
        default="element", description="element: single values; channel: whole feature maps"
    )

    def change(self, message: Tensor, rng: Generator) -> Tensor:
        """The message with its mask applied."""
        keep = 1 - self.rate
        shape = tuple(message.shape)
        if self.unit == "channel":
            shape = shape[:2] + (1,) * (len(shape) - 2)
        return message * keep_mask(shape, keep, message, rng) / keep

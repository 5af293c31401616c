"""Defenses that change messages one at a time, and their guard."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site


class MessageDefense(Defense):
    """Base of defenses whose guard changes one message at a time, in chosen directions."""

    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    direction: Literal["forward", "backward", "both"] = Field(
        default="forward",
        description="forward: activations to the server; backward: gradients back to the party",
    )

    @property
    def directions(self) -> int:
        """How many directions it acts in."""
        return 2 if self.direction == "both" else 1

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The guard that changes what crosses at this site."""
        del rng
        return MessageGuard(self, self.acting_levels(site))

    def overlaps(self, other: Defense) -> bool:
        """Whether both can change the same message."""
        opposed = (
            isinstance(other, MessageDefense)
            and "both" not in (self.direction, other.direction)
            and self.direction != other.direction
        )
        return not opposed and super().overlaps(other)

    def void_because(self, before: Sequence[Defense], after: Sequence[Defense]) -> str | None:
        """Gradients pass the stack from its end to its start, so there `before` comes later."""
        later = {"forward": after, "backward": before, "both": (*before, *after)}[self.direction]
        earlier = {"forward": before, "backward": after, "both": ()}[self.direction]
        return super().void_because(earlier, later)

    @abstractmethod
    def change(self, message: Tensor, rng: Generator) -> Tensor:
        """The message as the receiver gets it.

        Args:
            message: (n, channels, *space); left as it is.
            rng: the only source of randomness.

        Returns:
            Same shape and dtype; gradients flow back to the sender through it.
        """


class MessageGuard(Guard):
    """Lets a defense change the messages of its levels, in its directions."""

    def __init__(self, defense: MessageDefense, levels: tuple[int, ...]) -> None:
        super().__init__()
        self._defense = defense
        self._levels = levels

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """An activation as it is sent."""
        return self._changed("forward", level, features, rng)

    def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        """A gradient as it is sent back."""
        return self._changed("backward", level, gradient, rng)

    def _changed(self, direction: str, level: int, message: Tensor, rng: Generator) -> Tensor:
        if level not in self._levels or self._defense.direction not in (direction, "both"):
            return message
        return self._defense.change(message, rng)

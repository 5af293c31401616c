"""What crosses between two parties, and the link it crosses on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from torch import Tensor


class Direction(StrEnum):
    """Forward messages are activations, backward messages gradients."""

    ACTIVATION = "activation"
    GRADIENT = "gradient"


class Cut(StrEnum):
    """Where the network is cut: after the encoders, or before a label holder's last layers."""

    ENCODER = "encoder"
    HEAD = "head"


@dataclass(frozen=True, order=True)
class Route:
    """One kind of message: who sends what to whom.

    Attributes:
        sender: party name or ``server``.
        receiver: party name or ``server``.
        direction: activation or gradient.
        cut: encoder (party to server and back) or head (server to label holder and back).
        level: number of the encoder's cut; 0 at the head.
        name: of the cut, where nobody but the sender knows it: in a job that trains elsewhere.
    """

    sender: str
    receiver: str
    direction: Direction
    cut: Cut
    level: int
    name: str = field(default="", compare=False)

    @property
    def party(self) -> str:
        """The end of the link that is not the server."""
        to_server = (self.direction is Direction.ACTIVATION) == (self.cut is Cut.ENCODER)
        return self.sender if to_server else self.receiver


@dataclass(frozen=True, eq=False)
class Message:
    """One tensor crossing between two parties.

    Attributes:
        route: who sends what to whom.
        tensor: (n, channels, *space), detached: no autograd graph crosses.
        samples: (n,) indices into the cohort. Indices travel, images do not.
        epoch: epoch of training, from 0.
        step: step within the epoch, from 0.
    """

    route: Route
    tensor: Tensor
    samples: Tensor
    epoch: int
    step: int


class Tap(Protocol):
    """Sees every message that crosses, as it crosses: after defenses."""

    def __call__(self, message: Message) -> None:
        """Look at one message; never change it."""


class Link:
    """Carries messages and shows each to its taps."""

    def __init__(self, taps: Sequence[Tap] = ()) -> None:
        self._taps = tuple(taps)

    def send(self, route: Route, tensor: Tensor, samples: Tensor, epoch: int, step: int) -> Tensor:
        """What the receiver gets: the same values, detached from the sender's graph."""
        message = Message(route, tensor.detach(), samples, epoch, step)
        for tap in self._taps:
            tap(message)
        return message.tensor

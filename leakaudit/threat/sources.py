"""Where a view takes what it shows from: recorded messages, rebuilt networks, own patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from leakaudit.exchange.message import Direction

Features = dict[int, Tensor]


@dataclass(frozen=True, eq=False)
class WeightUpdate:
    """One gradient step, or one round, as somebody sees it who is granted weight updates.

    Attributes:
        rows: positions within the view's samples that made up the batch, or the round.
        weights: encoder parameter name to its gradient; of a round, weights before minus after.
        cut: level to the gradient (batch, channels, *space) that came back at the cut; empty for a
            round, which has many.
    """

    rows: Tensor
    weights: Mapping[str, Tensor]
    cut: Features


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """The adversary's own patients; none of them is a victim.

    Attributes:
        images: party name to (n, modalities, *space) in [0, 1].
        masks: (n, regions, *space), 0 or 1.
        patients: (n,) number of the patient that owns each sample.
    """

    images: Mapping[str, Tensor]
    masks: Tensor
    patients: Tensor


@dataclass(frozen=True, eq=False)
class Candidates:
    """People the adversary could name, each by one sample that was not attacked.

    Their order says nothing: which of them is which patient is what an attack has to find.

    Attributes:
        images: party name to (c, modalities, *space) in [0, 1].
        masks: (c, regions, *space), 0 or 1; None where not granted.
    """

    images: Mapping[str, Tensor]
    masks: Tensor | None = None

    def mixed(self, rng: Generator) -> Candidates:
        """The same people in each other's places."""
        order = torch.randperm(len(next(iter(self.images.values()))), generator=rng)
        return Candidates(
            {name: each[order] for name, each in self.images.items()},
            None if self.masks is None else self.masks[order],
        )


class Exchange(Protocol):
    """What was recorded, in the order of the view's samples. A trace provides this."""

    @property
    def epochs(self) -> tuple[int, ...]:
        """Recorded epochs, rising."""

    @property
    def message_size(self) -> int:
        """Samples that cross in one message, at most."""

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        """(n, channels, *space) of one party's link."""

    def at_head(self, holder: str, direction: Direction, epoch: int) -> Tensor | None:
        """(n, channels, *grid) between the server and a label holder; None where not recorded."""

    def whole_messages(self, party: str, level: int, epoch: int) -> Sequence[tuple[Tensor, Tensor]]:
        """Activations as they crossed: (m,) rows of the view, -1 of others, and their tensor."""

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Recorded encoder updates of one party."""


@runtime_checkable
class Logged(Protocol):
    """A party's answers to queries as they were recorded: it can be asked nothing else."""

    def holds(self, images: Tensor) -> bool:
        """Whether it was asked about every one of these images."""


class Rebuilt(Protocol):
    """The networks as they were at a recorded epoch. A trace's snapshots provide this."""

    def party(self, name: str, epoch: int) -> Callable[[Tensor, Generator], Features]:
        """A party's encoder behind its guards: an ``nn.Module``, differentiable; or a `Logged`."""

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""

"""What one party sent in a training, and how it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class Crossed:
    """One whole message.

    Attributes:
        samples: (n,) whose rows they are.
        tensor: (n, channels, *space).
    """

    samples: Tensor
    tensor: Tensor


Ask = Callable[[Tensor, Generator], Mapping[int, Tensor]]
"""Images of one message in, what a party would send out: by level."""


@dataclass(frozen=True, eq=False)
class Link:
    """What one party sent, and how it can be asked.

    Attributes:
        party: who sends.
        epochs: that were recorded.
        levels: numbers of the cuts that cross, to their names.
        crossed: the whole messages of an epoch and level that hold any of some samples.
        asking: the party as it was at an epoch.
        message_size: samples that cross in one message, at most.
        images: (n, modalities, *space) by sample.
    """

    party: str
    epochs: tuple[int, ...]
    levels: Mapping[int, str]
    crossed: Callable[[int, int, Tensor], Sequence[Crossed]]
    asking: Callable[[int], Ask]
    message_size: int
    images: Tensor

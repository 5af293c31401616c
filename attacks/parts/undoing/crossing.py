"""Messages of one level, and which of their rows crossed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Ask = Callable[[Tensor], "Crossing"]
"""Images (n, modalities, *space) in; what is sent for them, as undone so far."""


@dataclass(frozen=True, eq=False)
class Crossing:
    """What crossed at one level, in double precision: codes hide what is small in what is large.

    Attributes:
        values: (n, channels, *grid), message after message.
        sizes: samples of each message.
    """

    values: Tensor
    sizes: tuple[int, ...]

    def of(self, values: Tensor) -> Crossing:
        """The same messages with other values."""
        return replace(self, values=values)

    @property
    def message_of(self) -> Tensor:
        """(n,) which message each row crossed in."""
        return torch.repeat_interleave(torch.arange(len(self.sizes)), torch.tensor(self.sizes))

    def summed(self, rows: Tensor) -> Tensor:
        """(n, ...) to each row the sum of the rows of its message."""
        which = self.message_of
        total = torch.zeros(len(self.sizes), *rows.shape[1:], dtype=rows.dtype)
        return total.index_add_(0, which, rows)[which]


Undo = Callable[[Crossing], Crossing]
"""A way to undo what a code did, fitted; as many rows come out as go in."""


class Undoing(Protocol):
    """A way to undo what a code may have done."""

    @property
    def name(self) -> str:
        """In words."""

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """From what was sent for auxiliary images.

        Args:
            sent: (n, channels, *grid).
            images: (n, modalities, *space) that it was sent for.
            ask: sends more.

        Raises:
            NotApplicableError: these messages are none that it could undo.
        """


class NotApplicableError(Exception):
    """Some messages are none that a way of undoing is for; the message says why."""


@dataclass(frozen=True)
class Plain:
    """Undoing that needs no fit.

    Attributes:
        name: in words.
        change: (n, channels, *grid) to the same samples.
    """

    name: str
    change: Callable[[Tensor], Tensor]

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """Nothing is learnt."""
        del images, ask
        self.change(sent.values)
        return lambda given: given.of(self.change(given.values))

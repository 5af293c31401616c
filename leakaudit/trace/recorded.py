"""The recorded messages of some samples, as a view wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from leakaudit.exchange.message import Cut, Direction, Route
from leakaudit.split.spec import SERVER
from leakaudit.threat.sources import WeightUpdate
from leakaudit.trace.foreign import in_space


class _Reader(Protocol):
    @property
    def epochs(self) -> tuple[int, ...]: ...

    @property
    def message_size(self) -> int: ...

    @property
    def routes(self) -> Sequence[Route]: ...

    def messages(self, route: Route, epoch: int, samples: Sequence[int]) -> Tensor: ...

    def whole_messages(
        self, route: Route, epoch: int, samples: Sequence[int]
    ) -> list[tuple[Tensor, Tensor]]: ...

    def updates(self, party: str, epoch: int, samples: Sequence[int]) -> list[WeightUpdate]: ...


class RecordedExchange:
    """A :class:`leakaudit.threat.sources.Exchange` over a trace.

    Args:
        reader: the trace.
        samples: cohort indices of the victims, in the order of the view.
        dimensions: axes of the images.
    """

    def __init__(self, reader: _Reader, samples: tuple[int, ...], dimensions: int) -> None:
        self._dimensions = dimensions
        self._reader = reader
        self._samples = samples

    @property
    def epochs(self) -> tuple[int, ...]:
        """Recorded epochs, rising."""
        return self._reader.epochs

    @property
    def message_size(self) -> int:
        """Samples that cross in one message, at most."""
        return self._reader.message_size

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        """(n, channels, *grid) of one party's link at the encoder cut."""
        ends = (party, SERVER) if direction is Direction.ACTIVATION else (SERVER, party)
        route = Route(*ends, direction, Cut.ENCODER, level)
        sent = self._reader.messages(route, epoch, self._samples)
        return sent.reshape(len(sent), *in_space(tuple(sent.shape[1:]), self._dimensions))

    def at_head(self, holder: str, direction: Direction, epoch: int) -> Tensor | None:
        """(n, channels, *grid) between the server and a label holder; None where not recorded."""
        ends = (SERVER, holder) if direction is Direction.ACTIVATION else (holder, SERVER)
        route = Route(*ends, direction, Cut.HEAD, 0)
        if route not in self._reader.routes:
            return None
        return self._reader.messages(route, epoch, self._samples)

    def whole_messages(self, party: str, level: int, epoch: int) -> Sequence[tuple[Tensor, Tensor]]:
        """Messages that hold any victim, whole: (m,) rows of the view, -1 of others, and tensor."""
        route = Route(party, SERVER, Direction.ACTIVATION, Cut.ENCODER, level)
        places = {sample: place for place, sample in enumerate(self._samples)}
        return [
            (torch.tensor([places.get(each, -1) for each in samples.tolist()]), sent.float())
            for samples, sent in self._reader.whole_messages(route, epoch, self._samples)
        ]

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Recorded encoder updates whose whole batch is among the victims."""
        return self._reader.updates(party, epoch, self._samples)

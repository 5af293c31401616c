"""The messages of a trace, epoch by epoch: where each stands, and its tensor."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.trace.description import LogEntry, RecordedRoute
from leakaudit.trace.files import CheckedFiles
from leakaudit.trace.places import Place, places_in


class HeldMessages:
    """Finds messages in their shards; each shard's names are read once.

    Args:
        files: of the trace.
        log: all its entries.
        routes: how many the description names.
    """

    def __init__(self, files: CheckedFiles, log: Sequence[LogEntry], routes: int) -> None:
        self._files, self._log, self._routes = files, log, routes
        self._places: dict[tuple[str, int], tuple[Place, ...]] = {}

    def entries(self, kind: str, epoch: int) -> list[LogEntry]:
        """The log's lines of one kind and epoch."""
        return [entry for entry in self._log if (entry.kind, entry.epoch) == (kind, epoch)]

    def places(self, epoch: int, kind: str = "messages") -> tuple[Place, ...]:
        """Every message of an epoch, in the order they crossed.

        Args:
            epoch: of training.
            kind: ``messages``, or ``queries``: what was sent for images only asked about.

        Raises:
            TraceError: a shard is damaged.
        """
        if (kind, epoch) not in self._places:
            self._places[kind, epoch] = tuple(
                place
                for entry in self.entries(kind, epoch)
                for place in places_in(self._files, entry, self._routes)
            )
        return self._places[kind, epoch]

    def tensors(
        self, places: Iterable[Place], wanted: Container[int] | None = None
    ) -> Iterator[tuple[Place, Tensor]]:
        """The tensors of some places, each shard opened once.

        Args:
            places: of messages.
            wanted: samples, any of which a message must hold; None: every message.
        """
        for entry, group in itertools.groupby(places, key=lambda place: place.entry):
            with self._files.opened(entry) as shard:
                for place in group:
                    if wanted is None or any(each in wanted for each in place.samples.tolist()):
                        yield place, shard.get_tensor(place.name)

    def steady(
        self, samples: Iterable[int], epochs: Iterable[int], routes: Iterable[int]
    ) -> tuple[int, ...]:
        """The samples that crossed on all of these routes in all of these epochs, in order."""
        crossed: dict[tuple[int, int], set[int]] = {
            (epoch, route): set() for epoch in epochs for route in routes
        }
        for epoch, _ in crossed:
            for place in self.places(epoch):
                if (epoch, place.route) in crossed:
                    crossed[epoch, place.route].update(place.samples.tolist())
        return tuple(each for each in samples if all(each in some for some in crossed.values()))

    def check_crossed(
        self, route: RecordedRoute, epoch: int, wanted: Sequence[int], places: Iterable[Place],
        *, once: bool,
    ) -> None:  # fmt: skip
        """Before anything is allocated: a shape that a stranger wrote down could be any size.

        Args:
            route: as described.
            epoch: of training.
            wanted: samples asked for.
            places: of all its messages in that epoch.
            once: whether none may cross several times, as a job may have it.

        Raises:
            TraceError: a sample did not cross, or the shards are too small to hold the messages.
        """
        crossed = Counter(sample for place in places for sample in place.samples.tolist())
        wrong = [each for each in wanted if not crossed[each] or (once and crossed[each] > 1)]
        if wrong:
            raise TraceError(
                f"each sample asked for must cross{' once' if once else ''} in epoch {epoch} "
                f"from {route.sender} to {route.receiver}",
                found=f"sample {wrong[0]} crossed {crossed[wrong[0]]} times ({len(wrong)} of "
                f"{len(wanted)} samples are not as they must be)",
                remedy="ask for samples that were trained on in this epoch",
            )
        size = getattr(torch, route.dtype).itemsize * math.prod(route.shape) * len(wanted)
        on_disk = sum(entry.bytes for entry in self.entries("messages", epoch))
        if size > on_disk:
            raise TraceError(
                "the messages of a route fit into the shards that hold them",
                found=f"{size} bytes of shape {route.shape} in {on_disk} bytes of shards",
                remedy="trace.json was edited or damaged; record the trace again",
            )

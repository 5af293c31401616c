"""Read a trace back: every shard is checked against its digest before its first tensor is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Message, Route
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.threat.sources import WeightUpdate
from leakaudit.trace.description import (
    TraceDescription,
    content_sha256,
    read_description,
    read_log,
)
from leakaudit.trace.epochs import check_sealed
from leakaudit.trace.files import CheckedFiles, damaged
from leakaudit.trace.foreign import recorded_split
from leakaudit.trace.held import HeldMessages
from leakaudit.trace.places import under, updates_in, widened
from leakaudit.trace.rebuilt import RebuiltNetworks
from leakaudit.trace.recorded import RecordedExchange
from leakaudit.trace.routes import route_of


class TraceReader:
    """A recorded training run.

    A trace of a run that was cut off opens as well: its epochs are those that were sealed.

    Args:
        folder: that a :class:`leakaudit.trace.writer.TraceWriter` wrote.

    Attributes:
        description: of the run.
        epochs: recorded epochs with everything of them on disk, rising.
        samples: cohort indices of the training samples, rising.
        patients: pseudonym of the patient that owns each of the samples.

    Raises:
        TraceError: no trace, of another schema version, damaged, or without a whole epoch.
    """

    def __init__(self, folder: Path, *, trusted: bool = False) -> None:
        self.folder, self._trusted = folder, trusted
        self.description: TraceDescription = read_description(folder)
        self._log = read_log(folder)
        traced = sorted(self.description.samples, key=lambda entry: entry.sample)
        self.samples = tuple(entry.sample for entry in traced)
        self.patients = tuple(entry.patient for entry in traced)
        self.epochs = tuple(sorted({e.epoch for e in self._log if e.kind == "epoch"}))
        self._routes = {
            route_of(each): number for number, each in enumerate(self.description.routes)
        }
        self._files = CheckedFiles(folder)
        self._held = HeldMessages(self._files, self._log, len(self.description.routes))
        check_sealed(self.description, self.epochs, folder)

    @property
    def complete(self) -> bool:
        """Whether the run ended."""
        return self.description.complete

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every kind of message seen, in the order of first crossing."""
        return tuple(self._routes)

    @property
    def message_size(self) -> int:
        """Samples that cross in one message, at most."""
        return max(len(place.samples) for place in self._held.places(self.epochs[-1]))

    @property
    def content_sha256(self) -> str:
        """One digest of everything recorded: the same run, the same digest."""
        return content_sha256(self.description, self._log)

    def verify(self) -> None:
        """Check every file now, not at first use.

        Raises:
            TraceError: a file is missing, cut short, or altered.
        """
        for entry in self._log:
            if entry.file is not None:
                self._files.check(entry)

    def messages(self, route: Route, epoch: int, samples: Sequence[int] | None = None) -> Tensor:
        """What crossed on a route in one epoch.

        Args:
            route: who sent what to whom.
            epoch: one of :attr:`epochs`.
            samples: cohort indices, in the order wanted; unset: all of :attr:`samples`.

        Returns:
            (n, channels, *space), one row per sample; half precision is widened to float32.

        Raises:
            TraceError: the route or epoch was not recorded; a sample did not cross; a shard is
                damaged.
        """
        number = self._number(route)
        self._require(epoch)
        wanted = self.samples if samples is None else tuple(samples)
        rows = {sample: row for row, sample in enumerate(wanted)}
        recorded = self.description.routes[number]
        places = [place for place in self._held.places(epoch) if place.route == number]
        self._held.check_crossed(recorded, epoch, wanted, places, once=self.can_be_rebuilt)
        result = torch.empty(len(wanted), *recorded.shape, dtype=getattr(torch, recorded.dtype))
        for place, tensor in self._held.tensors(places, rows):
            found = (tensor.dtype, *tensor.shape)
            if found != (result.dtype, len(place.samples), *recorded.shape):
                raise damaged(str(place.entry.file), f"{place.name} is {found}")
            # Of a sample that crossed several times, the last crossing stands.
            here = {
                sample: at for at, sample in enumerate(place.samples.tolist()) if sample in rows
            }
            result[[rows[sample] for sample in here]] = tensor[list(here.values())]
        return widened(result)

    def whole_messages(
        self, route: Route, epoch: int, samples: Sequence[int]
    ) -> list[tuple[Tensor, Tensor]]:
        """The messages that hold any of some samples, as they crossed: with all they hold.

        Args:
            route: who sent what to whom.
            epoch: one of :attr:`epochs`.
            samples: cohort indices.

        Returns:
            (n,) cohort indices and (n, channels, *space) of each message.

        Raises:
            TraceError: the route or epoch was not recorded; a shard is damaged.
        """
        number = self._number(route)
        self._require(epoch)
        places = [place for place in self._held.places(epoch) if place.route == number]
        found = self._held.tensors(places, set(samples))
        return [(place.samples, widened(each)) for place, each in found]

    def answers(self, party: str, epoch: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """What a party sent for images that it was only asked about, in the order it did.

        Args:
            party: who was asked.
            epoch: one of :attr:`epochs`.

        Yields:
            Level, (n,) cohort indices or ``BLANK``, and (n, channels, *space).
        """
        self._require(epoch)
        routes, every = self.routes, self._held.places(epoch, "queries")
        places = [place for place in every if routes[place.route].party == party]
        for place, tensor in self._held.tensors(places):
            yield routes[place.route].level, place.samples, widened(tensor)

    def rows(self, epoch: int) -> Iterator[tuple[Route, list[int]]]:
        """Whose rows every message of an epoch holds, in the order they crossed."""
        for place in self._held.places(epoch):
            yield self.routes[place.route], place.samples.tolist()

    @property
    def split(self) -> SplitSpec:
        """The split before defenses; of a job's own network, as far as it was recorded."""
        return recorded_split(self.description)

    @property
    def steady(self) -> tuple[int, ...]:
        """The samples that crossed to the server on every route in every epoch."""
        if self.can_be_rebuilt:
            return self.samples
        forward = [n for n, route in enumerate(self.routes) if route.receiver == SERVER]
        return self._held.steady(self.samples, self.epochs, forward)

    @property
    def asked(self) -> bool:
        """Whether the job was asked what it would send for images."""
        return any(entry.kind == "queries" for entry in self._log)

    def held_by(self, party: str) -> frozenset[int]:
        """The training samples that a party holds, as cohort indices; all in a vertical split."""
        return frozenset(
            entry.sample for entry in self.description.samples if entry.party in (None, party)
        )

    def updates(self, party: str, epoch: int, samples: Sequence[int]) -> list[WeightUpdate]:
        """Recorded encoder updates whose whole batch is among the samples asked for.

        Args:
            party: whose encoder.
            epoch: one of :attr:`epochs`.
            samples: cohort indices; rows of the result are positions among them.
        """
        self._require(epoch)
        number = self.description.split.party_names.index(party)
        rows = {sample: row for row, sample in enumerate(samples)}
        found = []
        for entry in self._held.entries("updates", epoch):
            for owner, batch, parts in updates_in(self._files, entry):
                if owner == number and all(each in rows for each in batch):
                    positions = torch.tensor([rows[each] for each in batch])
                    cut = {int(level): each for level, each in under("cut/", parts).items()}
                    found.append(WeightUpdate(positions, under("weights/", parts), cut))
        return found

    def exchange(self, samples: Sequence[int]) -> RecordedExchange:
        """The recorded messages of some samples, as a view wants them.

        Args:
            samples: cohort indices of the victims, in the order of the view.
        """
        unknown = [sample for sample in samples if sample not in set(self.samples)]
        if unknown:
            raise TraceError(
                "only training samples were recorded",
                found=f"sample {unknown[0]}",
                remedy="ask for samples listed in trace.json",
            )
        return RecordedExchange(self, tuple(samples), len(self.description.space))

    @property
    def can_be_rebuilt(self) -> bool:
        """Whether its networks can be run again; those of somebody's own model cannot."""
        return self.description.network == "split-u-net"

    def rebuilt(self, *, trainable: bool = False) -> RebuiltNetworks:
        """The networks as they were at the end of each recorded epoch.

        Args:
            trainable: leave gradients on for the weights; off, only inputs can be optimised.

        Raises:
            TraceError: the trace is of a model that trained elsewhere, or names one whose code
                nobody said may run.
        """
        model = self.description.split.model
        if not self.description.split.is_reference and not self._trusted:
            raise TraceError(
                "a trace makes nobody run the code that it names",
                found=f"model {model.use} {model.settings}",
                remedy="if you know that code, open the trace with trusted=True, or name the "
                "model in the configuration of `leakaudit attack`",
            )
        if not self.can_be_rebuilt:
            raise TraceError(
                "only a split that leakaudit built can be rebuilt from its snapshots",
                found="a trace of somebody's own model",
                remedy="mount attacks that need messages alone",
            )
        return RebuiltNetworks(self.description, self._weights, trainable=trainable)

    def replay(self, kind: str = "messages", epoch: int | None = None) -> Iterator[Message]:
        """Every recorded message in the order it crossed, unsealed epochs included.

        Args:
            kind: ``messages``, or ``queries``: answers, whose steps say which of several they are.
            epoch: of one epoch alone.
        """
        for each in dict.fromkeys(e.epoch for e in self._log if e.kind == kind):
            if epoch in (None, each):
                for place, tensor in self._held.tensors(self._held.places(each, kind)):
                    yield Message(self.routes[place.route], tensor, place.samples, each, place.step)

    def _weights(self, epoch: int) -> dict[str, Tensor]:
        self._require(epoch)
        return self._files.load(self._held.entries("snapshot", epoch)[0])

    def _require(self, epoch: int) -> None:
        if epoch not in self.epochs:
            raise TraceError(
                "only recorded epochs can be read",
                found=f"epoch {epoch}",
                remedy=f"recorded whole: {', '.join(map(str, self.epochs))}",
            )

    def _number(self, route: Route) -> int:
        if route not in self._routes:
            raise TraceError(
                "only routes that messages crossed can be read",
                found=f"{route.direction} from {route.sender} to {route.receiver}, "
                f"{route.cut} cut, {route.name or route.level}",
                remedy="see `routes` in trace.json",
            )
        return self._routes[route]


def replay(folder: Path) -> Iterator[Message]:
    """Every recorded message in the order it crossed: runs a tap over a trace."""
    return TraceReader(folder).replay()

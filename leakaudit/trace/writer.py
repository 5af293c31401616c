"""Record a training run as it happens: bounded memory, whole shards, readable after a kill."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from torch import Tensor, nn

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Message, Route
from leakaudit.split.spec import OWN, SERVER
from leakaudit.trace.background import Background
from leakaudit.trace.description import TraceDescription, write_description
from leakaudit.trace.folder import prepare, unwritable
from leakaudit.trace.refusals import check_epoch, check_message
from leakaudit.trace.routes import as_before, recorded_route
from leakaudit.trace.shard import SHARD_BYTES, Shard, widest_first


class TraceWriter:
    """A tap that records what crosses into a folder.

    The caller's order per recorded epoch: messages, :meth:`update`, then :meth:`snapshot`, which
    seals it. Messages of other epochs are passed over. At most three shards are in memory: one
    being filled, one waiting, one being hashed and written by a thread of its own.

    Args:
        folder: made where absent.
        description: of the run; routes are filled in as they are seen.
        restart: throw away what an interrupted run left in the folder.
        sync: wait for the disk after each shard: survives a power cut, not only a kill.
        shard_bytes: bound of a shard; a single message above it gets a shard of its own.

    Raises:
        TraceError: the folder already holds a trace.
        EnvironmentProblemError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        description: TraceDescription,
        *,
        restart: bool = False,
        sync: bool = False,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self._folder = folder
        self._description = description
        self._shard_bytes = shard_bytes
        self._routes: dict[Route, int] = {}
        self._described = True
        self._recorded = frozenset(description.epochs_recorded)
        self._known = frozenset(entry.sample for entry in description.samples)
        self._crossed: dict[str, dict[int, tuple[int, ...]]] = {}
        self._sealed: set[int] = set()
        self._files: dict[tuple[str, int], int] = {}
        self._counts: dict[tuple[str, int], int] = {}
        self._open: Shard | None = None
        self._opened: tuple[str, int] = ("", -1)
        self._closed = False
        try:
            prepare(folder, description, restart=restart)
            self._background = Background(folder, sync=sync)
        except OSError as problem:
            raise unwritable(folder, problem) from None

    def records(self, epoch: int) -> bool:
        """Whether that epoch is one of those to record."""
        return epoch in self._recorded

    def __call__(self, message: Message) -> None:
        """Record one message: it is held until its shard is written, and not copied.

        That a tensor was changed in place after it was sent is found out and refused.

        Raises:
            TraceError: its epoch is sealed; shape, type or samples are refused; an earlier
                message was changed in place.
            EnvironmentProblemError: the disk refused an earlier shard.
        """
        self._keep("messages", message)

    def answer(self, message: Message) -> None:
        """Record what a job sent for images that it was only asked about.

        Args:
            message: as any other; its samples may be of any group, or ``BLANK``, and its step tells
                which of several answers about the same images it is.

        Raises:
            TraceError, EnvironmentProblemError: as for other messages.
        """
        self._keep("queries", message)

    def update(
        self,
        epoch: int,
        party: str,
        samples: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        """Record an encoder's weight gradient on a probe batch, or its change over a round.

        Args:
            epoch: a recorded epoch that is not sealed yet; others are passed over.
            party: whose encoder.
            samples: (batch,) indices into the cohort.
            weights: encoder parameter name to its gradient; over a round, before minus after.
            cut: level to the gradient (batch, channels, *space) that came back at the cut; empty
                for a round.
        """
        if epoch not in self._recorded:
            return
        self._check_open(epoch)
        number = self._description.split.party_names.index(party)
        name = f"{self._next('updates', epoch):08d}/{number:03d}"
        gradients = {f"{name}/weights/{parameter}": each for parameter, each in weights.items()}
        gradients |= {f"{name}/cut/{level}": each for level, each in cut.items()}
        shard = self._room("updates", epoch, gradients.values())
        shard.add_indices(f"{name}/samples", samples)
        for key, gradient in widest_first(gradients):
            shard.add(key, gradient.clone())

    def snapshot(self, epoch: int, network: nn.Module) -> None:
        """Store all weights and keys of a network, and seal the epoch.

        Args:
            epoch: a recorded epoch; others are passed over.
            network: usually :class:`leakaudit.exchange.endpoint.Network`, as after the epoch.
        """
        if epoch not in self._recorded:
            return
        self._check_open(epoch)
        self._flush()
        state = network.state_dict()
        shard = self._room("snapshot", epoch, state.values())
        for name, tensor in widest_first(state):
            shard.add(name, tensor.clone())
        self.finish_epoch(epoch)

    def finish_epoch(self, epoch: int) -> None:
        """Seal an epoch without a snapshot: for models that are not rebuilt from the trace.

        Raises:
            TraceError: of a job, a site sent nothing in it, or other samples than another site.
        """
        if epoch not in self._recorded:
            return
        self._check_open(epoch)
        given = self._description
        if given.split.model.use == OWN:
            names = given.split.party_names if given.recorded_at is None else given.recorded_at
            check_epoch(epoch, self._crossed, names, aligned=given.split.orientation == "vertical")
        self._crossed = {}
        self._flush()
        self._sealed.add(epoch)
        self._put("epoch", epoch, None)

    def close(self) -> None:
        """Write what is left and mark the trace complete.

        Raises:
            EnvironmentProblemError: the disk refused a shard.
            TraceError: a recorded epoch was never sealed.
        """
        if self._closed:
            return
        try:
            self._flush()
        finally:
            self._stop()
        self._background.raise_failure()
        missing = sorted(self._recorded - self._sealed)
        if missing:
            raise TraceError(
                "every epoch to record must end with a snapshot before the trace is closed",
                found=f"epoch {missing[0]} has none",
                remedy="call snapshot(epoch, network) at the end of each recorded epoch",
            )
        self.note(complete=True)

    def abandon(self, stopped: str = "") -> None:
        """Stop without marking the trace complete; what was written stays readable.

        Args:
            stopped: why, for the description.
        """
        if not self._closed:
            self._stop()
        if stopped:
            self.note(stopped=stopped)

    def note(self, **changes: object) -> None:
        """Write more into the description: ``stopped``, ``counts`` or ``training``."""
        self._description = self._description.model_copy(update=changes)
        write_description(self._folder, self._description)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _keep(self, kind: str, message: Message) -> None:
        if message.epoch not in self._recorded:
            return
        self._check_open(message.epoch)
        check_message(message, self._description, self._known, asked=kind == "queries")
        route = self._route(message)
        message = as_before(message, self._description.routes[route])
        self._see(kind, message)
        shard = self._room(kind, message.epoch, (message.tensor,))
        name = f"{self._next(kind, message.epoch):08d}/{message.step:06d}/{route:03d}"
        shard.add_indices(f"{name}/samples", message.samples)
        shard.add(f"{name}/tensor", message.tensor)

    def _see(self, kind: str, message: Message) -> None:
        """Which samples a party sent in a step, to hold the sites against each other."""
        route = message.route
        if kind == "messages" and route.receiver == SERVER:
            steps = self._crossed.setdefault(route.sender, {})
            steps[message.step] = tuple(message.samples.tolist())

    def _route(self, message: Message) -> int:
        route = message.route
        if route not in self._routes:
            seen = recorded_route(route, self._description.split, message.tensor)
            self._routes[route] = len(self._routes)
            self._description = self._description.model_copy(
                update={"routes": (*self._description.routes, seen)}
            )
            self._described = False
        return self._routes[route]

    def _room(self, kind: str, epoch: int, tensors: Collection[Tensor]) -> Shard:
        """The open shard if these tensors belong and fit into it, else a new one."""
        if self._open is not None:
            if self._opened == (kind, epoch) and self._open.fits(tensors, self._shard_bytes):
                return self._open
            self._flush()
        number = self._files.get((kind, epoch), 0)
        self._files[kind, epoch] = number + 1
        file = f"epoch-{epoch:05d}-{kind}-{number:05d}.safetensors"
        self._open = Shard(file, {"kind": kind, "epoch": str(epoch)})
        self._opened = (kind, epoch)
        return self._open

    def _next(self, kind: str, epoch: int) -> int:
        order = self._counts.get((kind, epoch), 0)
        self._counts[kind, epoch] = order + 1
        return order

    def _flush(self) -> None:
        if self._open is not None:
            self._put(*self._opened, self._open)
            self._open = None

    def _put(self, kind: str, epoch: int, shard: Shard | None) -> None:
        # New routes are described before the first shard that uses them can appear.
        if not self._described:
            write_description(self._folder, self._description)
            self._described = True
        self._background.put(kind, epoch, shard)

    def _check_open(self, epoch: int) -> None:
        self._background.raise_failure()
        if self._closed or epoch in self._sealed:
            raise TraceError(
                "an epoch takes no more once its snapshot is stored",
                found=f"epoch {epoch}",
                remedy="call update before snapshot, and snapshot after the epoch's last step",
            )

    def _stop(self) -> None:
        self._closed = True
        self._background.stop()

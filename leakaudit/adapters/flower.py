"""Flower: record at the server, around the Grid that carries every message, or at each client.

The Grid in the ServerApp sees what all sites send, after whatever mods they have, and what goes
back to them. A client's message runs in a process of its own that is gone afterwards, so a client's
mod keeps each message as a file, which `leakaudit merge` gathers. Flower 1.42 is known to work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leakaudit.errors import ConfigurationError, LeakauditError
from leakaudit.exchange.taps import Crossing
from leakaudit.recording import Job, Recorder, read_sheet
from leakaudit.recording.spool import Spool

Names = Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """How a job lays out its messages.

    Attributes:
        party: entry of a ConfigRecord that names the site; node ids do not.
        keys: entry with what the job calls the rows.
        epoch: entry with the epoch of training.
        step: entry with the step within it.
        draw: entry with the number of an answer, where the site was asked; absent: it trains.
        activations: names of arrays that a site sends, and their levels.
        gradients: names of arrays that go back to it, and their levels.
        shapes: level to (channels, *grid), where arrays are flattened.
    """

    party: str = "party"
    keys: str = "keys"
    epoch: str = "epoch"
    step: str = "step"
    draw: str = "draw"
    activations: Names = field(default_factory=lambda: {"features": 0})
    gradients: Names = field(default_factory=lambda: {"gradient": 0})
    shapes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


class RecordingGrid:
    """A Grid that shows what passes to a recorder; all else is the framework's own.

    A reply that does not say whose rows it holds is of those that its site was last sent a message
    about. Messages without arrays of these names pass unseen.

    Args:
        grid: the ServerApp's.
        recorder: to show messages to.
        layout: of the job's messages.
        sites: node id to the name of the site, where messages do not say it.
    """

    def __init__(
        self,
        grid: Any,
        recorder: Recorder,
        layout: Layout | None = None,
        sites: Callable[[int], str] | None = None,
    ) -> None:
        self._grid, self._recorder, self._sites = grid, recorder, sites
        self._layout = layout or Layout()
        self._told: dict[int, dict[str, Any]] = {}
        self._named: dict[int, str] = {}

    def push_messages(self, messages: Iterable[Any]) -> Any:
        """Send, after a look."""
        return self._grid.push_messages(self._sent(messages))

    def pull_messages(self, message_ids: Iterable[str]) -> Any:
        """Receive, with a look."""
        return self._received(self._grid.pull_messages(message_ids))

    def send_and_receive(self, messages: Iterable[Any], *, timeout: float | None = None) -> Any:
        """Both."""
        sent = self._sent(messages)
        return self._received(self._grid.send_and_receive(sent, timeout=timeout))

    def __getattr__(self, name: str) -> Any:
        """Whatever else a Grid can do."""
        return getattr(self._grid, name)

    def _sent(self, messages: Iterable[Any]) -> list[Any]:
        listed = list(messages)
        for message in listed:
            node = int(message.metadata.dst_node_id)
            self._told[node] = _entries(message)
            self._look(message, node, gradient=True)
        return listed

    def _received(self, messages: Iterable[Any]) -> list[Any]:
        listed = list(messages)
        for message in listed:
            if message.has_content():
                self._look(message, int(message.metadata.src_node_id), gradient=False)
        return listed

    def _look(self, message: Any, node: int, *, gradient: bool) -> None:
        layout = self._layout
        tensors = _tensors(message, layout.gradients if gradient else layout.activations)
        if not tensors or self._recorder.failure is not None:
            return
        told = self._told.get(node, {}) | _entries(message)
        if self._sites is not None:
            told[layout.party] = self._sites(node)
        elif layout.party in told:
            self._named[node] = str(told[layout.party])
        elif node in self._named:  # as its last reply said
            told[layout.party] = self._named[node]
        _keep(self._recorder, layout, tensors, told, gradient=gradient)


class RecordingMod:
    """A client's mod that keeps what its site sends and gets, and changes nothing.

    `ClientApp(mods=[RecordingMod(...), ...])`: the first mod is the outermost, and sees what leaves
    the site after all others; as the last it sees what the app itself gave, before them. Gradients
    it sees as they came.

    Args:
        folder: where this site's messages are kept, until `leakaudit merge` gathers them.
        sheet: path of the sample sheet.
        job: says who takes part.
        layout: of the job's messages.
        site: names the site of a client's context, where messages do not.
    """

    def __init__(
        self,
        folder: Path | str,
        sheet: Path | str,
        job: Job,
        layout: Layout | None = None,
        site: Callable[[Any], str] | None = None,
    ) -> None:
        self._folder, self._sheet, self._job = Path(folder), Path(sheet), job
        self._layout, self._site = layout or Layout(), site
        self._failed = False

    def __call__(self, message: Any, context: Any, call_next: Callable[[Any, Any], Any]) -> Any:
        """Pass a message on, and look at it and its reply."""
        # Before the app may change them in place.
        came, told = _tensors(message, self._layout.gradients), _entries(message)
        reply = call_next(message, context)
        left = _tensors(reply, self._layout.activations)
        if (came or left) and not self._failed:
            told |= _entries(reply)
            if self._site is not None:
                told[self._layout.party] = self._site(context)
            self._show(came, left, told)
        return reply

    def _show(
        self, came: Mapping[str, Tensor], left: Mapping[str, Tensor], told: Mapping[str, Any]
    ) -> None:
        # Made where the client runs: the app that holds this mod travels there.
        try:
            spool = Spool(self._folder, read_sheet(self._sheet), self._job)
            for tensors, gradient in ((left, False), (came, True)):
                if tensors and spool.failure is None:
                    _keep(spool, self._layout, tensors, told, gradient=gradient)
        except (LeakauditError, OSError, ValueError, TypeError) as problem:
            self._failed = True
            warnings.warn(f"recording stopped, the job goes on: {problem}", stacklevel=3)
        else:
            self._failed = spool.failure is not None


def _keep(
    keeper: Recorder | Spool, layout: Layout, tensors: Mapping[str, Tensor],
    told: Mapping[str, Any], *, gradient: bool,
) -> None:  # fmt: skip
    lacking = [n for n in (layout.party, layout.keys, layout.epoch, layout.step) if n not in told]
    if lacking:
        keeper.fail(
            ConfigurationError(
                "a message must say whose features it holds",
                found=f"no entry {lacking[0]!r} in its ConfigRecords",
                remedy="put it there, or name the job's own entry in Layout(...)",
            )
        )
        return
    wanted = layout.gradients if gradient else layout.activations
    party, draw = str(told[layout.party]), told.get(layout.draw)
    # A cut is called as the array that a site sends of it, in both directions.
    called = {level: name for name, level in layout.activations.items()}
    keeper.keep(
        {
            Crossing(
                party, wanted[name], layout.shapes.get(wanted[name]), called.get(wanted[name], "")
            ): tensor
            for name, tensor in tensors.items()
        },
        told[layout.keys],
        epoch=int(told[layout.epoch]),
        step=int(told[layout.step]),
        draw=None if draw is None or int(draw) < 0 else int(draw),
        gradient=gradient,
    )


def _entries(message: Any) -> dict[str, Any]:
    if not message.has_content():
        return {}
    return {
        name: value
        for record in message.content.config_records.values()
        for name, value in record.items()
    }


def _tensors(message: Any, wanted: Names) -> dict[str, Tensor]:
    """Copies of the arrays of these names."""
    if not message.has_content():
        return {}
    return {
        name: torch.from_numpy(array.numpy().copy())
        for record in message.content.array_records.values()
        for name, array in record.items()
        if name in wanted
    }


__all__ = ["Layout", "RecordingGrid", "RecordingMod"]

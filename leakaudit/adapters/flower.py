"""Flower: record at the server, around the Grid that carries every message.

A client's message runs in a process of its own that is gone afterwards and rebuilds its network:
nothing at a client can keep a recording open. The Grid in the ServerApp sees what all sites send,
after whatever mods they have, and what goes back to them. Flower 1.42 is known to work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.taps import Crossing
from leakaudit.recording import Recorder

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
        wanted = layout.gradients if gradient else layout.activations
        arrays = {
            name: array
            for record in message.content.array_records.values()
            for name, array in record.items()
            if name in wanted
        }
        if not arrays or self._recorder.failure is not None:
            return
        told = self._told.get(node, {}) | _entries(message)
        if self._sites is not None:
            told[layout.party] = self._sites(node)
        elif layout.party in told:
            self._named[node] = str(told[layout.party])
        elif node in self._named:  # as its last reply said
            told[layout.party] = self._named[node]
        lacking = [n for n in (layout.party, layout.keys, layout.epoch, layout.step)
                   if n not in told]  # fmt: skip
        if lacking:
            self._recorder.fail(
                ConfigurationError(
                    "a message must say whose features it holds",
                    found=f"no entry {lacking[0]!r} in its ConfigRecords",
                    remedy="put it there, or name the job's own entry in Layout(...)",
                )
            )
            return
        party = str(told[layout.party])
        draw = told.get(layout.draw)
        self._recorder.keep(
            {
                Crossing(party, wanted[name], layout.shapes.get(wanted[name])): _tensor(array)
                for name, array in arrays.items()
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


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(array.numpy().copy())


__all__ = ["Layout", "RecordingGrid"]

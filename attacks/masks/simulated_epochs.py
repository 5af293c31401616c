"""The exchange as an adversary at a party can play it, beside what it saw of the real one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.view import View

from ..simulation.exchange import SimulatedExchange, own_patients
from ..simulation.server_tail import moments, normalised
from .reader import ReaderInputs, SimulatedSamples

_HELD_OUT = 8  # every eighth auxiliary patient is kept to stop by
_MOST_HELD_OUT = 16  # samples; they are matched beside the victims


class SimulatedEpochs:
    """Simulated exchanges of some recorded epochs, all on the same patients.

    A sample's mask is the same in every epoch, and the network's error about it is not: early
    epochs show all of a lesion, late ones its border. They are read together.

    Args:
        view: of a party or a coalition of parties.
        releases: recorded epochs to use, at most; the last is always among them.
        steps: optimiser steps spent on the stand-ins of each epoch.
        batch_size: samples per step.
        rng: everything random about it.

    Raises:
        NotMountableError: the split is horizontal; a member's own encoder or the server is not
            to be had.
        AttackInvalidError: what came back is not finite.

    Attributes:
        epochs: which were chosen, rising.
        level: the shallowest that crosses, whose gradients are read.
    """

    def __init__(
        self, view: View, releases: int, steps: int, batch_size: int, rng: Generator
    ) -> None:
        if view.split.orientation == "horizontal":
            raise NotMountableError(
                "masks are read from gradients at features of the victims: a vertical split",
                found="horizontal split, where a party is only sent gradients of its own patients",
            )
        self._view, self._rng = view, rng
        self.level = view.split.crossing[0]
        self.epochs = _spread(view.epochs, releases)
        self._known = own_patients(view)
        self._every = torch.arange(len(self._known.masks))
        self._exchanges = [
            SimulatedExchange(view, self._known, epoch, steps, batch_size, rng)
            for epoch in self.epochs
        ]
        self._seen = [
            [_finite(view.gradients(name, self.level, epoch)) for name in view.members]
            for epoch in self.epochs
        ]
        played = [each.sent_back(self._every, self._known.masks) for each in self._exchanges]
        self._sizes = [
            exchange.batch_size(back, seen)
            for exchange, back, seen in zip(self._exchanges, played, self._seen, strict=True)
        ]
        self._played = self._defended(played)
        last = self._exchanges[-1]
        self.tail = last.tail
        self.moments = tuple(each.mean(0, keepdim=True) for each in moments(last.states))

    def parts(self) -> tuple[Tensor, Tensor]:
        """Rows to learn from and rows to stop by; no patient in both, unless there is one."""
        patients = self._known.patients
        owners = torch.unique(patients)
        if len(owners) < 2:
            return self._every, self._every[:_MOST_HELD_OUT]
        held = torch.isin(patients, owners[::_HELD_OUT])
        as_they_are = self._every < len(self._view.auxiliary_patients)
        return (~held).nonzero()[:, 0], (held & as_they_are).nonzero()[:, 0][:_MOST_HELD_OUT]

    def samples(self, rows: Tensor) -> SimulatedSamples:
        """What would be seen of these samples, and what a reader should make of it."""
        return SimulatedSamples(
            self._inputs(rows, [[each[rows] for each in one] for one in self._played]),
            self._known.masks[rows],
            normalised(self._exchanges[-1].states[rows]),
        )

    def test(self, rows: Tensor) -> tuple[ReaderInputs, list[Tensor], Tensor]:
        """Samples not learned from, as if victims: what is seen, last gradients, masks."""
        back = [[each[rows] for each in one] for one in self._played]
        return self._inputs(rows, back), back[-1], self._known.masks[rows]

    def victims(self) -> tuple[ReaderInputs, list[Tensor]]:
        """What was seen of the attacked samples, and what came back to each member last."""
        view, last = self._view, self.epochs[-1]
        sent = [view.own_activations(name, self.level, last) for name in view.members]
        images = torch.cat([view.own_images(name) for name in view.members], 1)
        return ReaderInputs(self._undone(self._seen), torch.cat(sent, 1), images), self._seen[-1]

    def _inputs(self, rows: Tensor, back: Sequence[Sequence[Tensor]]) -> ReaderInputs:
        features = [each[rows] for each in self._exchanges[-1].features.values()]
        images = self._known.of(self._view.members)[rows]
        return ReaderInputs(self._undone(back), torch.cat(features, 1), images)

    def _undone(self, back: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
        return tuple(
            exchange.tail.undone(_unit(each))
            for exchange, each in zip(self._exchanges, back, strict=True)
        )

    def _defended(self, played: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
        return [
            exchange.defended(back, size)
            for exchange, back, size in zip(self._exchanges, played, self._sizes, strict=True)
        ]


def _spread(epochs: tuple[int, ...], count: int) -> tuple[int, ...]:
    """At most so many of them, evenly, the last among them."""
    count = min(count, len(epochs))
    places = torch.linspace(0, len(epochs) - 1, count) if count > 1 else torch.tensor([-1.0])
    return tuple(epochs[round(place)] for place in places.tolist())


def _finite(gradients: Tensor) -> Tensor:
    if not bool(torch.isfinite(gradients).all()):
        raise AttackInvalidError(
            "gradients that are to be matched must be finite",
            found="infinite or undefined values in what came back",
            remedy="lower the learning rate of the training, or attack an earlier epoch",
        )
    return gradients


def _unit(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Every sample's largest value one: what is far below it would not survive single precision."""
    largest = torch.stack([each.flatten(1).abs().amax(1) for each in gradients]).amax(0)
    scale = torch.where(largest > 0, largest, 1.0)
    return [each / scale.reshape(-1, *(1,) * (each.ndim - 1)) for each in gradients]

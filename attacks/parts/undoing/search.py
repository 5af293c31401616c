"""Look for what undoes a code: rehearsed on queries, judged on auxiliary patients left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.errors import LeakauditError

from ..epochs import pooled
from ..normal_equations import neighbourhoods
from ..whole import share_told_by_whole
from .alignment import ALIGNMENTS
from .crossing import Ask, Crossing, NotApplicableError, Undo, Undoing
from .invariants import INVARIANTS
from .keys import KEYS
from .places import PLACES
from .together import TOGETHER

UNDOINGS: tuple[Undoing, ...] = (*TOGETHER, *KEYS, *ALIGNMENTS, *INVARIANTS)
SLOW: tuple[Undoing, ...] = PLACES

_WORTH = 0.05  # of the images' variance, which undoing must tell more
_STEP = 0.02  # which a further step must tell more
_WIDTH = 2  # how many chains go on
_DEEP = 2
_POSITIONS = 64  # per sample
_MOST_CHANNELS = 24  # whose neighbours enter as well
_PENALTY = 1e-2
# Told by the neighbourhoods of messages as sent: decoders read these, no code is looked for.
_READ = 0.6
# What tells nothing by itself may be what makes something else tell.
_OPENING = {
    "logarithms": ("channels whitened", "differences of samples in a message"),
    "scale of channels taken out": ("channels of a sample turned to the typical",
                                    "shifted to the typical", "mirrored and turned to the typical"),
    "scale of samples taken out": ("channels of a message turned to the typical",),
    "channels whitened": ("channels of a sample turned to the typical",
                          "signs of channels turned to the typical", "shifted to the typical"),
    "differences of samples in a message": ("channels of a message turned to the typical",
                                            "signs of channels turned to the typical"),
}  # fmt: skip
# Whatever a step cannot do to these messages: it is named and skipped, and the rest goes on.
SKIPPED = (NotApplicableError, LeakauditError, RuntimeError, ValueError, IndexError)


@dataclass(frozen=True, eq=False)
class Tried:
    """One chain of undoing.

    Attributes:
        steps: in order; empty: messages as they were sent.
        told: share of the images' variance that a closed-form reader tells of unseen patients.
        problem: why it was skipped; empty: it was not.
    """

    steps: tuple[Undoing, ...]
    told: float
    problem: str = ""

    @property
    def name(self) -> str:
        """In words."""
        return ", then ".join(each.name for each in self.steps) or "as sent"


@dataclass(frozen=True, eq=False)
class Chain:
    """Several ways of undoing, one after another, fitted."""

    steps: tuple[Undo, ...]

    def __call__(self, sent: Crossing) -> Crossing:
        """As many rows as given."""
        for step in self.steps:
            sent = step(sent)
        return sent


def fitted(steps: Sequence[Undoing], sent: Crossing, images: Tensor, ask: Ask) -> Chain:
    """A chain, each step fitted on what the ones before make of the messages.

    Args:
        steps: in order.
        sent: for the images.
        images: (n, modalities, *space), auxiliary.
        ask: sends more, nothing undone.
    """
    done: list[Undo] = []
    for step in steps:
        before = Chain(tuple(done))

        def asked(more: Tensor, before: Chain = before) -> Crossing:
            return before(ask(more))

        undo = step.fit(sent, images, asked)
        sent = undo(sent)
        done.append(undo)
    return Chain(tuple(done))


def search(
    sent: Crossing, images: Tensor, folds: Sequence[Tensor], ask: Ask,
    further: Sequence[Undoing] = (), shortlist: Sequence[tuple[Undoing, ...]] = (),
) -> list[Tried]:  # fmt: skip
    """Every chain that was tried, the best first.

    Each way of undoing is tried, those that surely tell more are gone on from, and so are a few
    pairs of which neither tells anything alone. Where each position of the messages as they were
    sent tells of the image there, nothing is tried; where a chain on the shortlist tells more,
    nothing else is.

    Args:
        sent: for the images, with the defense's randomness.
        images: (n, modalities, *space), auxiliary.
        folds: rows of each fold; no patient in two.
        ask: sends more.
        further: ways of undoing beside :data:`UNDOINGS`.
        shortlist: chains that undid other levels or victims.
    """
    looking = _Looking(images, folds, ask)
    plain = looking.at((), _Made(Chain(()), sent))
    nearby = _told_nearby(sent.values.float(), images, folds)
    if nearby >= _READ:
        return looking.tried
    # Where whole messages tell what no neighbourhood does, something was moved about in space.
    scattered = plain.tried.told > nearby + _WORTH
    every = (*further, *UNDOINGS, *(SLOW if scattered else ()))
    for steps in shortlist:
        looking.along(steps, plain)
    known = any(each.told > plain.tried.told + _WORTH for each in looking.tried)
    frontier = [plain]
    for depth in range(0 if known else _DEEP):
        grown = []
        for start in frontier:
            for step in every if depth == 0 else (*further, *UNDOINGS):
                longer = looking.further(start, step)
                if longer is None:
                    continue
                if longer.tried.told > start.tried.told + (_WORTH if depth == 0 else _STEP):
                    grown.append(longer)
                if depth == 0:
                    seconds = _OPENING.get(step.name, ())
                    pairs = (looking.further(longer, each) for each in every
                             if each.name in seconds)  # fmt: skip
                    grown += [
                        pair for pair in pairs
                        if pair is not None and pair.tried.told > plain.tried.told + _STEP
                    ]  # fmt: skip
        frontier = sorted(grown, key=lambda each: -each.tried.told)[:_WIDTH]
    return sorted(looking.tried, key=lambda each: -each.told)


@dataclass(frozen=True, eq=False)
class _Made:
    chain: Chain
    sent: Crossing


@dataclass(frozen=True, eq=False)
class _Place:
    tried: Tried
    made: _Made


class _Looking:
    """What was tried so far.

    Args:
        images: (n, modalities, *space), auxiliary.
        folds: rows of each fold.
        ask: sends more.
    """

    def __init__(self, images: Tensor, folds: Sequence[Tensor], ask: Ask) -> None:
        self._images, self._folds, self._ask = images, folds, ask
        self.tried: list[Tried] = []

    def at(self, steps: tuple[Undoing, ...], made: _Made) -> _Place:
        """What is told of messages as they are by now."""
        found = Tried(steps, _told(made.sent, self._images, self._folds))
        self.tried.append(found)
        return _Place(found, made)

    def further(self, start: _Place, step: Undoing) -> _Place | None:
        """One more step; None where it is nothing for these messages."""
        if step in start.tried.steps:
            return None
        steps, before = (*start.tried.steps, step), start.made.chain
        try:
            undo = step.fit(start.made.sent, self._images, lambda more: before(self._ask(more)))
            return self.at(steps, _Made(Chain((*before.steps, undo)), undo(start.made.sent)))
        except SKIPPED as problem:
            self.tried.append(Tried(steps, 0.0, str(problem).partition("\n")[0]))
            return None

    def along(self, steps: Sequence[Undoing], start: _Place) -> None:
        """All of these steps, one after another."""
        place: _Place | None = start
        for step in steps:
            place = None if place is None else self.further(place, step)


def best(tried: Sequence[Tried]) -> Tried:
    """The chain that tells most, if that is surely more than messages as sent; else these.

    Of those that tell next to as much, the shortest.
    """
    plain = next(each for each in tried if not each.steps)
    most = max(each.told for each in tried)
    if most <= plain.told + _WORTH:
        return plain
    near = [each for each in tried if each.told >= most - _STEP]
    return min(near, key=lambda each: (len(each.steps), -each.told))


def _told(sent: Crossing, images: Tensor, folds: Sequence[Tensor]) -> float:
    """What is told of unseen patients, around each position or by whole messages."""
    values = sent.values.float()
    if len(values) != len(images) or not bool(torch.isfinite(values).all()):
        raise NotApplicableError("what it makes of messages cannot be computed with")
    return max(_told_nearby(values, images, folds), share_told_by_whole(values, images, folds))


def _told_nearby(values: Tensor, images: Tensor, folds: Sequence[Tensor]) -> float:
    """Share of the images' variance, at the level's resolution, that neighbourhoods tell."""
    values = values - values.mean(0)
    values = values / values.flatten(2).square().mean((0, 2)).sqrt().clamp_min(1e-30).reshape(
        1, -1, *(1,) * (values.ndim - 2)
    )
    wanted = pooled(images - images.mean(0), values.shape[2:]).flatten(2)
    own = torch.Generator().manual_seed(0)
    where = torch.randperm(wanted.shape[2], generator=own)[:_POSITIONS]
    side = 3 if values.shape[1] <= _MOST_CHANNELS else 1
    inputs = neighbourhoods(values, side, where).double().unflatten(0, (len(images), -1))
    outputs = wanted[:, :, where].movedim(1, 2).double()
    parts = [(inputs[fold].flatten(0, 1), outputs[fold].flatten(0, 1)) for fold in folds]
    grams = torch.stack([rows.T @ rows for rows, _ in parts])
    moments = torch.stack([rows.T @ out for rows, out in parts])
    size = _PENALTY * grams.sum(0).diagonal().mean().clamp_min(1e-300)
    eye = torch.eye(grams.shape[1], dtype=torch.float64)
    left = 0.0
    for number, (rows, out) in enumerate(parts):
        gram, moment = grams.sum(0) - grams[number], moments.sum(0) - moments[number]
        left += float((rows @ torch.linalg.solve(gram + size * eye, moment) - out).square().sum())
    whole = float(outputs.square().sum())
    return 0.0 if whole <= 0 else 1 - left / whole

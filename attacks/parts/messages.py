"""What was sent for one victim, put beside what it would have sent for auxiliary images.

Where a defense draws fresh randomness, auxiliary messages are drawn several times, and what the
recorded epochs released of the same sample is put together: noise that differs from epoch to epoch
averages out. Where a single epoch tells more than that, it is read alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError
from leakaudit.threat.view import Features, View

from .blocks import strides
from .conditioning import by_patient, condition
from .epochs import Source, strongest_epochs
from .examples import Examples
from .undoing.source import Sender

_POSITIONS = 48  # per sample, to fit how epochs are put together
_PROBES = 4
_BLANKS = 16  # images of zeros, over which a random defense is averaged
_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages of one victim, conditioned channel by channel on the auxiliary samples.

    Attributes:
        draws: several redraws of what the victim would send for the images to learn from; each is
            level to (n, channels, *grid). One draw where the messages are not random.
        received: level to (n, channels, *grid), what it sent for the attacked samples.
        centred: levels whose typical message was taken out: they tell how a sample differs from
            the typical image, not what it looks like.
        others: level to (m, channels, *grid), the mean message for other images asked about.
        ways: level to how many times its channels are there, each time conditioned otherwise.
        epochs: level to the recorded epochs whose messages were read.
    """

    draws: tuple[Features, ...]
    received: Features
    centred: frozenset[int] = frozenset()
    others: Features = field(default_factory=dict)
    ways: Mapping[int, int] = field(default_factory=dict)
    epochs: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def epochs_of(self, levels: Sequence[int]) -> tuple[int, ...]:
        """Recorded epochs from which any of these levels was read."""
        return tuple(sorted({epoch for level in levels for epoch in self.epochs.get(level, ())}))

    def only(self, levels: Sequence[int]) -> Messages:
        """The same, of some levels."""
        return Messages(
            tuple({level: draw[level] for level in levels} for draw in self.draws),
            {level: self.received[level] for level in levels},
            self.centred & frozenset(levels),
            {level: self.others[level] for level in levels if level in self.others},
            {level: self.ways[level] for level in levels if level in self.ways},
            {level: self.epochs[level] for level in levels if level in self.epochs},
        )


def gather(
    view: View,
    victim: str,
    levels: Sequence[int],
    draws: int,
    rng: Generator,
    others: Tensor | None = None,
    asked: Examples | None = None,
    *,
    centring: bool = True,
    beside: bool = False,
    sender: Sender | None = None,
) -> Messages:
    """Query the victim on the auxiliary images and read what it sent.

    Args:
        view: grants activations, queries and auxiliary images.
        victim: party name.
        levels: which of its levels.
        draws: redraws of a defense's randomness, where there is any.
        rng: the defenses' randomness as the adversary redraws it.
        others: (m, modalities, *space), more images to ask about.
        asked: images to learn from, the auxiliary ones first; None for these alone.
        centring: whether the typical message may be taken out. Whoever compares whole messages,
            and centres what it compares, leaves it in.
        beside: whether channels may be there in several ways, for whoever weighs them, and without
            what a blank image sends.
        sender: the victim's messages, with what undoes them; None for messages as they were sent.
    """
    sender = sender or Sender(view, victim)
    own = view.auxiliary_images(victim)
    images = own if asked is None else asked.images
    random = is_random(view, victim, own, rng)
    combined = random and len(view.epochs) > 1
    usual: Source = _Combined(sender, levels, own, rng) if combined else _One(sender)
    earlier = {epoch: _One(sender, epoch) for epoch in view.epochs[:-1]}
    read = strongest_epochs(usual, earlier, levels, own, view.auxiliary_patients, rng)
    view.weighed(view.epochs)
    times = range(draws if random else 1)
    raw = [read.queried(images, levels, rng) for _ in times]
    further = [] if others is None else [read.queried(others, levels, rng) for _ in times]
    _require_finite((*raw, *further), victim)
    received = read.received(levels)
    folds = by_patient(view.auxiliary_patients, _FOLDS, rng)
    nothing = torch.zeros_like(own[:_BLANKS])
    ask = beside and view.can_ask(victim, nothing[:1])
    blank = read.queried(nothing, levels, rng) if ask else {}
    centred, ways = set(), {}
    for level in levels:
        # On the images as they are: the typical one of altered copies would be a blurred one.
        way = condition(
            raw[0][level][: len(own)], own,
            strides(own.shape[2:], raw[0][level].shape[2:]), folds, rng,
            blank=blank[level].mean(0, keepdim=True) if ask else None,
            centring=centring, beside=beside,
        )  # fmt: skip
        ways[level] = way.ways
        for features in (*raw, *further, received):
            features[level] = way(features[level])
        if way.centred:
            centred.add(level)
    mean = (
        {level: torch.stack([each[level] for each in further]).mean(0) for level in levels}
        if further
        else {}
    )
    epochs = {level: read.epochs(level) for level in levels}
    return Messages(tuple(raw), received, frozenset(centred), mean, ways, epochs)


def _require_finite(answers: Sequence[Features], victim: str) -> None:
    for features in answers:
        for level, each in features.items():
            if not bool(torch.isfinite(each).all()):
                raise AttackInvalidError(
                    "what a party answers to queries must be finite",
                    found=f"values of {victim} at level {level} that are not",
                    remedy="look at its defense: some auxiliary image is too much for it",
                )


def is_random(view: View, victim: str, images: Tensor, rng: Generator) -> bool:
    """Whether the same images give other messages the second time."""
    first, second = (view.query(victim, images[:_PROBES], view.last_epoch, rng) for _ in range(2))
    return any(not torch.equal(first[level], second[level]) for level in first)


class _One:
    """One recorded epoch alone, the last unless told."""

    def __init__(self, sender: Sender, epoch: int | None = None) -> None:
        self._sender = sender
        self._epoch = sender.view.last_epoch if epoch is None else epoch

    def epochs(self, level: int) -> tuple[int, ...]:
        del level
        return (self._epoch,)

    def queried(self, images: Tensor, levels: Sequence[int], rng: Generator) -> Features:
        sent = self._sender.query(images, self._epoch, rng)
        return {level: sent[level] for level in levels}

    def received(self, levels: Sequence[int]) -> Features:
        return {level: self._sender.received(level, self._epoch) for level in levels}


class _Combined:
    """Every epoch's message, brought to the last epoch's channels and summed.

    The encoder changes between epochs, so messages are not averaged as they are: a linear map per
    epoch, fitted jointly on auxiliary images to predict a fresh draw of the last epoch, weighs
    each epoch by how much of the signal it carries (linear minimum mean square error).
    """

    def __init__(
        self, sender: Sender, levels: Sequence[int], images: Tensor, rng: Generator
    ) -> None:
        self._sender, self._all = sender, sender.view.epochs
        self._maps = self._fit(images, levels, rng)

    def epochs(self, level: int) -> tuple[int, ...]:
        del level
        return self._all

    def queried(self, images: Tensor, levels: Sequence[int], rng: Generator) -> Features:
        total: Features = {}
        for epoch in self._all:
            self._add(total, self._sender.query(images, epoch, rng), levels, epoch)
        return total

    def received(self, levels: Sequence[int]) -> Features:
        total: Features = {}
        for epoch in self._all:
            sent = {level: self._sender.received(level, epoch) for level in levels}
            self._add(total, sent, levels, epoch)
        return total

    def _add(self, total: Features, sent: Features, levels: Sequence[int], epoch: int) -> None:
        for level in levels:
            part = torch.einsum("ji,nj...->ni...", self._maps[level][epoch], sent[level])
            total[level] = total[level] + part if level in total else part

    def _fit(
        self, images: Tensor, levels: Sequence[int], rng: Generator
    ) -> dict[int, dict[int, Tensor]]:
        epochs = self._all
        drawn: dict[int, list[Tensor]] = {level: [] for level in levels}
        places: dict[int, Tensor] = {}
        for epoch in (*epochs, epochs[-1]):
            sent = self._sender.query(images, epoch, rng)
            for level in levels:
                flat = sent[level].flatten(2)
                if level not in places:
                    places[level] = torch.randperm(flat.shape[2], generator=rng)[:_POSITIONS]
                drawn[level].append(flat[:, :, places[level]].movedim(1, 2).flatten(0, 1).double())
        maps: dict[int, dict[int, Tensor]] = {}
        for level in levels:
            *inputs, wanted = (each - each.mean(0) for each in drawn[level])
            joined = torch.cat(inputs, dim=1)
            gram = joined.T @ joined
            ridge = 1e-4 * gram.diagonal().mean().clamp_min(1e-300)
            solved = torch.linalg.solve(
                gram + ridge * torch.eye(len(gram), dtype=gram.dtype), joined.T @ wanted
            )
            parts = solved.float().split(wanted.shape[1])
            maps[level] = dict(zip(epochs, parts, strict=True))
        return maps

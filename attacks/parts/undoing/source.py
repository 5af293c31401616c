"""A party's messages as a chain of undoing makes of them: queried ones and recorded ones alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Generator, Tensor

from leakaudit.threat.view import Features, View

from ..blocks import on_grid
from ..conditioning import by_patient
from .crossing import Ask, Crossing, Undoing
from .search import SKIPPED, Chain, Tried, best, fitted, search
from .words import own_words

_FOLDS = 4
_LEAST_PATIENTS = 3
_MOST_SAMPLES = 32  # to choose by


class Sender:
    """One victim's messages, with what undoes them where something was found that does.

    Args:
        view: grants activations, queries and auxiliary images.
        victim: party name.
        steps: level to the chain that undoes its messages; levels without one are read as sent.
    """

    def __init__(
        self, view: View, victim: str, steps: Mapping[int, Sequence[Undoing]] | None = None
    ) -> None:
        self.view, self.victim = view, victim
        self._steps = {level: tuple(each) for level, each in (steps or {}).items()}
        self._chains: dict[tuple[int, int], Chain] = {}

    @property
    def steps(self) -> dict[int, tuple[Undoing, ...]]:
        """What undoes each level of which anything is undone."""
        return dict(self._steps)

    def only(self, levels: Iterable[int]) -> Sender:
        """The same messages, undone at some levels alone."""
        return Sender(self.view, self.victim, {level: self._steps[level] for level in levels})

    def query(self, images: Tensor, epoch: int, rng: Generator) -> Features:
        """Level to (n, channels, *grid), what it would send for these images.

        Where something is undone they cross in an order of chance, as training samples do: what
        samples of one message tell of each other must not depend on whose they are.
        """
        if not self._steps:
            sent = self.view.query(self.victim, images, epoch, rng)
        else:
            order = torch.randperm(len(images), generator=self._own())
            mixed = self.view.query(self.victim, images[order], epoch, rng)
            sent = {level: each[order.argsort()] for level, each in mixed.items()}
            sizes = self._sizes(len(images))
            for level in self._steps:
                undone = self._chain(level, epoch)(Crossing(mixed[level].double(), sizes))
                sent[level] = undone.values.float()[order.argsort()]
        return {level: on_grid(each, self.view.space) for level, each in sent.items()}

    def received(self, level: int, epoch: int) -> Tensor:
        """(n, channels, *grid), what it sent for the attacked samples."""
        view = self.view
        if level not in self._steps:
            return on_grid(view.activations(self.victim, level, epoch), view.space)
        messages = view.whole_messages(self.victim, level, epoch)
        values = torch.cat([sent for _, sent in messages]).double()
        rows = torch.cat([rows for rows, _ in messages])
        sizes = tuple(len(rows) for rows, _ in messages)
        undone = self._chain(level, epoch)(Crossing(values, sizes)).values.float()
        found = torch.empty(len(view), *undone.shape[1:])
        found[rows[rows >= 0]] = undone[rows >= 0]
        return on_grid(found, view.space)

    def _chain(self, level: int, epoch: int) -> Chain:
        if (level, epoch) not in self._chains:
            images, _ = some_auxiliary(self.view, self.victim, self._own())
            ask = self.asking(level, epoch, self._own())
            self._chains[level, epoch] = fitted(self._steps[level], ask(images), images, ask)
        return self._chains[level, epoch]

    def asking(self, level: int, epoch: int, rng: Generator) -> Ask:
        """What sends a level of an epoch, nothing undone."""

        def ask(images: Tensor) -> Crossing:
            sent = self.view.query(self.victim, images, epoch, rng)[level]
            return Crossing(sent.double(), self._sizes(len(images)))

        return ask

    def _sizes(self, count: int) -> tuple[int, ...]:
        return tuple(len(part) for part in torch.arange(count).split(self.view.message_size))

    def _own(self) -> Generator:
        """Randomness of its own, so that nothing else changes by what is undone."""
        return torch.Generator().manual_seed(len(self.victim))


def some_auxiliary(view: View, victim: str, rng: Generator) -> tuple[Tensor, Tensor]:
    """Auxiliary images in an order of chance, and their patients: enough to choose by."""
    patients = view.auxiliary_patients
    order = torch.randperm(len(patients), generator=rng)[:_MOST_SAMPLES]
    return view.auxiliary_images(victim)[order], patients[order]


def undone(
    view: View, victim: str, levels: Sequence[int], rng: Generator,
    shortlist: Sequence[tuple[Undoing, ...]] = (),
) -> tuple[Sender, dict[int, list[Tried]]]:  # fmt: skip
    """A victim's messages, each level with the chain that undoes them best, if one surely does.

    Args:
        view: grants activations, queries and auxiliary images.
        victim: party name.
        levels: which of its levels.
        rng: seeds randomness of its own.
        shortlist: chains that undid other levels or victims, to begin with.

    Returns:
        The messages; and level to all that was tried, the best first. Nothing is tried where fewer
        than three auxiliary patients could not tell.
    """
    own = torch.Generator().manual_seed(rng.initial_seed())
    images, patients = some_auxiliary(view, victim, own)
    folds = by_patient(patients, _FOLDS, own)
    found: dict[int, list[Tried]] = {}
    if len(folds) < _LEAST_PATIENTS:
        return Sender(view, victim), found
    plain, chosen = Sender(view, victim), {}
    for level in levels:
        ask = plain.asking(level, view.last_epoch, own)
        try:
            tried = search(
                ask(images), images, folds, ask, own_words(view, victim, level), shortlist
            )
        except SKIPPED:  # what cannot be asked about, the attack itself says
            continue
        found[level] = tried
        steps = best(tried).steps
        if steps and _goes(view, victim, level, steps):
            chosen[level] = steps
            shortlist = (*shortlist, steps) if steps not in shortlist else shortlist
    return Sender(view, victim, chosen), found


def _goes(view: View, victim: str, level: int, steps: tuple[Undoing, ...]) -> bool:
    """Whether a chain can be computed of what was recorded, in every epoch."""
    sender = Sender(view, victim, {level: steps})
    try:
        return all(
            bool(torch.isfinite(sender.received(level, epoch)).all()) for epoch in view.epochs
        )
    except SKIPPED:
        return False

"""Which of several ways to read a victim's messages, chosen on auxiliary patients left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator

from leakaudit.threat.attack import WayTried
from leakaudit.threat.view import View

from .conditioning import by_patient
from .decoding import linear_fits
from .examples import Examples
from .messages import gather
from .training import TrainingSet
from .undoing.crossing import Undoing
from .undoing.search import SKIPPED, Tried
from .undoing.source import Sender, undone

_FOLDS = 4
_CLEARLY = 0.95  # of the squared error that messages leave as they were sent


def readable(
    view: View, victim: str, levels: Sequence[int], asked: Examples, rng: Generator,
    shortlist: Sequence[tuple[Undoing, ...]] = (),
) -> tuple[Sender, tuple[WayTried, ...]]:  # fmt: skip
    """A victim's messages, undone where the attack's own linear decoders then err clearly less.

    A quick look finds what may undo a code (:func:`.undoing.source.undone`); what tells more by it
    may still be what conditioning does anyway. No attacked message enters the choice.

    Args:
        view: grants activations, queries and auxiliary images.
        victim: party name.
        levels: which of its levels.
        asked: images to learn from.
        rng: seeds randomness of its own; it is not drawn from.
        shortlist: chains that undid other victims' messages.

    Returns:
        The messages as they are to be read, and all ways of undoing that were tried.
    """
    found, tried = undone(view, victim, levels, rng, shortlist)
    sender = _where_clearly_better(found, asked, rng) if found.steps else found
    return sender, tuple(_ways(sender, tried))


def _where_clearly_better(sender: Sender, asked: Examples, rng: Generator) -> Sender:
    levels = sorted(sender.steps)
    plain = _errors(Sender(sender.view, sender.victim), levels, asked, rng)
    try:
        other = _errors(sender, levels, asked, rng)
    except SKIPPED:  # what was undone cannot be computed with: messages are read as sent
        return Sender(sender.view, sender.victim)
    return sender.only(level for level in other if other[level] < _CLEARLY * plain[level])


def _ways(sender: Sender, tried: Mapping[int, Sequence[Tried]]) -> Iterator[WayTried]:
    for level, chains in tried.items():
        for each in chains:
            told = None if each.problem else each.told
            used = each.steps == sender.steps.get(level, ())
            yield WayTried((level,), "undoing", each.name, told, used, each.problem)


def _errors(
    sender: Sender, levels: Sequence[int], asked: Examples, rng: Generator
) -> dict[int, float]:
    """Level to the mean squared error that linear decoders make of unseen patients."""
    own = torch.Generator().manual_seed(rng.initial_seed())
    known = gather(
        sender.view, sender.victim, levels, 1, own, asked=asked, beside=True, sender=sender
    )
    data = TrainingSet(known, asked.images, asked.patients, asked.altered)
    folds = by_patient(asked.patients, _FOLDS, own)
    fits = linear_fits(data, [(level,) for level in levels], folds, own)
    return {level: fits[level].error for level in levels}

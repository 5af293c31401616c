"""Presence control: do the messages tell which of two images was sent?

A control of the judge's, not an attack: it knows the images. Each image is asked about, through the
defense, and what comes is compared with what was recorded. Where a recorded message is surely more
like its own image's than like the others', the message carries the image, whatever an attack makes
of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from leakaudit.cells.likeness import PLAIN, Asked, Sent, likenesses, thinned
from leakaudit.cells.link import Ask, Crossed, Link
from leakaudit.cells.standing_out import StandingOut
from leakaudit.plan.tables import Section
from leakaudit.record.cuts import cuts_text
from leakaudit.statistics.permutation import Matched, match_test, own_before_others

# Images per message of copies, and how many of the rows that come back are looked at.
_MOST_COPIES, _ROWS = 4, 4
_MOST_AUXILIARY = 12
_LEAST_PATIENTS = 2
# Fewer auxiliary patients choose by luck.
_LEAST_CHOOSERS = 3
# Most messages are as plain as can be, and one look at the last epoch tells: it takes a small part
# of what may be said by chance, and all other ways to look are left the rest.
_PLAIN_SHARE, _PLAIN_DRAWS, _PLAINLY = 0.05, 49_999, 1e-3


class Presence(Section):
    """What the control found of one party's messages in one training."""

    party: str
    epochs: tuple[int, ...] = Field(description="recorded epochs that were looked at")
    patients: tuple[str, ...] = ()
    shares: tuple[float, ...] = Field(
        default=(),
        description="per patient, share of the others whose image is less like the message than "
        "its own, by the one comparison that tells auxiliary patients apart best",
    )
    p: float | None = Field(
        default=None, description="corrected for all comparisons; null: not run"
    )
    smallest_p: float | None = Field(default=None, description="that so few patients can give")
    comparisons: int = 0
    chosen: str = Field(default="", description="the comparison behind the shares")
    strongest: str = Field(default="", description="the comparison behind the p value")
    unlike: tuple[str, ...] = Field(
        default=(), description="patients whose messages are unlike anything that was queried"
    )
    nothing_like: tuple[str, ...] = Field(
        default=(), description="those of them whose messages are so by far"
    )
    in_clear: tuple[str, ...] = Field(
        default=(), description="patients whose image a channel shows, by scale and sign alone"
    )
    reason: str = Field(default="", description="why it was not run; empty: it was")


def presence(
    link: Link, slots: Tensor, auxiliary: Tensor, names: Sequence[str], seed: int
) -> Presence:
    """Whether one party's messages tell which image was sent.

    Args:
        link: what it sent, and how it can be asked.
        slots: (patients, k) samples of every patient, in the order of anatomy.
        auxiliary: (m,) one sample of every auxiliary patient: they ride along, and by them the
            comparison is chosen that the shares are of.
        names: pseudonyms of the patients.
        seed: of queries and permutations.
    """
    nothing = Presence(party=link.party, epochs=link.epochs)
    if len(slots) < _LEAST_PATIENTS:
        return nothing.model_copy(
            update={"reason": f"it takes two patients to tell apart, found {len(slots)}"}
        )
    known = auxiliary[:_MOST_AUXILIARY]
    plain = _Looks(link, names, slots[:, -1:], known, seed)
    if not plain.look(link.epochs[-1], plainly=True):
        return nothing.model_copy(update={"reason": "a recorded message is not finite"})
    tested = match_test(plain.stack, np.random.default_rng(seed), draws=_PLAIN_DRAWS)
    if tested.p / _PLAIN_SHARE <= _PLAINLY:
        return plain.found(tested, tested.p / _PLAIN_SHARE, None)
    every = _Looks(link, names, slots, known, seed)
    for epoch in link.epochs:
        if not every.look(epoch, plainly=False):
            return nothing.model_copy(update={"reason": "a recorded message is not finite"})
    tested = match_test(every.stack, np.random.default_rng(seed))
    return every.found(
        tested,
        min(1.0, tested.p / (1 - _PLAIN_SHARE)),
        _chosen(link, known, Generator().manual_seed(seed + 1), seed),
    )


class _Looks:
    """What was seen of one party's messages so far."""

    def __init__(
        self, link: Link, names: Sequence[str], slots: Tensor, known: Tensor, seed: int
    ) -> None:
        self._link, self._names, self._slots, self._known = link, names, slots, known
        self._rng = Generator().manual_seed(seed)
        self._likeness: dict[tuple[int, int, str], Tensor] = {}
        self._standing = StandingOut()
        self._epochs: list[int] = []

    @property
    def stack(self) -> npt.NDArray[np.float64]:
        """(comparisons, patients, patients)."""
        return np.stack([each.numpy() for each in self._likeness.values()])

    def look(self, epoch: int, *, plainly: bool) -> bool:
        """Compare an epoch's messages with queries; False where one of them is not finite.

        Args:
            epoch: that was recorded.
            plainly: as they are, and in no other way.
        """
        link, known = self._link, self._known
        ask = link.asking(epoch)
        others = _asked(link, ask, known, known, self._rng) if len(known) else None
        for slot in self._slots.T:
            questions = _asked(link, ask, slot, known, self._rng)
            for level in link.levels:
                crossed = link.crossed(epoch, level, slot)
                if not all(bool(torch.isfinite(each.tensor).all()) for each in crossed):
                    return False
                sent, asked = _sent(crossed, slot), questions[level]
                ways = likenesses(sent, asked)
                for name, values in itertools.islice(ways, PLAIN) if plainly else ways:
                    place = (epoch, level, name)
                    before = self._likeness.get(place)
                    self._likeness[place] = values if before is None else before + values
                beside = asked if others is None else others[level]
                nobody = slice(0, 0 if others is None else None)
                self._standing.see(
                    epoch, level, sent.scale * sent.own, asked.scale * asked.alone[:, 0],
                    beside.scale * beside.alone[nobody, 0],
                    torch.cat([asked.images, beside.images[nobody]]),
                )  # fmt: skip
        self._epochs.append(epoch)
        return True

    def found(self, tested: Matched, p: float, chosen: tuple[int, int, str] | None) -> Presence:
        """What it came to.

        Args:
            tested: all comparisons.
            p: corrected for these and whatever else was looked at.
            chosen: the comparison that tells auxiliary patients apart best; None: the strongest.
        """
        keys = list(self._likeness)
        strongest = keys[tested.strongest]
        likeness = self._likeness[chosen or strongest]
        return Presence(
            party=self._link.party,
            epochs=tuple(self._epochs),
            patients=tuple(self._names),
            shares=tuple(own_before_others(likeness.numpy()).tolist()),
            p=p,
            smallest_p=tested.smallest_p,
            comparisons=len(keys),
            chosen=_in_words(chosen or strongest, self._link),
            strongest=_in_words(strongest, self._link),
            unlike=_those(self._names, self._standing.unlike()),
            nothing_like=_those(self._names, self._standing.nothing_like()),
            in_clear=_those(self._names, self._standing.in_clear()),
        )


def _those(names: Sequence[str], marked: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, yes in zip(names, marked, strict=False) if yes)


def _chosen(link: Link, known: Tensor, rng: Generator, seed: int) -> tuple[int, int, str] | None:
    """What tells auxiliary patients apart best at the last epoch, with fresh randomness.

    None where there are too few of them.
    """
    if len(known) < _LEAST_CHOOSERS:
        return None
    epoch = link.epochs[-1]
    ask = link.asking(epoch)
    batches = [(rows, ask(link.images[rows], rng)) for rows in known.split(link.message_size)]
    questions = _asked(link, ask, known, known, rng)
    found: dict[tuple[int, int, str], Tensor] = {}
    for level in link.levels:
        crossed = [Crossed(rows, sent[level]) for rows, sent in batches]
        for name, values in likenesses(_sent(crossed, known), questions[level]):
            found[epoch, level, name] = values
    stack = np.stack([each.numpy() for each in found.values()])
    return list(found)[match_test(stack, np.random.default_rng(seed)).strongest]


def _sent(crossed: Sequence[Crossed], slot: Tensor) -> Sent:
    """The messages of some samples, beside what they crossed with."""
    every, scale = thinned(
        torch.cat([each.tensor for each in crossed])[:, :, None]
        if crossed[0].tensor.ndim == 2
        else torch.cat([each.tensor for each in crossed])
    )
    batches = every.split([len(each.samples) for each in crossed])
    places = {
        int(sample): (number, at)
        for number, each in enumerate(crossed)
        for at, sample in enumerate(each.samples.tolist())
    }
    chosen = [places[int(sample)] for sample in slot]
    return Sent(
        own=torch.stack([batches[number][at] for number, at in chosen]),
        batches=batches,
        batch_of=tuple(number for number, _ in chosen),
        place=tuple(at for _, at in chosen),
        scale=scale,
    )


def _asked(
    link: Link, ask: Ask, slot: Tensor, beside: Tensor, rng: Generator
) -> Mapping[int, Asked]:
    """What comes for each sample's image: alone, over and over; and among others."""
    size = min(link.message_size, _MOST_COPIES)
    others = link.images[beside] if len(beside) else torch.zeros_like(link.images[:1])
    others = others[torch.arange(size - 1) % len(others)]
    alone: dict[int, list[Tensor]] = {level: [] for level in link.levels}
    among: dict[int, list[Tensor]] = {level: [] for level in link.levels}
    for sample in slot.tolist():
        image = link.images[sample][None]
        copies = ask(image.expand(size, *image.shape[1:]), rng)
        mixed = ask(torch.cat([image, others]), rng) if size > 1 else copies
        for level in link.levels:
            alone[level].append(copies[level][:_ROWS])
            among[level].append(torch.stack([mixed[level][0], mixed[level].mean(0)]))
    return {
        level: _at_level(alone[level], among[level], link.images[slot], size) for level in alone
    }


def _at_level(alone: Sequence[Tensor], among: Sequence[Tensor], images: Tensor, size: int) -> Asked:
    rows = torch.stack([torch.cat(both) for both in zip(alone, among, strict=True)])
    patients, count = rows.shape[:2]
    thin, scale = thinned(rows.flatten(0, 1))
    even = thin.reshape(patients, count, *thin.shape[1:])
    first, mean = even[:, -2], even[:, -1]
    rest = (size * mean - first) / (size - 1) if size > 1 else torch.zeros_like(first)
    space = rows.shape[3:]
    same = len(space) == images.ndim - 2
    pictures = nn.functional.interpolate(images.double(), space, mode="area") if same else images
    return Asked(even[:, :-2], first, rest, pictures.double(), scale)


def _in_words(place: tuple[int, int, str], link: Link) -> str:
    epoch, level, name = place
    return f"{name}, {cuts_text([link.levels[level]])}, epoch {epoch}"

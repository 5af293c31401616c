"""Cross-modality: what messages tell a party of another's images beyond its own images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Generator, Tensor

from leakaudit.cells.blind import blind_fit, blind_guess
from leakaudit.errors import NotMountableError
from leakaudit.threat.attack import Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View, derangement

from .masks.of_own_patients import masks_of_own
from .parts.blocks import space_to_depth, strides
from .parts.conditioning import by_patient
from .parts.decoder_attack import DecoderAttack
from .parts.decoding import decode
from .parts.effort import scaled
from .parts.examples import Examples, altered
from .parts.messages import Messages, gather
from .parts.training import TrainingSet

_PARTS = 3  # of auxiliary patients: one to judge by, the others to learn from
_READERS = 2  # of masks: each auxiliary patient is read by one that did not learn from it
_SHARES = (0.25, 0.5, 0.75, 1.0)
_SURE = 2.0  # standard errors over patients by which a gain must exceed nothing

_OWN = Knowledge.OWN_IMAGES | Knowledge.AUXILIARY_IMAGES
_GRADIENTS = Knowledge.GRADIENTS | Knowledge.SERVER_WEIGHTS | Knowledge.AUXILIARY_LABELS
_MESSAGES = Knowledge.ACTIVATIONS | Knowledge.QUERIES


class CrossModality(DecoderAttack):
    """Start from what one's own images tell of another's, and learn what the messages add.

    Knows: a party's own images of the attacked patients; auxiliary patients in all modalities; and
    either the gradients it is sent, the server's weights and auxiliary masks, or another party's
    messages and queries. It starts as the blind baseline of its own images, which is what it is
    judged by, and leaves it only where messages surely help on patients it did not learn from, and
    help more than those of other patients do.
    Differs: gradients enter by way of the masks read off them, not as they are: a network that saw
    simulated gradients reads real ones worse than it reads none.
    Source: conditional leakage, asked of He, Zhang, Lee, ACSAC 2019, for an adversary with another
    modality of the same patients; masks from gradients as in Zhu et al., NeurIPS 2019.
    """

    needs = _OWN | _GRADIENTS
    asset = "images"
    criterion = "inference"
    family = "decoder"
    source = "He et al. 2019; Zhu et al. 2019"
    per_level = False

    through: Literal["gradients", "messages"] = Field(
        default="gradients",
        description="what it reads besides its own images: gradients sent back to it, or what the "
        "other party sends (a party that listens on the victim's link, or sides with the server)",
    )
    steps: PositiveInt = Field(default=150, le=1_000_000, description="optimiser steps per victim")
    stand_in_steps: NonNegativeInt = Field(
        default=30, le=1_000_000,
        description="gradients: optimiser steps for stand-ins of the other parties, per epoch read",
    )  # fmt: skip
    reader_steps: PositiveInt = Field(
        default=200, le=1_000_000,
        description="gradients: optimiser steps of each network that reads masks off them",
    )  # fmt: skip
    copies: int = Field(
        default=3, ge=0, le=64,
        description="messages: altered copies of each auxiliary image, to learn from",
    )  # fmt: skip
    releases: PositiveInt = Field(
        default=3, le=10_000, description="gradients: recorded epochs that are read together"
    )

    @property
    def required(self) -> Knowledge:
        """Different for either source."""
        return _OWN | (_GRADIENTS if self.through == "gradients" else _MESSAGES)

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One network per target; masks are read off the gradients once for all."""
        if not view.members:
            raise NotMountableError(
                "looking across takes images of one's own", found="an adversary that is no party"
            )
        if self.through == "messages":
            return {
                target: self._learn(view, target, self._listened(view, target, rng), rng)
                for target in view.targets
            }
        known, seen = masks_of_own(
            view, by_patient(view.auxiliary_patients, _READERS, rng), releases=self.releases,
            batch_size=self.batch_size, stand_in_steps=scaled(self.stand_in_steps, self.effort),
            reader_steps=scaled(self.reader_steps, self.effort), rng=rng,
        )  # fmt: skip
        own = torch.cat([view.auxiliary_images(name) for name in view.members], dim=1)
        patients = view.auxiliary_patients
        guesses = {}
        for target in view.targets:
            asked = Examples(view.auxiliary_images(target.victim), patients, patients < 0)
            guesses[target] = self._learn(view, target, _Known({0: known}, {0: seen}, own, asked),
                                          rng)  # fmt: skip
        return guesses

    def _listened(self, view: View, target: Target, rng: Generator) -> _Known:
        """What the victim sent, and would send for auxiliary images and altered copies of them."""
        names = (*view.members, target.victim)
        every = torch.cat([view.auxiliary_images(name) for name in names], dim=1)
        # All modalities of a patient are altered alike, as they would be by another posture.
        images = torch.cat([every, *(altered(every, rng) for _ in range(self.copies))])
        theirs = view.modalities[target.victim]
        own, truth = images.split([images.shape[1] - theirs, theirs], dim=1)
        patients = view.auxiliary_patients.repeat(self.copies + 1)
        asked = Examples(truth, patients, torch.arange(len(images)) >= len(every))
        sent = gather(view, target.victim, target.levels, 1, rng, asked=asked)
        return _Known(sent.draws[0], sent.received, own, asked, sent.centred)

    def _learn(self, view: View, target: Target, known: _Known, rng: Generator) -> Guess:
        """Learn from own images and clues, and believe it as far as clues surely help."""
        blind = blind_guess(view, target)
        held, *others = by_patient(view.auxiliary_patients, _PARTS, rng)
        if len(torch.unique(view.auxiliary_patients[held])) < 2:
            raise NotMountableError(
                "two auxiliary patients, not learnt from, tell whether messages help",
                found=f"{len(torch.unique(view.auxiliary_patients))} auxiliary patients",
                remedy="give at least four patients to the auxiliary group",
            )
        rest = torch.cat(others)
        learn = torch.isin(known.asked.patients, view.auxiliary_patients[rest])
        own = torch.cat([view.own_images(name) for name in view.members], dim=1)
        mixed = held[derangement(view.auxiliary_patients[held], rng)]
        # Beside the attacked samples the network answers for auxiliary ones it did not learn from,
        # and for the same with other patients' clues.
        received = {
            level: torch.cat([each, known.clues[level][held], known.clues[level][mixed]])
            for level, each in known.seen.items()
        }
        beside = torch.cat([own, known.own[held], known.own[held]])
        data = TrainingSet(
            Messages(
                ({level: each[learn] for level, each in known.joined(known.clues).items()},),
                known.joined(received, beside),
                known.centred,
            ),
            known.asked.images[learn], known.asked.patients[learn], known.asked.altered[learn],
        )  # fmt: skip
        said = decode(data, self.budget, rng)
        before = blind_fit(view, target, blind.method, rest, rng)(known.own[held])
        gate = _Gate(before, known.asked.images[held], known.asked.patients[held])
        trail = []
        for point in (*said.trail, Checkpoint(said.effort, said.values)):
            wanted, told, astray = point.values.split([len(view), len(held), len(held)])
            values = blind.values + gate.share(told, astray) * (wanted - blind.values)
            trail.append(Checkpoint(point.effort, values.contiguous()))
        return Guess(trail[-1].values, said.effort, tuple(trail[:-1]))


@dataclass(frozen=True, eq=False)
class _Known:
    """What there is to learn from, and what was seen of the attacked samples.

    Attributes:
        clues: level to (n, channels, *grid), of auxiliary samples, then of altered copies.
        seen: the same of the attacked samples.
        own: (n, own modalities, *space).
        asked: the victim's images of these samples, and who owns them.
        centred: levels whose clues tell how a sample differs from the typical one.
    """

    clues: Features
    seen: Features
    own: Tensor
    asked: Examples
    centred: frozenset[int] = frozenset()

    def joined(self, clues: Features, own: Tensor | None = None) -> Features:
        """Clues of every level with own images beside them, in blocks of their grid."""
        images = self.own if own is None else own
        even = (images - self.own.mean()) / self.own.std().clamp_min(1e-6)
        return {0: even} | {
            level: torch.cat([each, _at_its_grid(even, each)], dim=1)
            for level, each in clues.items()
        }


def _at_its_grid(images: Tensor, features: Tensor) -> Tensor:
    grid = tuple(features.shape[2:])
    return space_to_depth(images, strides(images.shape[2:], grid), grid)


@dataclass(frozen=True, eq=False)
class _Gate:
    """How far to go from the guess without clues; nowhere unless they surely help.

    On patients that neither learnt from, the clues must beat the guess without them, and they must
    beat other patients' clues: what is gained with these comes from own images alone.

    Attributes:
        before: (n, modalities, *space), the blind guess.
        truth: the same.
        patients: (n,) owners.
    """

    before: Tensor
    truth: Tensor
    patients: Tensor

    def share(self, told: Tensor, astray: Tensor) -> float:
        """Of the way to what was told with clues; ``astray`` is with other patients' clues."""
        least = self._errors(self.before)
        best, share = least, 0.0
        for each in _SHARES:
            errors = self._errors(self.before + each * (told - self.before))
            if errors.mean() < best.mean():
                best, share = errors, each
        if not share:
            return 0.0
        mixed = self._errors(self.before + share * (astray - self.before))
        return share if _surely(least - best) and _surely(mixed - best) else 0.0

    def _errors(self, guess: Tensor) -> Tensor:
        """(p,) mean absolute error of every patient."""
        owners, number = torch.unique(self.patients, return_inverse=True)
        errors = (guess - self.truth).abs().flatten(1).mean(1)
        sums = torch.zeros(len(owners)).index_add(0, number, errors)
        return sums / torch.bincount(number, minlength=len(owners))


def _surely(gains: Tensor) -> bool:
    """Whether the mean over patients exceeds nothing by more than chance explains."""
    if len(gains) < 2:
        return False
    return bool(gains.mean() > _SURE * gains.std() / len(gains) ** 0.5)

"""Beyond one's own images: what clues from an exchange tell a party of another's images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from leakaudit.cells.blind import blind_fit, blind_guess
from leakaudit.errors import NotMountableError
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.view import Features, Target, View, derangement

from .blocks import space_to_depth, strides
from .conditioning import by_patient
from .decoding import decode
from .effort import surely
from .examples import Examples
from .messages import Messages
from .training import TrainingBudget, TrainingSet

_PARTS = 3  # of auxiliary patients: one to judge by, the others to learn from
_SHARES = (0.25, 0.5, 0.75, 1.0)
_SURE = 2.0  # standard errors over patients by which a gain must exceed nothing


@dataclass(frozen=True, eq=False)
class Clues:
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


def be_a_party(view: View) -> None:
    """See to it that there are images of one's own to start from.

    Raises:
        NotMountableError: the adversary is no party.
    """
    if not view.members:
        raise NotMountableError(
            "looking across takes images of one's own", found="an adversary that is no party"
        )


def learn_beyond_own_images(
    view: View, target: Target, known: Clues, budget: TrainingBudget, rng: Generator
) -> Guess:
    """Learn from own images and clues, and believe it as far as clues surely help.

    It starts as the blind baseline of own images, and leaves it only where clues help on patients
    that it did not learn from, and help more than those of other patients do.

    Args:
        view: of a party or of several.
        target: whose images.
        known: clues of auxiliary samples and of those attacked.
        budget: of the network.
        rng: folds, batches and first weights.

    Raises:
        NotMountableError: too few auxiliary patients to tell whether clues help.
    """
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
    said = decode(data, budget, rng)
    before = blind_fit(view, target, blind.method, rest, rng)(known.own[held])
    gate = _Gate(before, known.asked.images[held], known.asked.patients[held])
    trail = []
    for point in (*said.trail, Checkpoint(said.effort, said.values)):
        wanted, told, astray = point.values.split([len(view), len(held), len(held)])
        values = blind.values + gate.share(told, astray) * (wanted - blind.values)
        trail.append(Checkpoint(point.effort, values.contiguous()))
    return Guess(trail[-1].values, said.effort, tuple(trail[:-1]))


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
        return share if surely(least - best, _SURE) and surely(mixed - best, _SURE) else 0.0

    def _errors(self, guess: Tensor) -> Tensor:
        """(p,) mean absolute error of every patient."""
        owners, number = torch.unique(self.patients, return_inverse=True)
        errors = (guess - self.truth).abs().flatten(1).mean(1)
        sums = torch.zeros(len(owners)).index_add(0, number, errors)
        return sums / torch.bincount(number, minlength=len(owners))

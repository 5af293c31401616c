"""What an attack is: it turns a view into guesses, and never sees the truth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.exchange.interference import Interference
from leakaudit.plugins import Plugin
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.properties import Property
from leakaudit.threat.target import Asset, Target
from leakaudit.threat.view import View

# Both name the same failure; neither knows the other's.
_UNSOLVABLE = (torch.linalg.LinAlgError, np.linalg.LinAlgError)  # type: ignore[attr-defined]

Criterion = Literal["singling out", "linkability", "inference"]
WayKind = Literal["undoing", "decoder"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A guess on the way, for the effort curve.

    Attributes:
        effort: spent so far, as in :class:`Guess`.
        values: as in :class:`Guess`.
    """

    effort: int
    values: Tensor


@dataclass(frozen=True)
class WayTried:
    """One way to read a victim's messages, tried on auxiliary patients and never on victims.

    Attributes:
        levels: whose messages.
        kind: how a code may be undone, or what reads messages after it.
        way: in words.
        told: share of the images' variance that it tells of patients it did not learn from, 1 at
            most; None: it could not be tried.
        used: whether the guess was made by it.
        problem: why it could not be tried.
    """

    levels: tuple[int, ...]
    kind: WayKind
    way: str
    told: float | None
    used: bool = False
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Guess:
    """What an attack believes about one target.

    Attributes:
        values: images (n, modalities, *space) in [0, 1]; masks (n, regions, *space) as
            probabilities; identity (n, candidates), attribute (n,) and membership (candidates,)
            as scores in [0, 1], the higher the likelier.
        effort: optimiser steps spent in all; where nothing is optimised, auxiliary patients, or
            messages read.
        trail: guesses on the way, by rising effort; without the final one.
        fewer: the final guess of the same attack with fewer auxiliary patients; there ``effort``
            counts the patients it learnt from, rising.
        learnt_from: auxiliary patients behind ``values``; None where not measured.
        rows: (n,) which of the view's samples the guess speaks of; None for all of them.
        epochs: recorded epochs whose messages it was made from; None: all that the attack read.
        looked_at: recorded epochs that the attack read, or weighed against those it read; filled in
            when it was run.
        ways: ways to read the messages that were tried; empty where there was nothing to choose.
    """

    values: Tensor
    effort: int
    trail: tuple[Checkpoint, ...] = ()
    rows: Tensor | None = None
    fewer: tuple[Checkpoint, ...] = ()
    learnt_from: int | None = None
    epochs: tuple[int, ...] | None = None
    looked_at: tuple[int, ...] = ()
    ways: tuple[WayTried, ...] = ()


Guesses = Mapping[Target, Guess]


class Attack(Plugin):
    """Settings of one attack, and how it is run: checked, seeded, judged by somebody else.

    Subclasses state ``needs``, ``asset``, ``criterion``, ``family`` and ``source``, add settings
    as fields, and implement :meth:`guess`.
    """

    needs: ClassVar[Knowledge]
    asset: ClassVar[Asset]
    criterion: ClassVar[Criterion]
    family: ClassVar[str]
    source: ClassVar[str]
    per_level: ClassVar[bool] = True
    """Whether each level is also attacked on its own, beside all levels together."""
    behaviour: ClassVar[Literal["passive", "active"]] = "passive"
    """Active: it takes part in a training of its own, in place of an honest server."""
    mixed_up: ClassVar[Literal["messages", "candidates"]] = "messages"
    """What its negative control hands to the wrong people; candidates if no message is read."""

    @property
    def told(self) -> Property | None:
        """Which property of a patient it tells; None unless its asset is an attribute."""
        return None

    @property
    def required(self) -> Knowledge:
        """What it needs to know under these settings."""
        return self.needs

    def check(self, split: SplitSpec) -> None:
        """Refuse settings that no view of this split can satisfy; called before any training.

        Args:
            split: undefended.

        Raises:
            UnknownNameError: a cut or party that it names does not exist.
        """
        del split

    @abstractmethod
    def guess(self, view: View, rng: Generator) -> Guesses:
        """Attack every target of the view.

        Args:
            view: all the adversary may see; its ``targets`` are those to attack.
            rng: the attack's randomness. Torch's global generator is seeded too, so that freshly
                built layers are reproducible.
        """

    def interfere(self, view: View, steps: int, rng: Generator) -> Interference:
        """Of an active attack: get ready for a training in which it decides what goes back.

        Args:
            view: all the adversary has before the training; nothing was exchanged yet.
            steps: that the training will take.
            rng: as in :meth:`guess`.
        """
        raise NotImplementedError(f"{type(self).__name__} is passive")

    def begin(self, view: View, steps: int, seed: int) -> Interference:
        """Check the grants and the behaviour, then :meth:`interfere`, seeded.

        Raises:
            NotMountableError: the adversary lacks what the attack needs.
            AttackInvalidError: the attack diverged.
        """
        self._check(view)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.interfere(view, steps, torch.Generator().manual_seed(seed))

    def missing(self, view: View) -> Knowledge:
        """What the adversary lacks for this attack."""
        return self.required & ~view.knowledge

    def __call__(self, view: View, seed: int) -> Guesses:
        """Check the grants, run seeded, refuse what is not finite.

        Raises:
            NotMountableError: the adversary lacks what the attack needs.
            AttackInvalidError: the attack diverged, or what was recorded is not finite.
        """
        self._check(view)
        view = view.afresh()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                guesses = self.guess(view, torch.Generator().manual_seed(seed))
            except _UNSOLVABLE as problem:
                raise AttackInvalidError(
                    "an attack's equations must have a solution",
                    found=str(problem).splitlines()[0],
                    remedy="give it more auxiliary patients, or look at what was recorded",
                ) from None
        for target, guess in guesses.items():
            said: tuple[Guess | Checkpoint, ...] = (guess, *guess.trail, *guess.fewer)
            if not all(bool(torch.isfinite(each.values).all()) for each in said):
                raise AttackInvalidError(
                    "a guess must be finite everywhere",
                    found=f"non-finite values for {target.victim}, "
                    + ", ".join(map(view.split.cut_name, target.levels)),
                    remedy="lower the attack's learning rate",
                )
        seen = view.epochs_read
        return {
            target: replace(
                guess, looked_at=seen, epochs=seen if guess.epochs is None else guess.epochs
            )
            for target, guess in guesses.items()
        }

    def _check(self, view: View) -> None:
        if self.behaviour == "active" and not view.adversary.sends_back:
            raise NotMountableError(
                "the attack replaces what the server sends back",
                found=f"a {view.adversary.behaviour} adversary, position "
                f"{view.adversary.position.value}",
                remedy='let a server mount it whose behaviour is "active", where one is realistic',
            )
        lacking = self.missing(view)
        if lacking:
            raise NotMountableError(
                "this adversary lacks what the attack needs",
                found=", ".join(lacking.words),
                remedy="grant it, where such an adversary is realistic",
            )

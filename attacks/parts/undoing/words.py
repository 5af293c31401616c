"""What a defense says itself of how its messages are undone: public, by Kerckhoffs' principle."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from leakaudit.exchange.defense import Defense
from leakaudit.threat.view import View

from .crossing import Ask, Crossing, NotApplicableError, Undo, Undoing


@dataclass(frozen=True, eq=False)
class OwnWords:
    """The ``undo`` of every defense that has one, the last that acted first.

    Attributes:
        defenses: that act on this message, in the order in which they do.
        level: of the message.
    """

    defenses: tuple[Defense, ...]
    level: int

    @property
    def name(self) -> str:
        """In words."""
        return "what the defense says itself"

    def fit(self, sent: Crossing, images: torch.Tensor, ask: Ask) -> Undo:
        """Nothing is learnt."""
        del images, ask
        self._undone(sent)
        return self._undone

    def _undone(self, sent: Crossing) -> Crossing:
        said = [self._of(message.float()) for message in sent.values.split(list(sent.sizes))]
        return sent.of(torch.cat(said).double())

    def _of(self, message: torch.Tensor) -> torch.Tensor:
        rows = len(message)
        for defense in reversed(self.defenses):
            # Somebody's code: whatever it raises, it said nothing.
            try:
                said = defense.undo(self.level, message.clone())
            except Exception as problem:
                reason = f"undo of {type(defense).__name__} failed: {type(problem).__name__}"
                raise NotApplicableError(reason) from problem
            if said is not None:
                message = said
            if not isinstance(message, torch.Tensor) or len(message) != rows:
                raise NotApplicableError(
                    f"undo of {type(defense).__name__} must return a message of {rows} samples"
                )
        return message


def own_words(view: View, victim: str, level: int) -> tuple[Undoing, ...]:
    """The defenses' own words on a message, where any has some."""
    acting = tuple(
        each for each in view.defenses
        if each.acts_at(victim) and each.acts_on(level, view.split)
    )  # fmt: skip
    speak = any(type(each).undo is not Defense.undo for each in acting)
    return (OwnWords(acting, level),) if speak else ()

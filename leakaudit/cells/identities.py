"""Whose is it: pictures and messages put before a line-up, beside what the truth would give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from leakaudit.cells.lineup import Lineup
from leakaudit.cells.scores import Doubles, Floats, Score, Truth, found_among
from leakaudit.errors import NotMountableError
from leakaudit.plan.materials import Materials
from leakaudit.threat.picking import together
from leakaudit.threat.pictures import PicturePicker
from leakaudit.threat.view import View

Rows = npt.NDArray[np.int64]

_DECIMALS = 6  # scores that differ by less are alike: rounding may not break a tie


class Identities:
    """Puts guesses of one cell before its line-up.

    The picker is the adversary's: it learns from the view, and is handed pictures as they were
    rebuilt. The judge alone knows who is who. What the same picker finds from true pictures is the
    ceiling: what cannot be found from the truth is not hidden by a defense.
    """

    def __init__(self, given: Materials, view: View, lineup: Lineup) -> None:
        self._view = view
        self._asked = np.isin(lineup.attacked, lineup.asked)
        self._names = given.cohort.patients[lineup.candidates]
        self._unasked = lineup.unasked
        self._pickers: dict[str, PicturePicker] = {}
        self._ceilings: dict[tuple[str, bytes], Score] = {}

    def why_not(self, victim: str) -> str:
        """Why nobody can be picked out by pictures; empty where somebody can."""
        if self._unasked:
            return self._unasked
        try:
            self._picker(victim)
        except NotMountableError as problem:
            return str(problem)
        return ""

    def named(self, truth: Truth, scores: Floats, rows: Rows) -> Score:
        """What an attack on identity said of every candidate.

        Args:
            truth: of every attacked sample.
            scores: (len(rows), candidates), high is alike.
            rows: which attacked samples they speak of.
        """
        rounded: Doubles = 1.0 - scores.astype(np.float64).round(_DECIMALS)
        return found_among(rounded, truth.patients[rows], self._names)

    def pictured(self, victim: str, truth: Truth, guess: Floats, rows: Rows) -> Score:
        """Whom rebuilt pictures point at.

        Args:
            victim: whose pictures.
            truth: of every attacked sample.
            guess: (len(rows), modalities, *space) in [0, 1].
            rows: which attacked samples they are of.
        """
        kept = self._asked[rows]
        pictures = torch.from_numpy(np.ascontiguousarray(guess[kept], dtype=np.float32))
        alike = self._picker(victim)(pictures)
        linked = self._linked(alike, rows[kept])
        return self.named(truth, linked.numpy(), rows[kept])

    def ceiling(self, victim: str, truth: Truth, rows: Rows) -> Score:
        """Whom true pictures point at, under the same question."""
        key = (victim, rows.tobytes())
        if key not in self._ceilings:
            self._ceilings[key] = self.pictured(victim, truth, truth.images[rows], rows)
        return self._ceilings[key]

    def _linked(self, alike: Tensor, rows: Rows) -> Tensor:
        adversary = self._view.adversary
        if not adversary.linked or not len(rows):
            return alike
        return together(alike, self._view.patients[torch.from_numpy(rows)], adversary.question)

    def _picker(self, victim: str) -> PicturePicker:
        if victim not in self._pickers:
            self._pickers[victim] = PicturePicker(
                self._view.auxiliary_images(victim),
                self._view.auxiliary_patients,
                self._view.candidate_images(victim),
            )
        return self._pickers[victim]

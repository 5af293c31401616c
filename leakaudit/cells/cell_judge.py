"""Judge the guesses of one attack cell: every metric, per patient, beside the blind baseline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from leakaudit.cells.blind import Blind, blind_guess, blind_scores
from leakaudit.cells.identities import Identities
from leakaudit.cells.lineup import Lineup
from leakaudit.cells.persons import (
    score_attribute,
    score_membership,
    true_property,
)
from leakaudit.cells.scores import (
    PRIMARY,
    Doubles,
    Score,
    Truth,
    foreground_of,
    image_metrics,
    primary_of_images,
    score_images,
    score_masks,
)
from leakaudit.cohorts.cohort import Group
from leakaudit.metrics import ImageMetric, PerceptualDistance
from leakaudit.plan.cells import AttackCell
from leakaudit.plan.materials import Materials
from leakaudit.plan.tables import Section
from leakaudit.record import Asset, Region
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.attack import Attack, Checkpoint, Guess
from leakaudit.threat.knowledge import IdentityQuestion
from leakaudit.threat.properties import Property
from leakaudit.threat.target import Target
from leakaudit.threat.view import View

PICTURES = ("images", "masks")
"""Assets that can be looked at; the others are judgements about a person."""

Values = tuple[float | None, ...]

# No message enters a blind baseline, so every defense, seed and attack of one adversary on one
# line-up has the same; a party's takes longer to train than its attack. Kept per process.
_BLINDS: dict[str, Blind] = {}
_MOST_BLINDS = 16


class CurveValues(Section):
    """The primary metric at one amount of effort, per patient."""

    effort: int
    values: Values


class TargetScores(Section):
    """One metric of one target, per patient, beside the blind baseline."""

    victim: str
    asset: Asset
    levels: tuple[int, ...]
    metric: str
    region: Region
    values: Values = Field(description="in the order of `patients`; null is missing")
    blind: Values
    samples: int
    chance: float | None
    question: IdentityQuestion | None = Field(
        default=None, description="identity: what the adversary holds of the candidates"
    )
    ceiling: Values | None = Field(
        default=None, description="what the same judge finds from the truth; null: the metric's own"
    )
    trials: int | None = Field(
        default=None, description="independent comparisons behind a rate; null: the patients"
    )
    epochs: tuple[int, ...] = Field(
        default=(), description="whose messages the guess was made from; empty: not said"
    )
    looked_at: tuple[int, ...] = Field(
        default=(), description="epochs that the attack read, or weighed against those it read"
    )
    curve: tuple[CurveValues, ...] = ()
    match_curve: tuple[float, ...] = ()
    curve_auxiliary: tuple[CurveValues, ...] = Field(
        default=(), description="the same by auxiliary patients"
    )


class CellJudge:
    """Scores guesses of one cell; blind baselines are made once per victim and asset."""

    def __init__(
        self, cell: AttackCell, given: Materials, view: View, split: SplitSpec, lineup: Lineup,
        attack: Attack,
    ) -> None:  # fmt: skip
        self._cell, self._given, self._view, self._split = cell, given, view, split
        self._told = attack.told
        self._rows = lineup.attacked
        self._lineup = lineup
        self._candidates = given.cohort.patients[lineup.candidates]
        self._identities = Identities(given, view, lineup)
        self._foreground = foreground_of(given.cohort.images[self._rows])
        self._metrics = _metrics(cell)
        self.patients = given.victims(cell.victims)
        self.blinds: dict[tuple[str, Asset], Blind] = {}

    def unasked(self) -> str:
        """Why pictures were not used to pick anybody out; empty where they were."""
        victims = {target.victim for target in self._view.targets if target.asset == "images"}
        return "; ".join(
            sorted({why for name in victims if (why := self._identities.why_not(name))})
        )

    def scores(self, target: Target, guess: Guess) -> Iterator[TargetScores]:
        """Every metric of one guess, the leading one with its effort curves."""
        blind = self._blind(target)
        truth = self._truth(target)
        every = torch.arange(len(self._rows))
        kept = guess.rows if guess.rows is not None else every
        rows = kept.numpy()
        # Scores of a membership stand for candidates, not for samples.
        floor = as_array(blind.values if target.asset == "membership" else blind.values[kept])
        below = {(s.metric, s.region): s for s in self._score(target, truth, floor, rows)}
        named = "identity" in {score.asset for score in below.values()}
        ceiling = self._identities.ceiling(target.victim, truth, rows) if named else None
        for score in self._score(target, truth, as_array(guess.values), rows):
            leads = score.asset == target.asset and (
                PRIMARY[score.asset] == (score.metric, score.region)
            )
            yield TargetScores(
                victim=target.victim,
                asset=score.asset,
                levels=target.levels,
                metric=score.metric,
                region=score.region,
                values=self._by_patient(score),
                blind=self._by_patient(below[score.metric, score.region]),
                samples=int((~np.isnan(score.values)).sum()),
                chance=score.chance,
                trials=score.trials,
                question=self._cell.adversary.question if score.asset == "identity" else None,
                ceiling=self._by_patient(ceiling)
                if ceiling is not None and score.asset == "identity"
                else None,
                match_curve=score.match_curve,
                epochs=guess.epochs or (),
                looked_at=guess.looked_at,
                curve=self._curve(target, truth, rows, guess.trail, (guess.effort, score))
                if leads
                else (),
                curve_auxiliary=self._curve(
                    target, truth, rows, guess.fewer, (guess.learnt_from or 0, score)
                )
                if leads
                else (),
            )

    def _curve(
        self,
        target: Target,
        truth: Truth,
        rows: npt.NDArray[np.int64],
        points: tuple[Checkpoint, ...],
        last: tuple[int, Score],
    ) -> tuple[CurveValues, ...]:
        """The primary metric on the way, and at the end; nothing where nothing was measured."""
        if not points:
            return ()
        scored = [(p.effort, self._primary_score(target, truth, p.values, rows)) for p in points]
        return tuple(
            CurveValues(effort=effort, values=self._by_patient(score))
            for effort, score in (*scored, last)
        )

    def _score(
        self, target: Target, truth: Truth, guess: npt.NDArray[np.float32],
        rows: npt.NDArray[np.int64],
    ) -> Iterator[Score]:  # fmt: skip
        match target.asset:
            case "masks":
                yield score_masks(truth, guess, rows)
            case "images":
                yield from score_images(truth, guess, self._metrics, rows)
                if not self._identities.why_not(target.victim):
                    yield self._identities.pictured(target.victim, truth, guess, rows)
            case "identity":
                yield self._identities.named(truth, guess, rows)
            case "membership":
                yield from score_membership(guess, self._candidates, self.patients)
            case "attribute" if self._told is not None:
                yield score_attribute(guess, truth.patients, self._property(truth, self._told))
            case _:
                raise ValueError("an attack on an attribute says which it tells")

    def _primary_score(
        self, target: Target, truth: Truth, values: torch.Tensor, rows: npt.NDArray[np.int64]
    ) -> Score:
        guess = as_array(values)
        if target.asset == "images":
            return primary_of_images(truth, guess, rows)
        return next(self._score(target, truth, guess, rows))

    def _property(self, truth: Truth, told: Property) -> Doubles:
        others = self._given.groups.indices[Group.AUXILIARY]
        return true_property(
            truth.masks.astype(np.uint8), truth.patients, told, self._given.masks[others],
            self._given.cohort.patients[others],
        )  # fmt: skip

    def _blind(self, target: Target) -> Blind:
        cell, key = self._cell, (target.victim, target.asset)
        if key not in self.blinds:
            same = (cell.choice, cell.adversary, self._split, self._told, *key)
            name = repr([each if isinstance(each, str | None) else each.model_dump_json()
                         for each in same])  # fmt: skip
            name += "".join(str(rows.tolist()) for rows in (
                self._lineup.attacked, self._lineup.candidates))  # fmt: skip
            if name not in _BLINDS:
                if len(_BLINDS) >= _MOST_BLINDS:
                    _BLINDS.clear()
                _BLINDS[name] = (
                    blind_guess(self._view, target)
                    if target.asset in PICTURES
                    else blind_scores(self._view, target, self._told)
                )
            self.blinds[key] = _BLINDS[name]
        return self.blinds[key]

    def _truth(self, target: Target) -> Truth:
        cohort, rows = self._given.cohort, self._rows
        held = (
            cohort.modalities
            if target.asset == "masks"
            else self._split.party(target.victim).modalities
        )
        channels = [cohort.modalities.index(modality) for modality in held]
        return Truth(
            images=cohort.images[rows][:, channels],
            masks=self._given.masks[rows].astype(bool),
            foreground=self._foreground,
            lesion=cohort.labels[rows] > 0,
            patients=cohort.patients[rows],
        )

    def _by_patient(self, score: Score) -> Values:
        """Mean over the patient's units; null where it has none."""
        order = {name: number for number, name in enumerate(self.patients)}
        number = np.array([order[str(owner)] for owner in score.owners], dtype=np.int64)
        present = ~np.isnan(score.values)
        sums = np.bincount(number[present], score.values[present], len(order))
        counts = np.bincount(number[present], minlength=len(order))
        return tuple(
            float(total / count) if count else None
            for total, count in zip(sums, counts, strict=True)
        )


def _metrics(cell: AttackCell) -> list[ImageMetric]:
    metrics = image_metrics()
    if cell.lpips is not None:
        metrics.append(PerceptualDistance(weights=Path(cell.lpips)))
    return metrics


def as_array(values: torch.Tensor) -> npt.NDArray[np.float32]:
    """A guess as metrics take it, in [0, 1]."""
    array: npt.NDArray[np.float32] = values.detach().cpu().float().clamp(0, 1).numpy()
    return array

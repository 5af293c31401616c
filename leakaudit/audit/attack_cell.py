"""Run an attack cell: build the view, attack, judge, and keep per-patient values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from safetensors.numpy import save_file

from leakaudit.audit.blind import Blind, blind_guess
from leakaudit.audit.cells import AttackCell
from leakaudit.audit.configuration import Section
from leakaudit.audit.judge import (
    PRIMARY,
    Score,
    Truth,
    foreground_of,
    image_metrics,
    primary_of_images,
    score_images,
    score_masks,
)
from leakaudit.audit.materials import Materials, materials
from leakaudit.audit.training_cell import Report
from leakaudit.audit.views import build_view, typical_image
from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.metrics import ImageMetric, PerceptualDistance
from leakaudit.plugins import Kind, build
from leakaudit.record.model import Asset, Region
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.attack import Attack, Guess
from leakaudit.threat.view import Target, View
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import hold

GUESSES_FILE = "guesses.safetensors"

Values = tuple[float | None, ...]

# No message enters a blind baseline, so every defense, seed and attack of one adversary has the
# same; a party's takes longer to train than its attack. Kept per process.
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
    curve: tuple[CurveValues, ...] = ()
    match_curve: tuple[float, ...] = ()


class AttackResult(Section):
    """What an attack cell leaves behind."""

    status: Literal["done", "not mountable", "attack invalid"]
    reason: str = ""
    patients: tuple[str, ...] = ()
    scores: tuple[TargetScores, ...] = ()
    blind_methods: dict[str, str] = Field(default_factory=dict)


def run_attack(cell: AttackCell, trace: Path, folder: Path, report: Report) -> AttackResult:
    """Attack a recorded training and judge what came out.

    A missing grant or a diverged attack is a result of its own kind, never a number.
    """
    given = materials(cell.choice)
    attack: Attack = build(Kind.ATTACK, cell.attack.use, cell.attack.settings)
    reader = TraceReader(trace)
    holdings = hold(given.cohort, reader.description.split)
    view = build_view(reader, given, holdings, cell.adversary, attack, cell.victims)
    try:
        if not view.targets:
            raise NotMountableError(
                "an attack needs somebody to attack",
                found=f"{cell.adversary.name} holds all the {attack.goal} itself",
            )
        attacked = view
        if cell.shuffled:
            attacked = view.shuffled(torch.Generator().manual_seed(cell.seed))
        report(f"attack {cell.attack.use}", 0.0)
        guesses = attack(attacked, cell.seed)
        report("judging", 0.9)
        judge = _Judge(cell, given, view, reader.description.split)
        scores = tuple(
            score for target, guess in guesses.items() for score in judge.scores(target, guess)
        )
    except NotMountableError as problem:
        return AttackResult(status="not mountable", reason=str(problem))
    except AttackInvalidError as problem:
        return AttackResult(status="attack invalid", reason=str(problem))
    if cell.pictures:
        _keep(guesses, judge.blinds, folder)
    return AttackResult(
        status="done",
        patients=judge.patients,
        scores=scores,
        blind_methods={
            f"{victim} {asset}": blind.method for (victim, asset), blind in judge.blinds.items()
        },
    )


class _Judge:
    """Scores guesses of one cell; blind baselines are made once per victim and asset."""

    def __init__(self, cell: AttackCell, given: Materials, view: View, split: SplitSpec) -> None:
        self._cell, self._given, self._view, self._split = cell, given, view, split
        self._rows = given.victim_rows(cell.victims).numpy()
        self._foreground = foreground_of(given.cohort.images[self._rows])
        self._metrics = _metrics(cell)
        self.patients = given.victims(cell.victims)
        self.blinds: dict[tuple[str, Asset], Blind] = {}

    def scores(self, target: Target, guess: Guess) -> Iterator[TargetScores]:
        blind = self._blind(target)
        truth = self._truth(target)
        every = torch.arange(len(self._rows))
        kept = guess.rows if guess.rows is not None else every
        rows = kept.numpy()
        floor = _as_array(blind.values[kept])
        below = {(s.metric, s.region): s for s in self._score(target, truth, floor, rows)}
        trail = [*guess.trail]
        for score in self._score(target, truth, _as_array(guess.values), rows):
            curve: tuple[CurveValues, ...] = ()
            if trail and (score.metric, score.region) == PRIMARY[target.asset]:
                points = [(point.effort, point.values) for point in trail]
                points.append((guess.effort, guess.values))
                curve = tuple(
                    CurveValues(
                        effort=effort,
                        values=self._by_patient(self._primary_score(target, truth, values, rows)),
                    )
                    for effort, values in points
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
                curve=curve,
                match_curve=score.match_curve,
            )

    def _score(
        self, target: Target, truth: Truth, guess: npt.NDArray[np.float32],
        rows: npt.NDArray[np.int64],
    ) -> Iterator[Score]:  # fmt: skip
        if target.asset == "masks":
            yield score_masks(truth, guess, rows)
        else:
            yield from score_images(truth, guess, self._metrics, rows)

    def _primary_score(
        self, target: Target, truth: Truth, values: torch.Tensor, rows: npt.NDArray[np.int64]
    ) -> Score:
        guess = _as_array(values)
        if target.asset == "masks":
            return score_masks(truth, guess, rows)
        return primary_of_images(truth, guess, rows)

    def _blind(self, target: Target) -> Blind:
        cell, key = self._cell, (target.victim, target.asset)
        if key not in self.blinds:
            same = (cell.choice, cell.adversary, cell.victims, *key)
            name = repr([each if isinstance(each, str | int | None) else each.model_dump_json()
                         for each in same])  # fmt: skip
            if name not in _BLINDS:
                if len(_BLINDS) >= _MOST_BLINDS:
                    _BLINDS.clear()
                _BLINDS[name] = blind_guess(self._view, target)
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
            positions=cohort.positions[rows],
            typical=typical_image(self._given, channels).numpy(),
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


def _as_array(values: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = values.detach().cpu().float().clamp(0, 1).numpy()
    return array


def _keep(
    guesses: Mapping[Target, Guess], blinds: Mapping[tuple[str, Asset], Blind], folder: Path
) -> None:
    """What the gallery draws from, in 256 greys."""
    tensors: dict[str, npt.NDArray[np.uint8]] = {}
    for target, guess in guesses.items():
        if guess.rows is None:
            levels = "-".join(map(str, target.levels))
            tensors[f"{target.victim}/{target.asset}/{levels}"] = _greys(guess.values)
    for (victim, asset), blind in blinds.items():
        tensors[f"{victim}/{asset}/blind"] = _greys(blind.values)
    if tensors:
        save_file(tensors, folder / GUESSES_FILE)


def _greys(values: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(_as_array(values) * 255).astype(np.uint8))

"""Run an attack cell: build the view, attack, judge, and keep per-patient values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from safetensors.numpy import save_file

from leakaudit.cells.blind import Blind
from leakaudit.cells.cell_judge import PICTURES, CellJudge, TargetScores, as_array
from leakaudit.cells.horizontal import attack_each_party
from leakaudit.cells.interference import kept_beside
from leakaudit.cells.lineup import line_up
from leakaudit.cells.training_cell import Report
from leakaudit.cells.views import build_view
from leakaudit.cells.ways import Way, ways_of
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.plan.cells import AttackCell
from leakaudit.plan.materials import materials
from leakaudit.plan.tables import Section
from leakaudit.plugins import Kind, build
from leakaudit.record import Asset
from leakaudit.threat.attack import Attack, Guess
from leakaudit.threat.target import Target
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import hold

GUESSES_FILE = "guesses.safetensors"
GUESSED = "guessed"  # 1 for each sample that every attack on this victim made a guess at


class AttackResult(Section):
    """What an attack cell leaves behind."""

    status: Literal["done", "not mountable", "attack invalid"]
    reason: str = ""
    patients: tuple[str, ...] = ()
    scores: tuple[TargetScores, ...] = ()
    blind_methods: dict[str, str] = Field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    unasked: str = Field(
        default="", description="why nobody could be picked out by what was rebuilt"
    )


def run_attack(
    cell: AttackCell, trace: Path, folder: Path, report: Report, store: Path | None = None
) -> AttackResult:
    """Attack a recorded training and judge what came out.

    A missing grant or a diverged attack is a result of its own kind, never a number.

    Args:
        cell: which attack, by whom.
        trace: of the training.
        folder: of its own.
        report: told of progress.
        store: of prepared cohorts.
    """
    given = materials(cell.choice, store)
    attack: Attack = build(Kind.ATTACK, cell.attack.use, cell.attack.settings)
    try:
        if not len(given.rows(Group.AUXILIARY)):
            raise NotMountableError(
                "an attack needs auxiliary patients: to learn from, and for the blind baseline it "
                "is judged against",
                found="none",
                remedy="give some patients to the auxiliary group",
            )
        kept = kept_beside(trace)
        reader = TraceReader(trace, trusted=True)
        if not reader.can_be_rebuilt:
            given = given.crossed_in(reader.steady)
        holdings = hold(given.cohort, reader.split)
        shuffled = cell.shuffled and attack.mixed_up == "messages"
        lineup = line_up(
            given, attack.asset, cell.victims, shuffled=shuffled, question=cell.adversary.question
        )
        view = build_view(reader, given, holdings, cell.adversary, attack, lineup, kept)
        if not view.targets:
            raise NotMountableError(
                "an attack needs somebody to attack",
                found=f"{cell.adversary.name} holds all the {attack.asset} itself",
            )
        attacked = view
        report(f"attack {cell.attack.use}", 0.0)
        if view.split.orientation == "horizontal":
            guesses = attack_each_party(
                attack, view, reader, lineup, cell.seed, shuffled=cell.shuffled
            )
        else:
            mixing = torch.Generator().manual_seed(cell.seed)
            if cell.shuffled and not shuffled:
                attacked = view.misnamed(mixing)
            elif shuffled and attack.asset != "membership":  # there the line-up is the control
                attacked = view.shuffled(mixing)
            guesses = attack(attacked, cell.seed)
        report("judging", 0.9)
        judge = CellJudge(cell, given, view, reader.split, lineup, attack)
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
        unasked=judge.unasked(),
        ways=ways_of(guesses),
        blind_methods={
            f"{victim} {asset}": blind.method for (victim, asset), blind in judge.blinds.items()
        },
    )


def _keep(
    guesses: Mapping[Target, Guess], blinds: Mapping[tuple[str, Asset], Blind], folder: Path
) -> None:
    """What the gallery draws from, in 256 greys."""
    tensors: dict[str, npt.NDArray[np.uint8]] = {}
    for (victim, asset), blind in blinds.items():
        if asset in PICTURES:
            tensors[f"{victim}/{asset}/blind"] = _greys(blind.values)
            tensors[f"{victim}/{asset}/{GUESSED}"] = np.ones(len(blind.values), np.uint8)
    for target, guess in guesses.items():
        if target.asset not in PICTURES:
            continue
        prefix = f"{target.victim}/{target.asset}"
        whole = np.zeros_like(tensors[f"{prefix}/blind"])
        rows = np.arange(len(whole)) if guess.rows is None else guess.rows.numpy()
        whole[rows] = _greys(guess.values)
        tensors[f"{prefix}/{'-'.join(map(str, target.levels))}"] = whole
        tensors[f"{prefix}/{GUESSED}"][np.setdiff1d(np.arange(len(whole)), rows)] = 0
    if tensors:
        save_file(tensors, folder / GUESSES_FILE)


def _greys(values: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(as_array(values) * 255).astype(np.uint8))

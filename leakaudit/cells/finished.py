"""What the cells of a plan left behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.folder import RESULT_FILE, finished
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.errors import EXIT_INTERNAL
from leakaudit.plan.plan import AttackId, CellId, InterferedId, Plan, TrainingId


@dataclass(frozen=True)
class CellFailure:
    """A cell that did not finish, and the exit code of what stopped it."""

    cell: CellId
    reason: str
    exit_code: int = EXIT_INTERNAL


@dataclass(frozen=True)
class Finished:
    """What the cells of a plan left behind.

    Attributes:
        trainings: finished trainings.
        attacks: finished attacks.
        folders: where each attack stands.
        failures: what did not finish.
        interfered: finished trainings in which an active attack took part.
    """

    trainings: dict[TrainingId, TrainingResult]
    attacks: dict[AttackId, AttackResult]
    folders: dict[AttackId, Path]
    failures: Sequence[CellFailure]
    interfered: dict[InterferedId, TrainingResult] = field(default_factory=dict)


def collect(plan: Plan, cells: Path, failures: Sequence[CellFailure]) -> Finished:
    """Read every finished cell of a plan."""
    trainings, interfered, attacks, folders = {}, {}, {}, {}
    for identity, cell in plan.trainings.items():
        folder = plan.folder(cells, cell)
        if finished(folder):
            text = (folder / RESULT_FILE).read_text(encoding="utf-8")
            trainings[identity] = TrainingResult.model_validate_json(text)
    for own, cell in plan.interfered.items():
        if (result := finished_interfered(plan.folder(cells, cell))) is not None:
            interfered[own] = result
    for attack_id, attack in plan.attacks.items():
        folder = plan.folder(cells, attack)
        if finished(folder):
            text = (folder / RESULT_FILE).read_text(encoding="utf-8")
            attacks[attack_id] = AttackResult.model_validate_json(text)
            folders[attack_id] = folder
    return Finished(trainings, attacks, folders, failures, interfered)


def finished_interfered(folder: Path) -> TrainingResult | None:
    """What a training with a dishonest server left; None if unfinished or stopped by its attack."""
    if not finished(folder):
        return None
    found = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    return None if "stopped" in found else TrainingResult.model_validate(found)

"""What the cells of a plan left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leakaudit.audit.attack_cell import AttackResult
from leakaudit.audit.interferences import finished_interfered
from leakaudit.audit.plan import AttackId, InterferedId, Plan, TrainingId
from leakaudit.audit.runner import CellFailure
from leakaudit.audit.training_cell import TrainingResult
from leakaudit.audit.work import RESULT_FILE, finished


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

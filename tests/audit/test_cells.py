"""A cell's name changes with everything that determines its result, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakaudit.audit import cells
from leakaudit.audit.cells import CohortChoice, Interfering, TrainingCell, plugin_digest
from leakaudit.audit.tables import Use
from leakaudit.cohorts import GroupSettings
from leakaudit.plugins import Kind
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.knowledge import Adversary, Position
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.settings import TrainingSettings

CHOICE = CohortChoice(cohort=Use(use="phantom"), groups=GroupSettings(), fingerprint="f")
CELL = TrainingCell(
    choice=CHOICE,
    split=SplitSpec(parties=(PartySpec(name="a", modalities=("T1",)),)),
    defenses=(Use.model_validate({"use": "dropout", "rate": 0.5}),),
    training=TrainingSettings(),
    recording=RecordingSettings(),
    seed=0,
)
HIJACKED = Interfering(
    adversary=Adversary(name="server", position=Position.SERVER, behaviour="active"),
    attack=Use(use="feature-hijacking"),
)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"choice": CHOICE.model_copy(update={"fingerprint": "g"})},
        {"choice": CHOICE.model_copy(update={"groups": GroupSettings(seed=1)})},
        {"defenses": ()},
        {"defenses": (Use.model_validate({"use": "dropout", "rate": 0.6}),)},
        {"training": TrainingSettings(epochs=3)},
        {"recording": RecordingSettings(epochs="all")},
        {"recording": None},
        {"interfering": HIJACKED},
        {"interfering": HIJACKED.model_copy(update={"attack": Use(use="decoder-inversion")})},
    ],
)
def test_what_matters_changes_the_key(changes: dict[str, object]) -> None:
    assert CELL.model_copy(update=changes).key() != CELL.key()


def test_the_same_cell_has_the_same_key_after_a_trip_to_a_worker() -> None:
    assert TrainingCell.model_validate_json(CELL.model_dump_json()).key() == CELL.key()


def test_a_plugin_answers_for_its_file_and_what_it_imports_beside_it(tmp_path: Path) -> None:
    (tmp_path / "attack.py").write_text("from ._part import x\n")
    (tmp_path / "_part.py").write_text("from ._deep import y\n")
    (tmp_path / "_deep.py").write_text("y = 1\n")
    (tmp_path / "_other.py").write_text("z = 1\n")
    names = {file.name for file in cells._sources(tmp_path / "attack.py")}
    assert names == {"attack.py", "_part.py", "_deep.py"}
    assert plugin_digest(Kind.DEFENSE, "dropout") != plugin_digest(Kind.DEFENSE, "gaussian-noise")

"""A cell's name changes with everything that determines its result, and with nothing else."""

from __future__ import annotations

import pytest

from leakaudit.audit.cells import CohortChoice, TrainingCell, plugin_digest
from leakaudit.audit.configuration import Use
from leakaudit.cohorts import GroupSettings
from leakaudit.plugins import Kind
from leakaudit.split import PartySpec, SplitSpec
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


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"choice": CHOICE.model_copy(update={"fingerprint": "g"})},
        {"defenses": ()},
        {"defenses": (Use.model_validate({"use": "dropout", "rate": 0.6}),)},
        {"training": TrainingSettings(epochs=3)},
        {"recording": RecordingSettings(epochs="all")},
        {"recording": None},
    ],
)
def test_what_matters_changes_the_key(changes: dict[str, object]) -> None:
    assert CELL.model_copy(update=changes).key() != CELL.key()


def test_the_same_cell_has_the_same_key_after_a_trip_to_a_worker() -> None:
    assert TrainingCell.model_validate_json(CELL.model_dump_json()).key() == CELL.key()


def test_a_changed_plugin_file_changes_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plugin_digest(Kind.DEFENSE, "dropout")
    assert before != plugin_digest(Kind.DEFENSE, "gaussian-noise")
    assert before == plugin_digest(Kind.DEFENSE, "dropout")

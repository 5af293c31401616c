"""A dishonest server takes part in a training of its own; the honest one stays what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from leakaudit.cells import work
from leakaudit.cells.attack_cell import run_attack
from leakaudit.cells.finished import finished_interfered
from leakaudit.cells.folder import RESULT_FILE, put_in_place
from leakaudit.cells.interference import KEPT_FILE
from leakaudit.cells.training_cell import TRACE_FOLDER, run_training
from leakaudit.cohorts.cohort import Group
from leakaudit.judgement.interferences import interferences
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import load_cohort, materials
from leakaudit.plan.plan import AttackId, InterferedId, Plan, TrainingId, make_plan

HIJACKING = {"use": "feature-hijacking", "pilot_steps": 40, "steps": 15, "channels": 8}
COHORT: dict[str, Any] = {"patients": 16, "slices_per_patient": 3, "size": 24}
NONE = TrainingId("none", 0)
OWN = InterferedId(NONE, "dishonest-server", "feature-hijacking")

pytestmark = pytest.mark.filterwarnings("ignore")


def configured(**changes: Any) -> AuditConfiguration:
    return AuditConfiguration.model_validate(
        {
            "seeds": [0],
            "cohort": {"use": "phantom", **COHORT},
            "groups": {"training": 8, "auxiliary": 6, "validation": 2},
            "split": {
                "parties": [
                    {"name": "a", "modalities": ["T1"]},
                    {"name": "b", "modalities": ["FLAIR"]},
                ],
                "channels": (4, 8),
                "party_levels": 1,
            },
            "training": {"epochs": 12, "batch_size": 4, "learning_rate": 5e-3},
            "adversaries": [{"preset": "curious-server"}, {"preset": "dishonest-server"}],
            "attacks": [HIJACKING, {"use": "decoder-inversion", "steps": 5}],
        }
        | changes
    )


def planned(configuration: AuditConfiguration) -> Plan:
    choice = CohortChoice(
        cohort=configuration.cohort,
        groups=configuration.groups,
        fingerprint=load_cohort("phantom", COHORT).fingerprint(),
    )
    return make_plan(configuration, choice, materials(choice), None)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(configured())


def silent(stage: str, fraction: float) -> None:
    assert 0 <= fraction <= 1


def test_one_more_training_for_the_active_attack_and_none_changed(plan: Plan) -> None:
    assert list(plan.interfered) == [OWN]
    passive = planned(configured(adversaries=[{"preset": "curious-server"}]))
    assert not passive.interfered
    assert {k: c.key() for k, c in passive.trainings.items()} == {
        k: c.key() for k, c in plan.trainings.items()
    }
    own = plan.interfered[OWN].key()
    assert own != plan.trainings[NONE].key()
    hijacking = AttackId(NONE, "dishonest-server", "feature-hijacking")
    assert plan.attacks[hijacking].source == own
    assert plan.source(hijacking) == OWN
    # The control is shuffled in the same training; every other attack reads the honest one.
    assert plan.attacks[AttackId(NONE, "dishonest-server", "feature-hijacking", True)].source == own
    others = [a for a in plan.attacks if (a.adversary, a.attack) != (OWN.adversary, OWN.attack)]
    assert {plan.attacks[a].source for a in others} == {plan.trainings[NONE].key()}


def test_who_lacks_a_grant_trains_nothing(plan: Plan) -> None:
    poor = configured(adversaries=[{"preset": "dishonest-server", "grants": ["architecture"]}])
    assert not planned(poor).interfered
    assert plan.interfered[OWN].recording is not None
    assert plan.interfered[OWN].recording.weight_updates == 0


@pytest.fixture(scope="module")
def cells(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both trainings, as a worker leaves them."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("cells")
    for cell in (plan.trainings[NONE], plan.interfered[OWN]):
        partial = folder / "partial"
        partial.mkdir()
        result = run_training(cell, partial, silent)
        put_in_place(partial, folder / cell.key(), result.model_dump_json())
    return folder


def test_the_server_reads_what_it_trained_the_parties_to_send(plan: Plan, cells: Path) -> None:
    found = {}
    for shuffled in (False, True):
        name = AttackId(NONE, OWN.adversary, OWN.attack, shuffled)
        trace = cells / plan.attacks[name].source / TRACE_FOLDER
        result = run_attack(plan.attacks[name], trace, cells, silent)
        assert result.status == "done", result.reason
        scores = [s for s in result.scores if (s.metric, s.region) == ("ssim", "foreground")]
        assert {score.victim for score in scores} == {"a", "b"}
        found[shuffled] = [
            value - blind
            for score in scores
            for value, blind in zip(score.values, score.blind, strict=True)
            if value is not None and blind is not None
        ]
    assert sum(found[False]) / len(found[False]) > 0.1
    assert sum(found[True]) / len(found[True]) < 0.05


def test_on_an_honest_training_it_is_not_mountable(plan: Plan, cells: Path) -> None:
    name = AttackId(NONE, OWN.adversary, OWN.attack)
    honest = cells / plan.trainings[NONE].key() / TRACE_FOLDER
    result = run_attack(plan.attacks[name], honest, cells, silent)
    assert result.status == "not mountable"
    assert "took part in" in result.reason
    passive = AttackId(NONE, "curious-server", "feature-hijacking")
    refused = run_attack(plan.attacks[passive], honest, cells, silent)
    assert refused.status == "not mountable"
    assert "replaces what the server sends back" in refused.reason


def test_dice_and_loss_under_attack_stand_beside_the_honest_ones(plan: Plan, cells: Path) -> None:
    cell = plan.interfered[OWN]
    assert load_file(cells / cell.key() / KEPT_FILE)
    under = finished_interfered(cells / cell.key())
    honest = finished_interfered(cells / plan.trainings[NONE].key())
    assert under is not None
    assert honest is not None
    given = materials(cell.choice)
    region, patients = next(iter(given.cohort.regions)), given.groups.patients[Group.VALIDATION]
    (entry,) = interferences({NONE: honest}, {OWN: under}, region, patients)
    assert entry.dice is not None
    assert entry.dice_change is not None
    assert (entry.setting, entry.adversary, entry.attack) == ("none", OWN.adversary, OWN.attack)
    assert len(entry.losses) == len(entry.honest_losses) == 12
    assert entry.losses[-1] > entry.honest_losses[-1]
    assert finished_interfered(cells / "nowhere") is None


def test_an_attack_that_cannot_take_part_is_named_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    withheld = {"use": "skip-withholding", "cuts": ["level 0"]}
    configuration = configured(
        attacks=[{**HIJACKING, "cuts": ["level 0"]}],
        split={**configured().split.model_dump(), "party_levels": 2},
        defenses=[{"label": "none"}, {"label": "withheld", "stack": [withheld]}],
    )
    plan, own = planned(configuration), replace(OWN, training=TrainingId("withheld", 0))
    cell, attack = (
        plan.interfered[own],
        plan.attacks[AttackId(own.training, own.adversary, own.attack)],
    )
    monkeypatch.setattr(work, "_limit", lambda threads: None)
    monkeypatch.setattr(work, "_reporter", lambda name: silent)
    folder = tmp_path / cell.key()
    work.work_training(cell.model_dump_json(), str(folder), 1, work.leakaudit.__version__, "")
    assert [file.name for file in folder.iterdir()] == [RESULT_FILE]
    assert finished_interfered(folder) is None
    result = run_attack(attack, folder / TRACE_FOLDER, tmp_path, silent)
    assert result.status == "not mountable"
    assert "only cuts that cross" in result.reason

"""One patient of fifteen, from the recorded training to the gate.

Trainings are real, with the controls of their messages; what the attacks came to is invented: as
silent as can be, or silent about all but one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Typed
from gate_records import budget, policy_file

from leakaudit import plugins
from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.cell_judge import CurveValues, TargetScores
from leakaudit.cells.finished import Finished
from leakaudit.cells.training_cell import TrainingResult, run_training
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.judgement import burden
from leakaudit.judgement.assemble import Frame, findings_of, measured
from leakaudit.plan.cells import CohortChoice, TrainingCell
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import load_cohort, materials
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.plan.tables import Use
from leakaudit.plugins import Kind
from leakaudit.record import Record, Verdict, sealed, write_record
from leakaudit.trace import RecordingSettings
from leakaudit.training.settings import TrainingSettings

COHORT = {"patients": 20, "size": 16, "slices_per_patient": 2}
SEEDS, PATIENTS, PLANTED = range(5), 15, 4
BLIND = 0.4
WHO = "curious-server"


@pytest.fixture(autouse=True)
def coding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defense of somebody's package, as if it were installed."""
    known = plugins.entries

    def entries(kind: Kind) -> Mapping[str, EntryPoint]:
        found = dict(known(kind))
        if kind is Kind.DEFENSE:
            found["coding"] = EntryPoint("coding", "lossless_codes:Coding", kind.value)
        return found

    monkeypatch.setattr(plugins, "entries", entries)


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it shipped here: what is left to say is what the messages themselves show."""
    monkeypatch.setattr(burden, "explained", lambda defense: "believed for this test")


def configured(code: str) -> AuditConfiguration:
    return AuditConfiguration.model_validate(
        {
            "cohort": {"use": "phantom", **COHORT},
            "groups": {"training": PATIENTS, "auxiliary": 4, "validation": 1},
            "seeds": list(SEEDS),
            "judgement": {"threshold": 0.2, "patient_threshold": 0.25},
            "split": {
                "parties": [
                    {"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["T2"]}
                ],
                "channels": (4, 8),
                "party_levels": 2,
            },
            "defenses": [
                {"label": "none", "stack": []},
                {"label": "coded", "stack": [{"use": "coding", "code": code}]},
            ],
            "adversaries": [{"preset": WHO}],
            "attacks": [{"use": "decoder-inversion"}],
        }
    )  # fmt: skip


def scores(advantage: np.ndarray) -> tuple[TargetScores, ...]:
    values = tuple((BLIND + (1 - BLIND) * advantage).tolist())
    return tuple(
        TargetScores(
            victim=victim, asset="images", levels=(0, 1), metric="ssim", region="foreground",
            values=values, blind=(BLIND,) * PATIENTS, samples=2 * PATIENTS, chance=None,
            trials=None, question=None, ceiling=None, match_curve=(),
            curve=tuple(CurveValues(effort=effort, values=values) for effort in (1, 2)),
            curve_auxiliary=(),
        )
        for victim in ("a", "b")
    )  # fmt: skip


def recorded(folder: Path, code: str, planted: float) -> Record:
    """The record of an audit whose attacks find one patient's share and nobody else's."""
    torch.set_num_threads(1)
    configuration = configured(code)
    choice = CohortChoice(
        cohort=configuration.cohort, groups=GroupSettings.model_validate(configuration.groups),
        fingerprint=load_cohort("phantom", dict(COHORT)).fingerprint(),
    )  # fmt: skip
    given = materials(choice)
    victims = given.victims(None)
    rng = np.random.default_rng(0)
    trainings: dict[TrainingId, TrainingResult] = {}
    attacks: dict[AttackId, AttackResult] = {}
    for stack in configuration.defenses:
        cell = TrainingCell(
            choice=choice, split=configuration.split,
            defenses=tuple(Use.model_validate(use.model_dump()) for use in stack.stack),
            training=TrainingSettings(epochs=1, batch_size=4),
            recording=RecordingSettings(epochs="all"), seed=0,
        )  # fmt: skip
        result = run_training(cell, folder / stack.label, lambda stage, fraction: None)
        for seed in SEEDS:
            training = TrainingId(stack.label, seed)
            trainings[training] = result
            found = 0.01 * rng.standard_normal(PATIENTS)
            found += 0.5 if stack.label == "none" else planted * (np.arange(PATIENTS) == PLANTED)
            attacks[AttackId(training, WHO, "decoder-inversion")] = AttackResult(
                status="done", patients=victims, scores=scores(found)
            )
            if stack.label == "none" and not seed:
                attacks[AttackId(training, WHO, "decoder-inversion", shuffled=True)] = AttackResult(
                    status="done",
                    patients=victims,
                    scores=scores(0.01 * rng.standard_normal(PATIENTS) - 0.1),
                )
    done = Finished(trainings, attacks, {}, ())
    frame = Frame(configuration, {}, given, choice.fingerprint, "a test", {})
    return sealed(measured(frame, configuration, done, findings_of(configuration, done)))


STRICT = 'inconclusive = "error"\n' + budget("coded", victim="a", max=0.2)


def of_the_coded(record: Record) -> Verdict:
    (found,) = [
        each
        for each in record.verdicts
        if (each.defense, each.victim, each.asset) == ("coded", "a", "images")
    ]
    return found


@pytest.mark.usefixtures("believed")
@pytest.mark.parametrize(
    ("code", "planted", "verdict", "said", "kept"),
    [
        ("fresh_noise", 0.0, "none shown", "", True),
        ("fresh_noise", 0.9, "leak shown", "1 of 15 patients", False),
        ("one_in_clear", 0.0, "inconclusive", "the messages of 1 patient", False),
    ],
)
def test_one_of_fifteen_is_not_called_none_and_passes_no_gate(
    tmp_path: Path,
    typed: Typed,
    code: str,
    planted: float,
    verdict: str,
    said: str,
    kept: bool,
) -> None:
    record = recorded(tmp_path, code, planted)
    write_record(record, tmp_path)
    found = of_the_coded(record)
    assert found.verdict == verdict, found.reason
    assert said in found.reason
    got = typed("check", tmp_path, "--policy", policy_file(tmp_path, STRICT))
    assert ("1 rule, 1 kept" in got.out) is kept, got.out
    assert got.code == (0 if kept else 1)


def test_a_cipher_that_every_control_takes_for_noise_passes_no_gate(
    tmp_path: Path, typed: Typed
) -> None:
    record = recorded(tmp_path, "stream_cipher", 0.0)
    assert not any(control.fired for control in record.presence if control.setting == "coded")
    write_record(record, tmp_path)
    found = of_the_coded(record)
    assert found.verdict == "inconclusive"
    assert "cannot tell hiding from removing" in found.reason
    got = typed("check", tmp_path, "--policy", policy_file(tmp_path, STRICT))
    assert "1 rule, 1 inconclusive" in got.out, got.out
    assert got.code == 1

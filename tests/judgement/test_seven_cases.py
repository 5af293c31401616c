"""Trainings whose every attack was silent: what may be said of them, from recording to verdict."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from leakaudit import plugins
from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.finished import Finished
from leakaudit.cells.training_cell import TrainingResult, run_training
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.judgement.unfinished import Question, planned
from leakaudit.plan.cells import CohortChoice, TrainingCell
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import load_cohort
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.plan.tables import Use
from leakaudit.plugins import Kind
from leakaudit.statistics import Controls, Direction, Figure, Verdict, judge
from leakaudit.trace import RecordingSettings
from leakaudit.training.settings import TrainingSettings

COHORT = {"patients": 17, "size": 16, "slices_per_patient": 2}
CONFIGURATION = AuditConfiguration.model_validate(
    {
        "cohort": {"use": "phantom", **COHORT},
        "seeds": [0],
        "split": {
            "parties": [{"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["T2"]}],
            "channels": (4, 8),
            "party_levels": 2,
        },
        "adversaries": [{"preset": "curious-server"}],
        "attacks": [{"use": "decoder-inversion"}],
    }
)  # fmt: skip
# Everything that a silent attack can show: thirty patients, five seeds, surely nothing above .04.
SILENT = Figure(
    mean=0.0, lower=-0.05, upper=0.05, level=0.95, at_least=-0.04, at_most=0.04, n_patients=30,
    n_samples=300, n_seeds=5, worst=0.04, worst_patient="P01", tail=None, method="invented",
    undefined="", direction=Direction.HIGHER, n_missing=0,
)  # fmt: skip
HOLD = Controls(open_leaks=True, shuffled_silent=True, effort_flat=True)


@pytest.fixture
def coding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defense of somebody's package, as if it were installed."""
    known = plugins.entries

    def entries(kind: Kind) -> Mapping[str, EntryPoint]:
        found = dict(known(kind))
        if kind is Kind.DEFENSE:
            found["coding"] = EntryPoint("coding", "lossless_codes:Coding", kind.value)
        return found

    monkeypatch.setattr(plugins, "entries", entries)


def trained(folder: Path, code: str, epochs: int = 1) -> TrainingResult:
    torch.set_num_threads(1)
    choice = CohortChoice(
        cohort=Use.model_validate({"use": "phantom", **COHORT}),
        groups=GroupSettings(training=12, auxiliary=4, validation=1),
        fingerprint=load_cohort("phantom", dict(COHORT)).fingerprint(),
    )
    cell = TrainingCell(
        choice=choice, split=CONFIGURATION.split,
        defenses=(Use.model_validate({"use": "coding", "code": code}),),
        training=TrainingSettings(epochs=epochs, batch_size=4),
        recording=RecordingSettings(epochs="all"), seed=0,
    )  # fmt: skip
    return run_training(cell, folder, lambda stage, fraction: None)


def judged(result: TrainingResult) -> Verdict:
    """The verdict on the images of party a, had every attack been as silent as can be."""
    training = TrainingId("none", 0)
    attack = AttackId(training, "curious-server", "decoder-inversion")
    done = Finished({training: result}, {attack: AttackResult(status="done")}, {}, ())
    question = Question("none", "curious-server", "a", "images", "ssim", "foreground")
    expected = planned(CONFIGURATION, done)
    doubts = [*expected.doubts(question, {}, ()), *expected.carries(question)]
    return judge(SILENT, HOLD, threshold=0.1, doubts=doubts).verdict


@pytest.mark.usefixtures("coding")
@pytest.mark.parametrize(
    "code",
    ["cosine_transform", "sign_and_scale", "decoy_beside", "rotation_of_a_message",
     "mixing_of_a_batch", "one_in_clear", "early_epoch_only"],
)  # fmt: skip
def test_silence_about_what_is_still_there_is_not_called_none(tmp_path: Path, code: str) -> None:
    epochs = 2 if code == "early_epoch_only" else 1
    assert judged(trained(tmp_path, code, epochs)) is Verdict.INCONCLUSIVE


@pytest.mark.usefixtures("coding")
@pytest.mark.parametrize("code", ["fresh_noise", "constant"])
def test_where_nothing_is_there_silence_is_reached(tmp_path: Path, code: str) -> None:
    assert judged(trained(tmp_path, code)) is Verdict.NONE_SHOWN

"""A horizontal split from training to judged attacks: each party through its own patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from leakaudit.cells import training_cell
from leakaudit.cells.attack_cell import AttackResult, run_attack
from leakaudit.cells.training_cell import TRACE_FOLDER, TrainingResult, run_training
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.judgement.gallery import draw_gallery
from leakaudit.judgement.utility import costs
from leakaudit.plan.cells import AttackCell, CohortChoice, Interfering, TrainingCell
from leakaudit.plan.configuration import AttackUse, Use
from leakaudit.plan.materials import load_cohort, materials
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.knowledge import Adversary
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.loop import alone
from leakaudit.training.settings import TrainingSettings

Run = Callable[..., AttackResult]
COHORT: dict[str, Any] = {"patients": 16, "slices_per_patient": 2, "size": 24}
SPLIT = SplitSpec.model_validate(
    {
        "orientation": "horizontal",
        "parties": [
            {"name": "a", "modalities": ("FLAIR",), "share": 2},
            {"name": "b", "modalities": ("FLAIR",)},
        ],
        "channels": (4, 8),
        "party_levels": 1,
    }
)
TRAINED = 9
SERVER = Adversary.model_validate(
    {"name": "server", "position": "server", "grants": ("auxiliary-images",)}
)

pytestmark = pytest.mark.filterwarnings("ignore")


def silent(stage: str, fraction: float) -> None:
    assert 0 <= fraction <= 1


@pytest.fixture(scope="module")
def choice() -> CohortChoice:
    return CohortChoice(
        cohort=Use.model_validate({"use": "phantom", **COHORT}),
        groups=GroupSettings(training=TRAINED, auxiliary=5, validation=2),
        fingerprint=load_cohort("phantom", COHORT).fingerprint(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("horizontal")


@pytest.fixture(scope="module")
def trained(choice: CohortChoice, folder: Path) -> TrainingResult:
    torch.set_num_threads(1)
    cell = TrainingCell(
        choice=choice, split=SPLIT, training=TrainingSettings(epochs=2, batch_size=6),
        recording=RecordingSettings(weight_updates=TRAINED), seed=0,
    )  # fmt: skip
    return run_training(cell, folder, silent)


@pytest.fixture(scope="module")
def run(choice: CohortChoice, folder: Path, trained: TrainingResult) -> Run:
    def attack(
        name: str, *, shuffled: bool = False, pictures: bool = False, **settings: Any
    ) -> AttackResult:
        cell = AttackCell(
            choice=choice, source="here", adversary=SERVER, shuffled=shuffled, seed=0,
            attack=AttackUse.model_validate({"use": name, **settings}),
            victims=None, lpips=None, pictures=pictures,
        )  # fmt: skip
        return run_attack(cell, folder / TRACE_FOLDER, folder, silent)

    return attack


def held(folder: Path, party: str) -> set[str]:
    description = TraceReader(folder / TRACE_FOLDER).description
    return {entry.patient for entry in description.samples if entry.party == party}


def test_the_trace_says_who_holds_whom_and_what_each_sent_to_be_averaged(
    trained: TrainingResult, folder: Path
) -> None:
    a, b = held(folder, "a"), held(folder, "b")
    assert (len(a), len(b), len(a & b)) == (6, 3, 0)
    reader = TraceReader(folder / TRACE_FOLDER)
    for party, patients in (("a", a), ("b", b)):
        rounds = [update for update in reader.updates(party, 1, reader.samples) if not update.cut]
        assert [len(update.rows) for update in rounds] == [2 * len(patients)]
        assert set(rounds[0].weights) == {
            name for name, _ in reader.rebuilt().party(party, 1).encoder.named_parameters()
        }
    dice = trained.utility["WT"].dice
    assert len(dice) == 2


def test_a_patients_bytes_are_those_of_one_link(trained: TrainingResult) -> None:
    (cost,) = costs({TrainingId("none", 0): trained}, SPLIT)
    # Two slices, there and back, four channels of 24 x 24 floats.
    assert cost.bytes_per_patient == 2 * 2 * 4 * 24 * 24 * 4


def test_the_gallery_shows_each_partys_patients_beside_what_was_guessed(
    run: Run, choice: CohortChoice, folder: Path, tmp_path: Path
) -> None:
    result = run("decoder-inversion", pictures=True, steps=2, channels=8)
    attack = AttackId(TrainingId("none", 0), "server", "decoder-inversion")
    pictures = draw_gallery(
        {attack: result}, {attack: folder}, materials(choice), SPLIT, tmp_path, None
    )
    for party in ("a", "b"):
        mine = [each for each in pictures if each.victim == party]
        assert {each.column for each in mine} == {"truth", "all cuts", "blind", "decoy"}
        assert {each.patient for each in mine if each.column == "truth"} <= held(folder, party)
        guessed = {each.sha256 for each in mine if each.column == "all cuts"}
        assert guessed.isdisjoint({each.sha256 for each in mine if each.column == "blind"})
        for each in mine:
            if each.column == "all cuts":
                assert np.asarray(Image.open(tmp_path / each.file)).any()


def test_images_are_read_off_each_partys_own_messages(run: Run, folder: Path) -> None:
    result = run("decoder-inversion", steps=20, channels=8)
    assert result.status == "done", result.reason
    lead = {s.victim: s for s in result.scores if (s.metric, s.region) == ("ssim", "foreground")}
    assert set(lead) == {"a", "b"}
    for party, score in lead.items():
        own = held(folder, party)
        for patient, value, blind in zip(result.patients, score.values, score.blind, strict=True):
            assert (value is not None) == (patient in own)
            assert (blind is not None) == (patient in own)
        values = [value for value in score.values if value is not None]
        blinds = [value for value in score.blind if value is not None]
        assert sum(values) / len(values) > sum(blinds) / len(blinds) + 0.1
    wrong = run("decoder-inversion", steps=20, channels=8, shuffled=True)
    for score in wrong.scores:
        if (score.metric, score.region) == ("ssim", "foreground"):
            values = [value for value in score.values if value is not None]
            blinds = [value for value in score.blind if value is not None]
            assert sum(values) / len(values) < sum(blinds) / len(blinds) + 0.05


def test_a_dishonest_server_pulls_all_parties_to_one_encoder_and_reads_each(
    choice: CohortChoice, tmp_path: Path
) -> None:
    hijacking = {"use": "feature-hijacking", "pilot_steps": 60, "steps": 20, "channels": 8}
    cheat = SERVER.model_copy(update={"behaviour": "active"})
    cell = TrainingCell(
        choice=choice, split=SPLIT.model_copy(update={"channels": (8, 16)}),
        training=TrainingSettings(epochs=12, batch_size=6, learning_rate=8e-3), seed=0,
        recording=RecordingSettings(),
        interfering=Interfering(adversary=cheat, attack=Use.model_validate(hijacking)),
    )  # fmt: skip
    run_training(cell, tmp_path, silent)
    read = AttackCell(
        choice=choice, source="here", adversary=cheat, seed=0, victims=None, lpips=None,
        attack=AttackUse.model_validate(hijacking), pictures=False,
    )  # fmt: skip
    result = run_attack(read, tmp_path / TRACE_FOLDER, tmp_path, silent)
    assert result.status == "done", result.reason
    lead = {s.victim: s for s in result.scores if (s.metric, s.region) == ("ssim", "foreground")}
    assert set(lead) == {"a", "b"}
    for score in lead.values():
        values = [value for value in score.values if value is not None]
        blinds = [value for value in score.blind if value is not None]
        assert sum(values) / len(values) > sum(blinds) / len(blinds) + 0.1


def test_images_are_matched_to_the_updates_a_server_sees_without_a_grant(run: Run) -> None:
    result = run("gradient-inversion", steps=5)
    assert result.status == "done", result.reason
    assert {score.victim for score in result.scores} == {"a", "b"}


def test_attacks_on_all_patients_together_say_why_they_cannot_be_mounted(run: Run) -> None:
    result = run("gradient-matching")
    assert result.status == "not mountable"


def test_a_party_alone_trains_on_its_own_patients(
    choice: CohortChoice, folder: Path, trained: TrainingResult, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = materials(choice)
    seen: list[int] = []
    train = training_cell.train

    def watched(holdings: Any, rows: torch.Tensor, *others: Any, **named: Any) -> Any:
        seen.extend(rows.tolist())
        return train(holdings, rows, *others, **named)

    monkeypatch.setattr(training_cell, "train", watched)
    cell = TrainingCell(
        choice=choice, split=alone(SPLIT, "b"), dealt_by=SPLIT, seed=0,
        training=TrainingSettings(epochs=1, batch_size=2),
    )  # fmt: skip
    run_training(cell, tmp_path, silent)
    assert {str(given.cohort.patients[row]) for row in seen} == held(folder, "b")

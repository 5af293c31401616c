"""Attack cells on one small recorded training: who can mount what, and what is said of a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from leakaudit.cells.attack_cell import AttackResult, run_attack
from leakaudit.cells.cell_judge import TargetScores
from leakaudit.cells.training_cell import TRACE_FOLDER, run_training
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.plan.cells import AttackCell, CohortChoice, TrainingCell
from leakaudit.plan.configuration import AttackUse
from leakaudit.plan.materials import load_cohort
from leakaudit.plan.tables import Use
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.knowledge import PRESETS, Adversary
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.settings import TrainingSettings

Run = Callable[..., AttackResult]
COHORT: dict[str, Any] = {"patients": 20, "slices_per_patient": 3, "size": 32}
PARTIES = ({"name": "a", "modalities": ("T1",)}, {"name": "b", "modalities": ("FLAIR",)})
TRAINED = 10

pytestmark = pytest.mark.filterwarnings("ignore")


def silent(stage: str, fraction: float) -> None:
    assert 0 <= fraction <= 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trains once; then any attack by any adversary."""
    return trained(tmp_path_factory.mktemp("cells"))


def trained(folder: Path, **split: Any) -> Run:
    torch.set_num_threads(1)
    choice = CohortChoice(
        cohort=Use.model_validate({"use": "phantom", **COHORT}),
        groups=GroupSettings(training=TRAINED, auxiliary=7, validation=3),
        fingerprint=load_cohort("phantom", COHORT).fingerprint(),
    )
    training = TrainingCell(
        choice=choice,
        split=SplitSpec.model_validate(
            {"parties": PARTIES, "channels": (4, 8), "party_levels": 2, **split}
        ),
        training=TrainingSettings(epochs=2, batch_size=10),
        recording=RecordingSettings(weight_updates=2),
        seed=0,
    )
    run_training(training, folder, silent)

    def attack(
        name: str, adversary: Adversary, *, shuffled: bool = False, **settings: Any
    ) -> AttackResult:
        cell = AttackCell(
            choice=choice, source="here", adversary=adversary, shuffled=shuffled, seed=0,
            attack=AttackUse.model_validate({"use": name, **settings}),
            victims=None, lpips=None, pictures=False,
        )  # fmt: skip
        return run_attack(cell, folder / TRACE_FOLDER, folder, silent)

    return attack


def preset(name: str, **changes: Any) -> Adversary:
    return Adversary.model_validate(PRESETS[name] | changes)


def leading(result: AttackResult, levels: tuple[int, ...] = (0, 1)) -> TargetScores:
    assert result.status == "done", result.reason
    return next(s for s in result.scores if s.victim == "b" and s.levels == levels)


def mean(values: tuple[float | None, ...]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def test_people_are_picked_out_of_a_line_up_by_what_was_sent(run: Run) -> None:
    found = leading(run("re-identification", preset("curious-server")))
    assert (found.asset, found.metric) == ("identity", "re-identification")
    assert found.chance == pytest.approx(1 / TRAINED)
    assert mean(found.values) > 0.7
    assert mean(found.blind) == pytest.approx(1 / TRAINED)
    assert len(found.match_curve) == TRAINED
    assert found.samples == 2 * TRAINED  # the middle slice of three stands in the line-up
    assert len(found.curve_auxiliary) == 3
    wrong = leading(run("re-identification", preset("curious-server"), shuffled=True))
    assert mean(wrong.values) < 1 / TRAINED


def test_pictures_point_at_people_beside_what_true_pictures_would(run: Run) -> None:
    asked = {"steps": 20, "channels": 8, "copies": 0}
    result = run("decoder-inversion", preset("curious-server"), **asked)
    found = next(s for s in result.scores if (s.victim, s.asset) == ("b", "identity"))
    assert found.question == "same scan"
    assert found.chance == pytest.approx(1 / TRAINED)
    assert found.ceiling is not None
    assert mean(found.ceiling) > 0.8
    assert found.samples == 2 * TRAINED  # the held slice is not asked about, others are linked
    assert set(found.values) <= {0.0, 1.0}
    # Without a message everybody's picture is the same, and names the same person for all.
    assert mean(found.blind) == pytest.approx(1 / TRAINED)
    apart = run("decoder-inversion", preset("curious-server", linked=False), **asked)
    single = next(s for s in apart.scores if (s.victim, s.asset) == ("b", "identity"))
    assert single.ceiling is not None
    assert mean(single.ceiling) <= mean(found.ceiling)
    assert 0.5 in {*single.ceiling, *single.values}


def test_nobody_is_picked_out_where_no_candidate_image_or_study_is_there(run: Run) -> None:
    asked = {"steps": 5, "channels": 8, "copies": 0}
    nobody = preset("curious-server", grants=("queries", "auxiliary-images"))
    result = run("decoder-inversion", nobody, **asked)
    assert {score.asset for score in result.scores} == {"images"}
    assert "candidate-images" in result.unasked
    later = run("decoder-inversion", preset("curious-server", question="another study"), **asked)
    assert {score.asset for score in later.scores} == {"images"}
    assert "tells no studies apart" in later.unasked
    messages = run("re-identification", preset("curious-server", question="another study"))
    assert messages.status == "not mountable"
    assert "tells no studies apart" in messages.reason


def test_blind_guesses_of_one_line_up_are_not_taken_for_another(run: Run) -> None:
    """Two membership attacks in one process: their controls stand before different people."""
    knowing = preset("curious-server-with-weights")
    through_messages = leading(run("membership-inference", knowing, shuffled=True))
    asked = {"references": 2, "steps": 5}
    through_model = leading(run("model-membership-inference", knowing, shuffled=True, **asked))
    for found, people in ((through_messages, TRAINED // 2), (through_model, TRAINED)):
        assert sum(value is not None for value in found.blind) == people
        assert mean(found.blind) == 0.5


def test_a_tap_on_the_wire_draws_masks_better_than_where_lesions_are_likeliest(run: Run) -> None:
    result = run("mask-inference", preset("wire-tap"))
    found = result.scores[0]
    assert (found.victim, found.asset, found.metric) == ("server", "masks", "dice")
    assert result.blind_methods["server masks"] == "likeliest place"
    assert mean(found.blind) > 0
    holder = run("mask-inference", preset("curious-server"))
    assert holder.status == "not mountable"
    assert "holds all the masks itself" in holder.reason


def test_a_server_reads_the_masks_that_a_party_holds_off_what_it_sends_back(
    tmp_path: Path,
) -> None:
    run = trained(tmp_path, labels_at="b")
    for position, least in (
        (preset("curious-server"), 0.99),
        # Whoever does not know the head sees its three regions as one.
        (preset("wire-tap", members=("b",)), 0.5),
    ):
        found = run("mask-inference", position).scores[0]
        assert (found.victim, found.asset, found.metric) == ("b", "masks", "dice")
        assert mean(found.values) > least
        assert 0 < mean(found.blind) < 0.2
        wrong = run("mask-inference", position, shuffled=True).scores[0]
        assert mean(wrong.values) < mean(wrong.blind) + 0.1  # of ten patients
    holder = run("mask-inference", preset("curious-party", members=("b",)))
    assert "holds all the masks itself" in holder.reason


def test_who_trained_is_told_of_outsiders_and_not_where_the_messages_are_others(run: Run) -> None:
    curious = preset("curious-server")
    found = leading(run("membership-inference", curious))
    assert (found.asset, found.metric, found.chance) == ("membership", "auc", 0.5)
    assert found.trials == 3
    assert mean(found.values) > 0.9
    assert mean(found.blind) == 0.5
    control = leading(run("membership-inference", curious, shuffled=True))
    assert sum(value is not None for value in control.values) == TRAINED // 2
    party = run("membership-inference", preset("curious-party", members=("a",)))
    assert party.status == "not mountable"
    assert "holds all the membership itself" in party.reason


def test_who_trained_is_asked_of_the_whole_network_and_in_the_control_of_the_wrong_people(
    run: Run,
) -> None:
    asked = {"references": 2, "steps": 5}
    knowing = preset("curious-server-with-weights")
    assert "candidate-labels" in knowing.grants
    result = run("model-membership-inference", knowing, **asked)
    assert {score.levels for score in result.scores} == {(0, 1)}
    found = leading(result)
    assert (found.asset, found.metric, found.trials) == ("membership", "auc", 3)
    assert len(found.curve) == 2
    control = leading(run("model-membership-inference", knowing, shuffled=True, **asked))
    assert sum(value is not None for value in control.values) == TRAINED
    assert control.values != found.values
    tap = run("model-membership-inference", preset("wire-tap"), **asked)
    assert tap.status == "not mountable"
    assert "server-weights" in tap.reason


def test_attributes_are_for_those_who_do_not_hold_the_labels(run: Run) -> None:
    tap = preset("wire-tap")
    found = leading(run("attribute-inference", tap, attribute="lesion side"))
    assert (found.asset, found.metric) == ("attribute", "auc")
    assert mean(found.values) > 0.7
    assert mean(found.blind) == 0.5
    server = run("attribute-inference", preset("curious-server"), attribute="lesion side")
    assert server.status == "not mountable"
    assert "holds all the attribute itself" in server.reason

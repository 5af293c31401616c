"""What a training cell reports of its defenses: what they cost on the wire, what they claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakaudit.cells.training_cell import TrainingResult, result_of_trace, run_training
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.judgement.summary import defense_summaries
from leakaudit.plan.cells import CohortChoice, TrainingCell
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import load_cohort, materials
from leakaudit.plan.tables import DefenseStack, Use
from leakaudit.split.spec import SplitSpec
from leakaudit.trace import RecordingSettings
from leakaudit.trace.reader import TraceReader
from leakaudit.training.settings import TrainingSettings

COHORT = {"patients": 6, "size": 16, "slices_per_patient": 1}
SPLIT = SplitSpec.model_validate(
    {
        "parties": [
            {"name": "a", "modalities": ["T1"]},
            {"name": "b", "modalities": ["FLAIR"]},
        ],
        "channels": (4, 8),
        "party_levels": 2,
        "labels_at": "b",
    }
)
STACKS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "few bits of few channels": [
        {"use": "channel-pruning", "keep": 0.3, "parties": ["a"]},
        {"use": "quantization", "bits": 4, "direction": "both", "levels": [1]},
    ],
    "noise": [{"use": "gaussian-noise", "noise_multiplier": 1.0}],
    "bounded noise": [{"use": "gaussian-noise", "noise_multiplier": 900.0, "clip_norm": 1.0}],
}


CHOICE = CohortChoice(
    cohort=Use.model_validate({"use": "phantom", **COHORT}),
    groups=GroupSettings(training=4, auxiliary=1, validation=1),
    fingerprint=load_cohort("phantom", dict(COHORT)).fingerprint(),
)


def uses(label: str) -> tuple[Use, ...]:
    return tuple(Use.model_validate(use) for use in STACKS[label])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, TrainingResult]:
    return {
        label: run_training(
            TrainingCell(
                choice=CHOICE,
                split=SPLIT,
                defenses=uses(label),
                training=TrainingSettings(epochs=1, batch_size=2),
                recording=RecordingSettings(),
                seed=0,
            ),
            folder / label,
            lambda stage, fraction: None,
        )
        for label in STACKS
    }


def test_bytes_are_those_of_the_encoded_message(results: dict[str, TrainingResult]) -> None:
    shares = {
        (route.sender, route.receiver, route.cut): route.bytes_per_patient / plain.bytes_per_patient
        for route, plain in zip(
            results["few bits of few channels"].routes, results["none"].routes, strict=True
        )
    }
    # 1 of 4 and 2 of 8 channels; 4 of 32 bits; neither touches what the label holder exchanges.
    assert shares == {
        ("a", "server", "level 0"): 1 / 4,
        ("a", "server", "level 1"): 1 / 4 * 4 / 32,
        ("b", "server", "level 0"): 1,
        ("b", "server", "level 1"): 4 / 32,
        ("server", "a", "level 0"): 1,
        ("server", "a", "level 1"): 4 / 32,
        ("server", "b", "level 0"): 1,
        ("server", "b", "level 1"): 4 / 32,
        ("server", "b", "head"): 1,
        ("b", "server", "head"): 1,
    }
    assert results["none"].routes[0].bytes_per_patient == 4 * 16 * 16 * 4


def test_a_trace_recorded_elsewhere_tells_the_same_bytes_and_claims_nothing(
    results: dict[str, TrainingResult], folder: Path
) -> None:
    label = "few bits of few channels"
    told = result_of_trace(TraceReader(folder / label / "trace"), materials(CHOICE))
    assert told.routes == results[label].routes
    assert told.no_claim_because is not None
    assert "released" in told.no_claim_because


def test_a_missing_claim_has_the_defense_s_own_reason(results: dict[str, TrainingResult]) -> None:
    configuration = AuditConfiguration.model_validate(
        {
            "cohort": {"use": "phantom"},
            "split": SPLIT,
            "adversaries": [{"preset": "curious-server"}],
            "attacks": [{"use": "decoder-inversion"}],
            "defenses": [DefenseStack(label=label, stack=uses(label)) for label in STACKS],
        }
    )
    trained = {label: each for label, each in results.items() if label != "noise"}
    said = {each.label: each for each in defense_summaries(configuration, trained)}
    assert said["none"].no_claim_because == "nothing defends"
    assert said["noise"].no_claim_because == "no training under it finished"
    pruned = said["few bits of few channels"].no_claim_because
    assert pruned is not None
    assert "ChannelPruning bounds no privacy loss" in pruned
    assert said["bounded noise"].no_claim_because is None
    assert said["bounded noise"].claims
    assert "clip" in (results["noise"].no_claim_because or "")


def test_every_claim_is_put_to_the_test(results: dict[str, TrainingResult]) -> None:
    (check,) = results["bounded noise"].claim_checks
    claim = next(claim for claim in results["bounded noise"].claims if claim is not None)
    assert check.claimed_epsilon == claim.epsilon
    assert f"= {check.releases} releases" in claim.composition
    assert not check.refuted
    assert results["noise"].claim_checks == results["none"].claim_checks == ()

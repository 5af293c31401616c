"""What was planned and is not there, from the cells that finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.finished import CellFailure, Finished
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.judgement.burden import unexplained
from leakaudit.judgement.claims import claim_checks
from leakaudit.judgement.unfinished import Shortfall, planned
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.plan import AttackId, CellId, InterferedId, TrainingId
from leakaudit.plan.tables import DefenseStack
from leakaudit.record import ClaimCheck

CONFIGURATION = AuditConfiguration.model_validate(
    {
        "cohort": {"use": "phantom"},
        "seeds": [3, 4],
        "split": {
            "parties": [{"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["T2"]}]
        },
        "adversaries": [{"preset": "curious-server"}, {"preset": "wire-tap"}],
        "attacks": [
            {"use": "decoder-inversion"},
            {"use": "mask-inference", "label": "masks", "adversaries": ["curious-server"]},
        ],
    }
)
EVERY = [
    ("curious-server", "decoder-inversion"),
    ("wire-tap", "decoder-inversion"),
    ("curious-server", "masks"),
]
LAST = AttackId(TrainingId("none", 4), "curious-server", "decoder-inversion")


def finished(
    *failures: CellFailure, lost: AttackId | None = None, **refused: AttackResult
) -> Finished:
    attacks = {
        AttackId(TrainingId("none", seed), adversary, attack): AttackResult(status="done")
        for adversary, attack in EVERY
        for seed in CONFIGURATION.seeds
    }
    for place, result in refused.items():
        attacks |= {key: result for key in attacks if key.attack == place}
    if lost is not None:
        del attacks[lost]
    return Finished({}, attacks, {}, failures)


def test_a_defense_that_nobody_reads_through_is_named_for_its_setting_alone() -> None:
    shuffled = DefenseStack.model_validate(
        {"label": "shuffled", "stack": [{"use": "dropout"}, {"use": "patch-shuffle", "grid": 2}]}
    )
    configuration = CONFIGURATION.model_copy(
        update={"defenses": (*CONFIGURATION.defenses, shuffled)}
    )
    found = planned(configuration, finished()).unexplained
    assert {setting for setting, why in found.items() if why} == {"shuffled"}
    (why,) = unexplained(shuffled)
    assert "what patch-shuffle does" in why


def test_an_attack_that_finished_under_every_seed_owes_nothing() -> None:
    """Each attack by those who were asked to mount it, and nobody else."""
    found = planned(CONFIGURATION, finished())
    assert found.seeds == 2
    assert found.shortfalls == ()


@pytest.mark.parametrize(
    "cell",
    [LAST, LAST.training, InterferedId(LAST.training, LAST.adversary, LAST.attack)],
    ids=["the attack", "its training", "a training of its own"],
)
def test_a_crash_says_under_how_many_seeds_and_why(cell: CellId) -> None:
    done = finished(CellFailure(cell, "out of memory"), lost=LAST)
    assert planned(CONFIGURATION, done).shortfalls == (
        Shortfall(
            "none",
            "curious-server",
            "decoder-inversion",
            ("images", "identity"),
            failed=True,
            reason="decoder-inversion did not finish under 1 of 2 seeds (out of memory)",
        ),
    )


def test_a_repeat_that_did_not_finish_is_owed_like_a_seed() -> None:
    twice = CONFIGURATION.model_copy(update={"attack_repeats": 2})
    (found,) = planned(CONFIGURATION, finished(lost=LAST)).shortfalls
    assert found.reason == "decoder-inversion did not finish under 1 of 2 seeds (no result)"
    done = finished()
    done.attacks.update(
        {replace(key, repeat=1): result for key, result in done.attacks.items() if key != LAST}
    )
    (found,) = planned(twice, done).shortfalls
    assert (found.adversary, found.failed) == ("curious-server", True)
    assert found.reason == "decoder-inversion did not finish under 1 of 4 runs (no result)"


@pytest.mark.parametrize(("status", "failed"), [("attack invalid", True), ("not mountable", False)])
def test_what_cannot_be_mounted_is_no_failure(status: str, failed: bool) -> None:
    result = AttackResult.model_validate({"status": status, "reason": "no gradient"})
    (found,) = planned(CONFIGURATION, finished(masks=result)).shortfalls
    assert (found.attack, found.assets, found.failed) == ("masks", ("masks",), failed)
    assert "no gradient" in found.reason


def _trained(*checks: ClaimCheck) -> TrainingResult:
    return TrainingResult(
        utility={}, losses=(), seconds_per_step=None, peak_memory_bytes=None, routes=(),
        parameters={}, stack=(), claims=(), no_claim_because=None, crossing=(0,),
        recorded_epochs=(0,), claim_checks=checks,
    )  # fmt: skip


def test_a_claim_refuted_by_one_training_keeps_silence_under_it_from_counting() -> None:
    check = ClaimCheck(
        mechanism="Gaussian mechanism", method="replayed", claimed_epsilon=8.0, delta=1e-5,
        shown_epsilon=7.8, largest_epsilon=20.0, draws=20_000, releases=90, refuted=False,
        reason="no less noise",
    )  # fmt: skip
    false = check.model_copy(
        update={"shown_epsilon": 9.5, "refuted": True, "reason": "less noise at b"}
    )
    trainings = {TrainingId("none", 3): _trained(check), TrainingId("none", 4): _trained(false)}
    (kept,) = claim_checks(trainings)
    assert kept == false.model_copy(update={"setting": "none"})
    done = finished()
    assert not any("less noise" in why for why in planned(CONFIGURATION, done).unexplained["none"])
    done = replace(done, trainings=trainings)
    assert any("less noise at b" in why for why in planned(CONFIGURATION, done).unexplained["none"])

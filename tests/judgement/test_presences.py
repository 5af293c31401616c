"""What the controls of messages keep from being called silence, over seeds."""

from __future__ import annotations

import pytest

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.finished import Finished
from leakaudit.cells.presence import Presence
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.judgement.claims import doubtful_claims
from leakaudit.judgement.presences import LEVEL, presences
from leakaudit.judgement.unfinished import Question, planned
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.record import Asset, ClaimCheck

CONFIGURATION = AuditConfiguration.model_validate(
    {
        "cohort": {"use": "phantom"},
        "seeds": [3, 4],
        "split": {
            "parties": [{"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["T2"]}]
        },
        "adversaries": [
            {"preset": "curious-server"},
            {"preset": "curious-party", "name": "party", "members": ["b"]},
        ],
        "attacks": [{"use": "decoder-inversion"}],
    }
)


def looked_at(p: float | None, **more: object) -> Presence:
    some = {"patients": ("P1", "P2"), "shares": (1.0, 0.5), "smallest_p": 2e-4} if p else {}
    return Presence.model_validate(
        {"party": "a", "epochs": (7,), "p": p, "strongest": "as sent, level 0, epoch 7"}
        | some | more
    )  # fmt: skip


def trained(*seeds: Presence) -> dict[TrainingId, TrainingResult]:
    return {
        TrainingId("none", seed): TrainingResult(
            utility={}, losses=(), seconds_per_step=None, peak_memory_bytes=None, routes=(),
            parameters={}, stack=(), claims=(), no_claim_because=None, crossing=(0, 1),
            recorded_epochs=(7,), presence=(found,),
        )
        for seed, found in zip((3, 4), seeds, strict=False)
    }  # fmt: skip


def doubts(
    *seeds: Presence, asset: Asset = "images", adversary: str = "curious-server", victim: str = "a"
) -> list[str]:
    attacks = {
        AttackId(TrainingId("none", seed), by.name, "decoder-inversion"): AttackResult(
            status="done"
        )
        for seed in CONFIGURATION.seeds
        for by in CONFIGURATION.adversaries
    }
    found = planned(CONFIGURATION, Finished(trained(*seeds), attacks, {}, ()))
    question = Question("none", adversary, victim, asset, "ssim", "foreground")
    return [*found.doubts(question, {}, ()), *found.carries(question)]


@pytest.mark.parametrize("asset", ["images", "identity"])
def test_messages_that_carry_the_image_are_not_silent(asset: Asset) -> None:
    (said,) = doubts(looked_at(2e-4), looked_at(0.6), asset=asset)
    assert "the messages carry the image" in said
    assert "p 0.0004" in said  # twice the smaller one: two seeds were looked at


def test_seeds_are_corrected_for() -> None:
    assert doubts(looked_at(LEVEL), looked_at(0.6)) == []
    assert doubts(looked_at(LEVEL / 2), looked_at(0.6)) != []


def test_it_speaks_of_this_victim_s_images_and_of_who_sees_the_messages() -> None:
    surely = looked_at(2e-4)
    assert doubts(surely, asset="masks") == []
    assert doubts(surely, victim="b") == []
    assert doubts(surely, adversary="party") == []


def test_one_patient_who_stands_out_is_enough() -> None:
    (said,) = doubts(looked_at(0.5, unlike=("P1",)), looked_at(0.5))
    assert "1 patient (P1)" in said
    (said,) = doubts(looked_at(0.5), looked_at(0.5, in_clear=("P2",)))
    assert "1 patient (P2)" in said


def unlike(*seeds: Presence) -> tuple[str, ...]:
    results = {
        TrainingId("none", seed): trained(found)[TrainingId("none", 3)]
        for seed, found in enumerate(seeds)
    }
    (entry,) = presences(results, CONFIGURATION.split)
    return entry.unlike


def test_a_patient_stands_out_under_half_of_the_seeds_or_by_far() -> None:
    none, first, second = (looked_at(0.5, unlike=names) for names in ((), ("P1",), ("P2",)))
    assert unlike(first, none, none) == ()
    assert unlike(first, first, none) == ("P1",)
    assert unlike(first, first, second) == ("P1",)
    # Another one in each training, as who happens to cross first.
    assert unlike(first, second, none) == ("P1", "P2")
    far = looked_at(0.5, unlike=("P2",), nothing_like=("P2",))
    assert unlike(far, none, none, none, none) == ("P2",)


def test_what_was_not_run_is_said_and_no_number() -> None:
    (entry,) = presences(
        trained(looked_at(None, reason="nobody can be asked")), CONFIGURATION.split
    )
    assert (entry.rate, entry.p, entry.fired) == (None, None, False)
    assert entry.reason == "not run: nobody can be asked"


def test_a_control_that_cannot_fire_keeps_silence_from_counting() -> None:
    (said,) = doubts(looked_at(0.5, smallest_p=1 / 24), looked_at(0.5, smallest_p=1 / 24))
    assert "the presence control cannot be sure with 2 patients" in said
    (said,) = doubts(looked_at(None, reason="nobody can be asked"))
    assert said == "the presence control was not run: nobody can be asked"
    assert doubts(looked_at(0.5), looked_at(0.5)) == []


def test_a_claim_that_was_not_tested_keeps_silence_from_counting() -> None:
    check = ClaimCheck(
        mechanism="gaussian", method="none", claimed_epsilon=1.0, delta=1e-5, shown_epsilon=None,
        largest_epsilon=None, draws=0, releases=0, refuted=False, reason="could not be replayed",
    )  # fmt: skip
    results = {
        identity: result.model_copy(update={"claim_checks": (check,)})
        for identity, result in trained(looked_at(0.5), looked_at(0.5)).items()
    }
    (said,) = doubtful_claims(results)["none"]
    assert "was not tested (could not be replayed)" in said
    tested = check.model_copy(update={"draws": 20_000, "shown_epsilon": 0.9})
    fine = {
        key: each.model_copy(update={"claim_checks": (tested,)}) for key, each in results.items()
    }
    assert doubtful_claims(fine) == {}


def test_too_few_patients_are_told_from_silence() -> None:
    (entry,) = presences(trained(looked_at(0.5, smallest_p=1 / 24)), CONFIGURATION.split)
    assert not entry.fired
    assert "cannot be sure with 2 patients" in entry.reason
    (entry,) = presences(trained(looked_at(0.5)), CONFIGURATION.split)
    assert entry.reason == "does not surely tell which image was sent"

"""What attacks tried to read messages by, put together over runs."""

from __future__ import annotations

import math

import pytest

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.ways import Way
from leakaudit.judgement.portfolios import portfolios
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.record import Portfolio
from leakaudit.split.spec import SplitSpec

SPLIT = SplitSpec.model_validate(
    {
        "parties": [{"name": "a", "modalities": ["T1"]}, {"name": "b", "modalities": ["T2"]}],
        "channels": [4, 8],
        "party_levels": 2,
    }
)


def way(name: str, told: float | None, *, used: bool = False, problem: str = "") -> Way:
    return Way(
        victim="a", levels=(1,), kind="undoing", way=name, told=told, used=used, problem=problem
    )


def found(*runs: tuple[Way, ...], shuffled: bool = False) -> tuple[Portfolio, ...]:
    attacks = {
        AttackId(TrainingId("none", seed), "server", "inversion", shuffled=shuffled): AttackResult(
            status="done", ways=ways
        )
        for seed, ways in enumerate(runs)
    }
    return portfolios(attacks.items(), SPLIT)


def test_runs_are_put_together() -> None:
    (entry,) = found(
        (way("as sent", 0.1), way("whitened", 0.7, used=True), way("sorted", None, problem="few")),
        (way("as sent", 0.3, used=True), way("whitened", 0.1)),
    )
    assert (entry.setting, entry.victim, entry.runs) == ("none", "a", 2)
    assert entry.cuts == (SPLIT.cut_name(1),)
    assert [(each.way, each.used, each.runs) for each in entry.ways] == [
        ("whitened", 1, 2), ("as sent", 1, 2),
    ]  # fmt: skip
    assert [each.told for each in entry.ways] == pytest.approx([0.4, 0.2])
    assert entry.skipped == {"few": ("sorted",)}


def test_what_was_used_and_messages_as_sent_are_always_listed() -> None:
    others = tuple(way(f"way {number}", 0.9 - number / 100) for number in range(20))
    (entry,) = found((way("as sent", -3.0), way("used", 0.1, used=True), *others))
    names = [each.way for each in entry.ways]
    assert names[0] == "way 0"
    assert names[-2:] == ["used", "as sent"]
    assert entry.others == 22 - len(names) > 0


def test_what_is_not_finite_is_no_number() -> None:
    (entry,) = found((way("as sent", 0.1), way("overflowing", math.inf)))
    assert [each.way for each in entry.ways] == ["as sent"]
    assert entry.skipped == {"what it told is not finite": ("overflowing",)}


def test_controls_are_no_choices() -> None:
    assert found((way("as sent", 0.1),), shuffled=True) == ()

"""What the terminal says of a sweep."""

from __future__ import annotations

import pytest
from example_answer import answered_record
from example_records import WITHHELD, example_record

from leakaudit.cli.answer import show_answer
from leakaudit.record import Uncovered


def test_the_least_defense_its_price_and_what_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(answered_record())
    said = " ".join(capsys.readouterr().out.split())
    assert f"Least defense that meets every target: {WITHHELD}, Dice -0.03 [-0.04, -0.02]." in said
    assert "Picked of 3 settings; each bound is that of one setting" in said
    assert "1 of 8 strengths audited, 4242 cells saved" in said
    assert "0.37 [0.32, 0.42]" in said
    assert "at most 0.5171" in said


def test_a_leak_that_no_target_covers_is_said_after_the_least_defense(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = answered_record()
    assert record.answer is not None
    leak = Uncovered(adversary="curious server", asset="identity", victim="T1")
    answer = record.answer.model_copy(update={"uncovered": (leak,)})
    show_answer(record.model_copy(update={"answer": answer}))
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (
        f"Leaks shown under {WITHHELD} that no target covers: identity of T1 by curious server."
    )


def test_a_useless_setting_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    record = answered_record()
    assert record.answer is not None
    answer = record.answer.model_copy(update={"useless": (WITHHELD,)})
    show_answer(record.model_copy(update={"answer": answer}))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "Dice below the floor" in line] == [
        WITHHELD.split()[0]
    ]


def test_what_came_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(answered_record(met=False))
    said = " ".join(capsys.readouterr().err.split())
    assert "No setting meets every target" in said
    assert f"nearest came {WITHHELD} (+0.28 to the target)" in said


def test_rules_of_a_policy_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(answered_record(met=False, rule="images"))
    printed = capsys.readouterr()
    assert "(policy 'Leakage policy of the network'): 'images': advantage in ssim" in (
        " ".join(printed.out.split())
    )
    said = " ".join(printed.err.split())
    assert f"nearest came {WITHHELD} (+0.28 at worst): 'images' is exceeded" in said


def test_that_nothing_came_nearest_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    record = answered_record(met=False)
    assert record.answer is not None
    bare = record.answer.model_copy(
        update={
            "nearest": None, "excess": None,
            "reason": "no setting meets every target, and none has bounds",
        }
    )  # fmt: skip
    show_answer(record.model_copy(update={"answer": bare}))
    said = " ".join(capsys.readouterr().err.split())
    assert said.lower().count("no setting meets every target") == 1
    assert "and none has bounds" in said


def test_a_record_without_an_answer_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(example_record())
    assert not capsys.readouterr().out

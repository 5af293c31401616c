"""A recommendation tells what leaks under it where nobody set a target."""

from __future__ import annotations

import pytest
from example_answer import answered_record
from example_records import NOISE, WITHHELD

from leakaudit.judgement.uncovered import with_uncovered
from leakaudit.record import Answer


def told(**changes: object) -> list[tuple[str, str, str]]:
    """Actor, asset and victim of what is told of the invented record's answer."""
    record = answered_record()
    assert record.answer is not None
    found: Answer = with_uncovered(record.answer.model_copy(update=changes), record)
    return [(each.adversary, each.asset, each.victim) for each in found.uncovered]


def test_what_leaks_without_a_target_is_told_by_its_worst_victim() -> None:
    """The target speaks of images against the server alone."""
    assert told() == [("curious party T1", "masks", "server")]
    assert told(least=NOISE) == [("curious server", "identity", "T1")]


def test_the_nearest_is_looked_at_where_none_meets_all() -> None:
    assert told(least=None, nearest=NOISE) == [("curious server", "identity", "T1")]


@pytest.mark.parametrize(
    ("change", "uncovered"),
    [
        ({"asset": None, "adversary": None, "metric": None}, set()),
        ({"asset": None, "adversary": None}, {"masks"}),  # what SSIM was not measured on
        ({"asset": "masks", "adversary": None, "metric": "dice"}, {"images"}),
        ({"victim": "FLAIR"}, {"images", "masks"}),
        ({"kind": "utility"}, {"images", "masks"}),
    ],
)
def test_a_target_covers_what_it_speaks_of(change: dict[str, object], uncovered: set[str]) -> None:
    record = answered_record()
    assert record.answer is not None
    target = record.answer.targets[0].model_copy(update=change)
    assert {asset for _, asset, _ in told(targets=(target,))} == uncovered
    assert {*told(least=WITHHELD, targets=())} == {
        ("curious server", "images", "FLAIR"),
        ("curious party T1", "masks", "server"),
    }

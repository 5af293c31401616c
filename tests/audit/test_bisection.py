"""The search finds what trying everything would, in few steps, and stops where Dice is gone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.audit.bisection import Tried, least_strength, next_strength, why_over


def walked(count: int, meets_from: int, hopeless_from: int) -> dict[int, Tried]:
    """Search among strengths whose answers are known; asked for one at a time."""
    tried: dict[int, Tried] = {}
    while (place := next_strength(count, tried)) is not None:
        assert 0 <= place < count
        assert place not in tried, "asked twice"
        tried[place] = Tried(place >= meets_from, place >= hopeless_from)
    return tried


@given(st.integers(1, 200), st.data())
def test_it_finds_what_trying_everything_would(count: int, data: st.DataObject) -> None:
    meets_from = data.draw(st.integers(0, count))
    hopeless_from = data.draw(st.integers(0, count))
    tried = walked(count, meets_from, hopeless_from)
    useful = meets_from < count and meets_from < hopeless_from
    assert least_strength(count, tried) == (meets_from if useful else None)
    assert len(tried) <= math.floor(math.log2(count)) + 1
    assert why_over(count, tried)


def test_hopeless_dice_ends_it_early() -> None:
    tried = walked(63, meets_from=63, hopeless_from=20)
    assert len(tried) == 1
    assert "floor already" in why_over(63, tried)
    assert len(walked(63, meets_from=63, hopeless_from=63)) == 6


@pytest.mark.parametrize(
    ("meets_from", "hopeless_from", "says"),
    [
        (0, 9, "weakest strength offered"),
        (3, 9, "next weaker"),
        (9, 9, "even the strongest"),
        (4, 4, "below the floor"),
    ],
)
def test_it_says_why_it_ended(meets_from: int, hopeless_from: int, says: str) -> None:
    assert says in why_over(9, walked(9, meets_from, hopeless_from))

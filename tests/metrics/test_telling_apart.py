"""Areas under a curve and rates at few false alarms, against slow naive versions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.errors import DataError
from leakaudit.metrics import AreaUnderCurve, TruePositiveRate
from leakaudit.statistics import estimate_rate

SCORES = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30)


@given(SCORES)
def test_the_mean_placement_of_either_kind_is_the_area_under_the_curve(
    drawn: list[tuple[int, bool]],
) -> None:
    scores, positive = (np.array(column) for column in zip(*drawn, strict=True))
    values = AreaUnderCurve()(scores.astype(float), positive)
    if positive.all() or not positive.any():
        assert np.isnan(values).all()
        return
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
    for kind in (positive, ~positive, np.ones(len(scores), bool)):
        assert values[kind].mean() == pytest.approx(np.mean(pairs))


def test_members_count_only_above_all_but_the_allowed_outsiders() -> None:
    outsiders = np.arange(20) / 20
    scores = np.concatenate([outsiders, [0.85, 0.86, 0.95, 2.0]])
    positive = np.arange(24) >= 20
    found = TruePositiveRate(fpr=0.1)(scores, positive)
    assert np.isnan(found[:20]).all()
    # Two of twenty may be accused: what counts is above the third highest outsider, 0.85.
    assert found[20:].tolist() == [0.0, 1.0, 1.0, 1.0]
    strict = TruePositiveRate(fpr=0.0)(scores, positive)
    assert strict[20:].tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("outsiders", [1, 9, 20])
def test_scores_that_tell_nothing_give_what_guessing_is_said_to_give(outsiders: int) -> None:
    rng = np.random.default_rng(0)
    rate = TruePositiveRate()
    positive = np.arange(outsiders + 10) >= outsiders
    rates = [np.nanmean(rate(rng.random(len(positive)), positive)) for _ in range(3000)]
    assert np.mean(rates) == pytest.approx(rate.guessing(outsiders), abs=0.02)


@pytest.mark.parametrize(("first", "second"), [(8, 8), (12, 5)])
def test_the_interval_of_an_area_under_the_curve_covers(first: int, second: int) -> None:
    """Placements of one sample depend on each other: the patients themselves are no trials."""
    rng = np.random.default_rng(1)
    positive = np.arange(first + second) < first
    patients = [f"P{n}" for n in range(len(positive))]
    missed, tried = 0, 300
    for _ in range(tried):
        scores = rng.standard_normal(len(positive)) + 1.0 * positive
        values = AreaUnderCurve()(scores, positive)
        found = estimate_rate(values, patients, trials=min(first, second))
        assert found.at_least is not None
        missed += found.at_least > 0.7602  # normal scores one spread apart: Phi(1 / sqrt 2)
    assert missed / tried <= 0.05


def test_what_is_not_a_score_is_refused() -> None:
    for wrong in (np.array([0.0, np.nan]), np.zeros(3)):
        with pytest.raises(DataError):
            AreaUnderCurve()(wrong, np.array([True, False]))

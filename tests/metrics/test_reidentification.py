"""Re-identification against a naive ranking, with ties, chance and missing queries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.errors import ConfigurationError, DataError
from leakaudit.metrics import ReIdentification, match_curve
from leakaudit.plugins import Kind, build


def naive(distances, queries, candidates, k):
    hits = []
    for row, patient in zip(distances, queries, strict=True):
        best = {}
        for distance, owner in zip(row, candidates, strict=True):
            best[owner] = min(distance, best.get(owner, np.inf))
        hits.append(patient in sorted(best, key=best.get)[:k])
    return hits


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 6))
def test_equals_sorting_by_hand(seed, k):
    rng = np.random.default_rng(seed)
    candidates = [f"p{i}" for i in rng.permutation(np.repeat(np.arange(6), 3))]
    queries = [f"p{i}" for i in rng.integers(0, 6, 10)]
    distances = rng.random((10, 18))
    ours = ReIdentification(k=k)(distances, queries, candidates)
    assert ours.tolist() == naive(distances, queries, candidates, k)


@given(places=st.integers(1, 10), k=st.integers(1, 12))
def test_an_attack_that_cannot_tell_scores_chance(places, k):
    names = [str(i) for i in range(places)]
    metric = ReIdentification(k=k)
    hits = metric(np.zeros((places, places)), names, names)
    assert hits == pytest.approx(metric.chance(places))


def test_random_rankings_score_chance():
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(50)]
    metric = ReIdentification(k=5)
    hits = np.mean([metric(rng.random((50, 50)), names, names).mean() for _ in range(40)])
    assert hits == pytest.approx(metric.chance(50), abs=0.03)


def test_perfect_matching_reaches_the_ceiling():
    names = [str(i) for i in range(8)]
    metric = ReIdentification()
    assert metric(1 - np.eye(8), names, names).tolist() == [metric.ceiling(8)] * 8


def test_missing_is_not_a_miss():
    distances = np.ones((3, 2))
    distances[1, 0] = np.nan
    hits = ReIdentification()(distances, ["a", "a", "stranger"], ["a", "b"])
    assert np.isnan(hits).tolist() == [False, True, True]


def test_the_curve_rises_from_top_1_to_certainty():
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(12)]
    distances = rng.random((12, 12))
    curve = match_curve(distances, names, names)
    for k in (1, 3, 12):
        assert curve[k - 1] == pytest.approx(ReIdentification(k=k)(distances, names, names).mean())
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == 1
    assert np.isnan(match_curve(distances, ["x"] * 12, names)).all()


def test_the_curve_counts_a_patient_once():
    """Three queries of one patient weigh as much as the one query of another."""
    distances = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    curve = match_curve(distances, ["a", "a", "a", "b"], ["a", "b"])
    np.testing.assert_allclose(curve, [0.5, 1.0])


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="one row per query"):
        ReIdentification()(np.zeros((2, 3)), ["a", "b"], ["a", "b"])
    with pytest.raises(ConfigurationError, match="k"):
        build(Kind.METRIC, "re-identification", {"k": 0})

"""Estimates: what they average, when they refuse, and how often they are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leakaudit.errors import DataError
from leakaudit.statistics import Direction, estimate
from leakaudit.statistics.pivot import Pivot


def cohort(n_patients=40, n_seeds=1, seed=0, slices=(2, 21)):
    """Flat values with 2 to 20 slices a patient."""
    rng = np.random.default_rng(seed)
    values, patients, seeds = [], [], []
    own = rng.normal(0.6, 0.1, n_patients)
    counts = rng.integers(*slices, n_patients)
    for run in range(n_seeds):
        for patient, (mean, count) in enumerate(zip(own, counts, strict=True)):
            values.append(rng.normal(mean, 0.05, count))
            patients += [f"p{patient:03}"] * count
            seeds += [run] * count
    return np.concatenate(values), patients, seeds


def test_one_value_a_patient_and_no_skew_is_students_interval():
    values = np.concatenate([[-1.0], np.arange(-19, 20), [1.0]])  # symmetric: no skew to correct
    names = [str(i) for i in range(len(values))]
    runs = np.repeat(range(3), len(names)).tolist()
    result = estimate(np.tile(values, 3), names * 3, runs, direction=Direction.HIGHER)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([result.lower, result.upper], expected, atol=1e-6)
    one_sided = stats.ttest_1samp(values, 0, alternative="less").confidence_interval(0.95)
    np.testing.assert_allclose(result.at_most, one_sided.high, atol=1e-6)


def test_a_patient_with_many_slices_counts_once():
    result = estimate([0.0] * 98 + [1.0, 0.5], ["a"] * 98 + ["b", "c"], direction=Direction.HIGHER)
    assert result.mean == pytest.approx(0.5)
    assert (result.n_patients, result.n_samples) == (3, 100)


def test_missing_is_counted_and_never_zero():
    result = estimate([0.4, np.nan, 0.6, np.nan], ["a", "a", "b", "c"], direction=Direction.HIGHER)
    assert result.mean == pytest.approx(0.5)
    assert (result.n_patients, result.n_samples, result.n_missing) == (2, 2, 2)


@pytest.mark.parametrize(
    ("values", "patients", "seeds", "reason"),
    [
        ([], [], [], "no value"),
        ([np.nan, np.nan], ["a", "b"], [0, 0], "no value"),
        ([0.1, 0.9], ["a", "a"], [0, 1], "one patient"),
        ([0.3, 0.3, 0.3], ["a", "b", "c"], [0, 0, 0], "same value"),
        ([0.1, 0.2, 0.3], ["a", "b", "c"], [0, 1, 2], "every seed"),
    ],
)
def test_no_interval_without_grounds(values, patients, seeds, reason):
    result = estimate(values, patients, seeds, direction=Direction.HIGHER)
    assert reason in result.undefined
    assert result.lower is result.upper is result.at_least is result.at_most is None


def test_the_worst_patient_follows_the_direction():
    values, patients, _ = cohort()
    high = estimate(values, patients, direction=Direction.HIGHER)
    low = estimate(values, patients, direction=Direction.LOWER)
    assert high.worst > high.tail > high.mean > low.tail > low.worst
    assert high.worst_patient != low.worst_patient


def test_disagreeing_seeds_widen_the_interval():
    values, patients, seeds = cohort(n_seeds=3)
    calm = estimate(values, patients, seeds, direction=Direction.HIGHER)
    moved = estimate(values + 0.1 * np.array(seeds), patients, seeds, direction=Direction.HIGHER)
    assert moved.upper - moved.lower > 2 * (calm.upper - calm.lower)


def test_order_of_rows_does_not_matter():
    values, patients, seeds = cohort(n_seeds=3)
    order = np.random.default_rng(3).permutation(len(values))
    shuffled = estimate(
        values[order],
        np.array(patients)[order],
        np.array(seeds)[order],
        direction=Direction.HIGHER,
    )
    plain = estimate(values, patients, seeds, direction=Direction.HIGHER)
    assert shuffled.mean == pytest.approx(plain.mean, rel=1e-12)
    assert shuffled.upper == pytest.approx(plain.upper, rel=1e-12)


def test_bounds_stay_within_the_metrics_range():
    result = estimate(
        [0.0, 0.0, 1.0], ["a", "b", "c"], direction=Direction.HIGHER, limits=(0.0, 1.0)
    )
    assert result.at_least is not None
    assert result.at_most is not None
    assert 0 <= result.at_least < 1 / 3 < result.at_most <= 1


@pytest.mark.parametrize(
    ("patients", "seeds", "reason"),
    [(40, 3, ""), (39, 3, "39 patients are too few"), (40, 2, "2 seeds cannot show")],
)
def test_an_interval_is_printed_only_where_it_covers(patients, seeds, reason):
    values = np.random.default_rng(8).beta(8, 2.5, seeds * patients)
    names = [str(k) for k in range(patients)] * seeds
    runs = np.repeat(range(seeds), patients).tolist()
    found = estimate(values, names, runs, direction=Direction.HIGHER, limits=(0.0, 1.0))
    assert (found.lower is None) == bool(reason)
    assert reason in found.undefined
    assert found.at_least < found.mean < found.at_most  # these hold for any number of patients


def test_one_failure_among_eight_patients_does_not_turn_the_cubic_round():
    """Hall's transformation left its domain here, and the lower end was 0."""
    values = np.array([0.83, 0.85, 0.8, 0.9, 0.88, 0.82, 0.86, 0.0])
    pivot = Pivot.of(values[None])
    symmetric = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert pivot.bound(0.025) > symmetric.low - 0.2


def test_infinite_values_and_ragged_columns_are_refused():
    with pytest.raises(DataError, match="finite"):
        estimate([np.inf, 1.0], ["a", "b"], direction=Direction.HIGHER)
    with pytest.raises(DataError, match="one patient"):
        estimate([1.0], ["a", "b"], direction=Direction.HIGHER)
    with pytest.raises(DataError, match="confidence"):
        estimate([1.0, 2.0], ["a", "b"], direction=Direction.HIGHER, level=95)


@given(
    values=st.lists(st.floats(-1, 1), min_size=3, max_size=12),
    scale=st.floats(0.1, 10),
    shift=st.floats(-5, 5),
)
def test_intervals_move_with_the_unit(values, scale, shift):
    values = np.array(values)
    names = [str(i) for i in range(len(values))]
    plain = estimate(values, names, direction=Direction.HIGHER)
    if plain.undefined or np.std(values) < 1e-3:
        return
    moved = estimate(scale * values + shift, names, direction=Direction.HIGHER)
    assert moved.lower == pytest.approx(scale * plain.lower + shift, abs=1e-6)
    assert moved.upper == pytest.approx(scale * plain.upper + shift, abs=1e-6)
    flipped = estimate(-values, names, direction=Direction.LOWER)
    assert flipped.lower == pytest.approx(-plain.upper, abs=1e-6)
    assert plain.lower <= plain.at_least <= plain.at_most <= plain.upper


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 5])
def test_tail_probability_inverts_the_bound(n_seeds):
    rng = np.random.default_rng(4)
    cells = rng.gamma(2, 1, (n_seeds, 25)) + rng.normal(0, 0.5, (n_seeds, 1))
    pivot = Pivot.of(cells)
    for level in (0.025, 0.3, 0.95):
        assert pivot.tail_probability(pivot.bound(level)) == pytest.approx(level, abs=1e-6)

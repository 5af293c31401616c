"""Pairs, budgets, rates, many attacks, subgroups: against scipy and closed forms."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leakaudit.errors import DataError
from leakaudit.statistics import (
    Direction,
    Outcome,
    against_baseline,
    against_budget,
    cells_of,
    clopper_pearson,
    compare,
    estimate,
    estimate_cells,
    estimate_rate,
    holm,
    percentile_bounds,
    strongest,
    terciles,
    wilson,
)
from leakaudit.statistics.comparison import paired_cells


def cells(mean, n_patients=30, seed=0, spread=0.1, n_seeds=2):
    rng = np.random.default_rng(seed)
    values = mean + spread * rng.standard_normal((n_seeds, n_patients))
    names = [f"p{i:02}" for i in range(n_patients)]
    return cells_of(values.ravel(), names * n_seeds, [run for run in range(n_seeds) for _ in names])


class TestPairs:
    def test_a_symmetric_difference_is_the_paired_t_test(self):
        difference = np.concatenate([np.arange(-10, 11) + 3.0])
        base = np.random.default_rng(0).normal(size=21)
        names = [str(i) for i in range(21)]
        result = compare(
            cells_of(base + difference, names),
            cells_of(base, names),
            direction=Direction.HIGHER,
        )
        assert result.p_value == pytest.approx(
            stats.ttest_rel(base + difference, base).pvalue, rel=1e-6
        )
        assert result.p_worse == pytest.approx(result.p_value / 2, rel=1e-6)

    def test_pairing_removes_the_patients_own_spread(self):
        rng = np.random.default_rng(0)
        own = rng.normal(0, 1, 40)
        names, runs = [str(i) for i in range(40)], np.repeat(range(3), 40).tolist()
        result = compare(
            cells_of((own + 0.05 + rng.normal(0, 0.01, (3, 40))).ravel(), names * 3, runs),
            cells_of(np.tile(own, 3), names * 3, runs),
            direction=Direction.HIGHER,
        )
        assert 0.03 < result.difference.lower < 0.05 < result.difference.upper < 0.07

    def test_only_shared_patients_and_seeds_count(self):
        names = [str(i) for i in range(6)]
        today = cells_of(np.arange(6.0), names)
        result = compare(today, cells_of([0, 0, 1, 0], names[2:]), direction=Direction.HIGHER)
        assert result.difference.n_patients == 4
        with pytest.raises(DataError, match="same patients"):
            compare(today, cells_of([1.0], ["stranger"]), direction=Direction.HIGHER)

    def test_worse_follows_the_direction(self):
        up, down = cells(0.6, seed=1, n_seeds=3), cells(0.5, seed=2, n_seeds=3)
        assert compare(up, down, direction=Direction.HIGHER).p_worse < 0.01
        assert compare(up, down, direction=Direction.LOWER).p_worse > 0.99

    def test_nothing_changed_is_within_without_an_interval(self):
        same = compare(cells(0.5), cells(0.5), direction=Direction.HIGHER)
        assert same.difference.lower is None
        assert "nothing changed" in same.difference.undefined
        assert against_baseline(same, 0.0) is Outcome.WITHIN

    def test_regression(self):
        def outcome(today, margin, direction=Direction.HIGHER):
            ours, theirs = cells(today, seed=1, n_seeds=3), cells(0.5, seed=2, n_seeds=3)
            difference = compare(ours, theirs, direction=direction)
            return against_baseline(difference, margin)

        assert outcome(0.7, 0.05) is Outcome.OVER
        assert outcome(0.5, 0.1) is Outcome.WITHIN
        assert outcome(0.3, 0.0) is Outcome.WITHIN
        assert outcome(0.55, 0.05) is Outcome.INCONCLUSIVE
        assert outcome(0.3, 0.05, Direction.LOWER) is Outcome.OVER
        assert outcome(0.7, 0.05, Direction.LOWER) is Outcome.WITHIN
        with pytest.raises(DataError, match="margin"):
            outcome(0.5, -0.1)

    def test_one_shifted_patient_pair_is_no_evidence(self):
        result = compare(cells_of([0.9], ["a"]), cells_of([0.1], ["a"]), direction=Direction.HIGHER)
        assert result.p_value is None
        assert against_baseline(result, 0.0) is Outcome.INCONCLUSIVE


class TestBudgets:
    @pytest.mark.parametrize(
        ("budget", "direction", "outcome"),
        [
            (0.8, Direction.HIGHER, Outcome.WITHIN),
            (0.2, Direction.HIGHER, Outcome.OVER),
            (0.5, Direction.HIGHER, Outcome.INCONCLUSIVE),
            (0.8, Direction.LOWER, Outcome.OVER),
            (0.2, Direction.LOWER, Outcome.WITHIN),
            (float("nan"), Direction.HIGHER, Outcome.INCONCLUSIVE),
        ],
    )
    def test_both_directions(self, budget, direction, outcome):
        figure = estimate_cells(cells(0.5, 40, n_seeds=3), direction=direction)
        assert against_budget(figure, budget) is outcome
        # Two seeds may show that a budget is broken, never that it is kept.
        figure = estimate_cells(cells(0.5, 40, n_seeds=2), direction=direction)
        few = Outcome.INCONCLUSIVE if outcome is Outcome.WITHIN else outcome
        assert against_budget(figure, budget) is few

    def test_no_interval_never_passes(self):
        figure = estimate([0.1], ["a"], direction=Direction.HIGHER)
        assert against_budget(figure, 0.9) is Outcome.INCONCLUSIVE


class TestRates:
    @pytest.mark.parametrize(("hits", "trials"), [(0, 100), (3, 20), (50, 50), (7, 9)])
    @pytest.mark.parametrize("level", [0.9, 0.95])
    def test_against_scipy(self, hits, trials, level):
        test = stats.binomtest(hits, trials)
        for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
            expected = test.proportion_ci(level, method)
            bounds = ours(hits, trials, level=level)
            assert (bounds.lower, bounds.upper) == pytest.approx(expected, abs=1e-9)

    def test_none_of_100_is_at_most_3_percent(self):
        names = [str(i) for i in range(100)]
        result = estimate_rate(np.zeros(100), names)
        assert result.mean == 0
        assert result.at_most == pytest.approx(0.0295, abs=1e-4)
        assert result.at_least == 0
        assert result.lower is None
        assert result.undefined

    def test_slices_are_no_trials(self):
        result = estimate_rate(np.zeros(400), [str(i % 20) for i in range(400)])
        assert result.at_most == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-7)

    def test_seeds_that_disagree_widen_it(self):
        names = [str(i) for i in range(40)] * 3
        seeds = np.repeat([0, 1, 2], 40)
        hits = (seeds == 0) * 1.0
        hits[0] = 0
        agreeing = (np.arange(120) % 40 < 13) * 1.0
        wide, narrow = (estimate_rate(h, names, seeds.tolist()) for h in (hits, agreeing))
        assert wide.upper - wide.lower > 1.5 * (narrow.upper - narrow.lower)
        assert wide.at_most - wide.at_least > 1.5 * (narrow.at_most - narrow.at_least)

    @pytest.mark.parametrize(
        ("patients", "seeds", "hits", "reason"),
        [
            (100, 1, 30, "1 seed cannot show"),
            (39, 3, 12, "39 patients are too few"),
            (100, 5, 4, "4.0 hits of 100 patients are too few"),
            (44, 3, 40, "4.0 misses of 44 patients are too few"),
            (44, 3, 12, ""),
        ],
    )
    def test_an_interval_is_printed_only_where_it_covers(self, patients, seeds, hits, reason):
        found = estimate_rate(
            np.tile(np.arange(patients) < hits, seeds),
            [str(i) for i in range(patients)] * seeds,
            np.repeat(np.arange(seeds), patients).tolist(),
        )
        assert (found.lower is None) == bool(reason)
        assert reason in found.undefined
        assert found.at_least < hits / patients < found.at_most

    def test_an_area_under_a_curve_has_bounds_and_no_interval(self):
        """Its spread over patients says nothing of those they are compared with."""
        names = [str(i) for i in range(50)]
        shares = np.linspace(0.45, 0.55, 50)
        found = estimate_rate(shares, names, trials=50)
        assert found.lower is None
        exact = stats.binomtest(25, 50).proportion_ci(0.9, "exact")
        assert (found.at_least, found.at_most) == pytest.approx((exact.low, exact.high), abs=1e-6)

    def test_one_patient_gives_no_interval(self):
        result = estimate_rate([1.0, 0.0], ["a", "a"])
        assert result.lower is None
        assert "one patient" in result.undefined

    @pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
    def test_the_exact_interval_covers(self, rate):
        hits = np.arange(41)
        inside = [(b := clopper_pearson(h, 40)).lower <= rate <= b.upper for h in hits.tolist()]
        assert stats.binom.pmf(hits, 40, rate)[inside].sum() >= 0.95

    def test_impossible_rates_are_refused(self):
        for hits, trials in ((1, 0), (5, 4), (-1, 4)):
            with pytest.raises(DataError, match="hits"):
                clopper_pearson(hits, trials)
        with pytest.raises(DataError, match="hit is"):
            estimate_rate([2.0, 0.0], ["a", "b"])

    def test_percentiles(self):
        rng = np.random.default_rng(0)
        assert percentile_bounds(rng.random(58), 0.95).upper is None
        sample = rng.random((3000, 100))
        bounds = [percentile_bounds(row, 0.95) for row in sample]
        assert np.mean([b.upper >= 0.95 for b in bounds]) >= 0.945
        assert np.mean([b.lower <= 0.95 for b in bounds]) >= 0.945


class TestMany:
    def test_holm_by_hand(self):
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
        assert holm([]) == ()
        with pytest.raises(DataError, match="p-value"):
            holm([float("nan")])

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
    def test_holm_keeps_order_and_lies_between_plain_and_bonferroni(self, p):
        adjusted = np.array(holm(p))
        assert (adjusted >= p).all()
        assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()

    def test_the_strongest_of_many_null_attacks_is_not_called_a_leak(self):
        false_alarms = upper_misses = 0
        for repeat in range(300):
            attacks = {
                str(k): cells(0.0, n_patients=20, seed=repeat * 100 + k, n_seeds=1)
                for k in range(8)
            }
            best = strongest(attacks, direction=Direction.HIGHER)
            false_alarms += best.at_least > 0
            upper_misses += best.at_most < 0
        assert false_alarms <= 0.05 * 300 + 3 * np.sqrt(300 * 0.05 * 0.95)
        assert upper_misses == 0

    def test_the_strongest_follows_the_direction(self):
        attacks = {"weak": cells(0.5, seed=1), "strong": cells(0.2, seed=2)}
        best = strongest(attacks, direction=Direction.LOWER)
        assert best.name == "strong"
        assert best.at_most < best.figure.mean < best.at_least < 0.5

    def test_an_unmeasured_attack_leaves_the_upper_end_open(self):
        attacks = {"one": cells(0.5), "lost": cells_of([0.9], ["a"])}
        best = strongest(attacks, direction=Direction.HIGHER)
        assert best.at_most is None
        assert best.unmeasured == ("lost",)
        with pytest.raises(DataError, match="has a value"):
            strongest({"lost": cells_of([np.nan], ["a"])}, direction=Direction.HIGHER)

    def test_terciles(self):
        names = [f"p{i}" for i in range(9)] * 2
        sizes = {f"p{i}": float(i) for i in range(9)} | {"p8": float("nan")}
        groups = terciles(np.arange(18.0) % 9, names, sizes, direction=Direction.HIGHER)
        assert list(groups) == ["low", "middle", "high"]
        assert sum(group.n_patients for group in groups.values()) == 8
        assert groups["low"].mean < groups["middle"].mean < groups["high"].mean
        assert terciles([1.0], ["x"], {}, direction=Direction.HIGHER) == {}


def test_rounding_is_no_change() -> None:
    """Equal numbers that went through other sums differ in their last bits, all the same way."""
    rng = np.random.default_rng(2)
    values = rng.random((2, 20))
    names, seeds = [f"P{k}" for k in range(20)] * 2, np.repeat([0, 1], 20).tolist()
    before = cells_of(values.ravel(), names, seeds)
    after = cells_of(values.ravel() * (1 + 4e-16), names, seeds)
    found = compare(after, before, direction=Direction.HIGHER)
    assert found.difference.mean == 0
    assert found.p_value is None


def test_a_change_far_beyond_chance_needs_no_warning() -> None:
    """Two seeds that agree to the last bit: their share of the variance is nothing at all."""
    rng = np.random.default_rng(2)
    one = rng.random(20)
    names, seeds = [f"P{k}" for k in range(20)] * 2, np.repeat([0, 1], 20).tolist()
    before = cells_of(np.tile(one, 2), names, seeds)
    after = cells_of(np.tile(one + 0.5 + 0.001 * rng.random(20), 2), names, seeds)
    found = compare(after, before, direction=Direction.HIGHER)
    assert found.p_worse is not None
    assert found.p_worse < 1e-9


def test_pairing_takes_time_in_proportion_to_the_patients() -> None:
    """Looking each one up among all the others takes their square."""
    many = cells(0.5, n_patients=40_000)
    began = time.process_time()
    paired = paired_cells(many, many)
    assert time.process_time() - began < 3
    assert paired.values.shape == (2, 40_000)

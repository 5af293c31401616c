"""Bounds of the mean of a bounded quantity: known answers, and the rate of misses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leakaudit.statistics import Direction
from leakaudit.statistics.bounded import (
    lower_bound,
    mean_bounds,
    seeds_margin,
    tail_probability,
    upper_bound,
)
from leakaudit.statistics.ends import one_sided, two_sided
from leakaudit.statistics.estimate import cells_of, estimate_cells


@pytest.mark.parametrize("n", [2, 5, 20, 100, 400])
@pytest.mark.parametrize("level", [0.95, 0.999])
def test_hits_and_misses_have_the_bound_of_clopper_and_pearson(n: int, level: float) -> None:
    for hits in {0, 1, n // 3, n - 1}:
        values = np.repeat([1.0, 0.0], [hits, n - hits])
        exact = stats.beta.ppf(level, hits + 1, n - hits)
        # Many values are shared out on a grid, which hits and misses lie on.
        assert upper_bound(values, level) == pytest.approx(exact, abs=1e-6)
        below = stats.beta.ppf(1 - level, hits, n - hits + 1) if hits else 0.0
        assert lower_bound(values, level) == pytest.approx(below, abs=1e-6)


def test_the_tail_probability_is_that_of_drawn_weights() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.beta(2, 5, 12), 1.0)
    weights = rng.dirichlet(np.ones(13), 400_000)
    for mean in (0.3, 0.4, 0.5):
        drawn = float((weights @ values > mean).mean())
        assert tail_probability(values[:-1], mean) == pytest.approx(drawn, abs=0.003)


def test_many_audits_at_once_are_those_one_by_one() -> None:
    values = np.random.default_rng(1).beta(0.5, 3, (30, 3, 40))
    names = [str(k) for k in range(40)] * 3
    runs = np.repeat(range(3), 40).tolist()
    least, most = one_sided(values, 0.95, (0.0, 1.0), Direction.HIGHER)
    lower, upper = two_sided(values, 0.95, (0.0, 1.0))
    for k, table in enumerate(values):
        cells = cells_of(table.ravel(), names, runs)
        found = estimate_cells(cells, direction=Direction.HIGHER, limits=(0.0, 1.0))
        assert found.at_least == pytest.approx(least[k], abs=1e-6)
        assert found.at_most == pytest.approx(most[k], abs=1e-6)
        assert found.lower == pytest.approx(lower[k], abs=1e-9)
        assert found.upper == pytest.approx(upper[k], abs=1e-9)


def test_seeds_widen_as_independent_errors_do() -> None:
    """One seed alone says nothing of seeds; two of them at a distance say much."""
    row = np.random.default_rng(2).beta(2, 5, 30)
    alone = mean_bounds(row[None], 0.95, bottom=0.0, top=1.0)
    agreeing = mean_bounds(np.stack([row, row, row]), 0.95, bottom=0.0, top=1.0)
    assert agreeing == pytest.approx(alone)
    apart = np.stack([row - 0.05, row, row + 0.05])
    margin = float(seeds_margin(apart, 0.95))
    assert margin == pytest.approx(stats.t.ppf(0.95, 2) * 0.05 / 3**0.5)
    assert mean_bounds(apart, 0.95, bottom=-1.0, top=1.0)[1] - row.mean() == pytest.approx(
        np.hypot(alone[1] - row.mean(), margin)
    )


def test_few_who_leak_everything_are_not_overlooked() -> None:
    """12 % of patients leak .9: by Student's bound every fourth audit of ten misses it."""
    rng = np.random.default_rng(3)
    leaking = rng.random((2000, 1, 10)) < 0.12
    values = np.where(leaking, 0.9, rng.normal(0, 0.01, leaking.shape))
    most = one_sided(values, 0.95, (-np.inf, 1.0), Direction.HIGHER)[1]
    assert np.mean(most < 0.108) <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5
    assert np.mean(two_sided(values, 0.9, None)[1] < 0.108) > 0.2  # what it is there for

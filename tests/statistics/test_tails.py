"""Bounds of tails: how often they miss, and what they refuse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from leakaudit.statistics import Cells, Direction, percentile_estimate, worst_estimate

REPEATS = 400
# 5 % and three standard errors of 400 repeats.
MOST = 0.05 + 3 * (0.05 * 0.95 / REPEATS) ** 0.5


def cells(values: npt.NDArray[np.float64]) -> Cells:
    seeds, patients = values.shape
    return Cells(
        values, tuple(f"P{k:03d}" for k in range(patients)), tuple(range(seeds)), values.size, 0
    )


@pytest.mark.parametrize(("patients", "seeds"), [(20, 2), (100, 2), (200, 5)])
@pytest.mark.parametrize("shared", [0.0, 0.03])
def test_the_percentile_is_missed_at_most_5_percent_of_the_time(
    patients: int, seeds: int, shared: float
) -> None:
    rng = np.random.default_rng(2)
    truth = stats.beta.ppf(0.95, 8, 2.5)
    low = high = 0
    for _ in range(REPEATS):
        sample = rng.beta(8, 2.5, patients) + shared * rng.standard_normal((seeds, 1))
        sample = sample + 0.01 * rng.standard_normal((seeds, patients))
        found = percentile_estimate(cells(sample), direction=Direction.HIGHER)
        low += found.at_least is not None and found.at_least > truth
        high += found.at_most is not None and found.at_most < truth
    assert low / REPEATS <= MOST
    assert high / REPEATS <= MOST


@pytest.mark.parametrize("estimated", [percentile_estimate, worst_estimate])
def test_a_metric_that_leaks_downwards_is_the_mirror_image(estimated) -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, (3, 80))
    up = estimated(cells(values), direction=Direction.HIGHER)
    down = estimated(cells(-values), direction=Direction.LOWER)
    assert down.mean == pytest.approx(-up.mean)
    assert down.at_least == pytest.approx(-up.at_most)
    assert down.at_most == pytest.approx(-up.at_least)


def test_the_upper_bound_of_the_percentile_takes_59_patients() -> None:
    values = np.random.default_rng(4).normal(size=(2, 59))
    assert percentile_estimate(cells(values), direction=Direction.HIGHER).at_most is not None
    few = percentile_estimate(cells(values[:, :58]), direction=Direction.HIGHER)
    assert few.at_most is None
    assert few.at_least is not None
    assert "takes 59" in few.undefined


@pytest.mark.parametrize("estimated", [percentile_estimate, worst_estimate])
def test_one_seed_one_patient_or_a_hole_gives_no_bound(estimated) -> None:
    values = np.random.default_rng(5).normal(size=(3, 80))
    holed = values.copy()
    holed[0, 0] = np.nan
    for broken in (values[:1], values[:, :1], holed):
        found = estimated(cells(broken), direction=Direction.HIGHER)
        assert found.undefined
        assert found.at_least is None
        assert found.at_most is None


def test_replicates_that_are_copies_give_no_bound_of_the_worst() -> None:
    values = np.repeat(np.random.default_rng(6).normal(size=(1, 20)), 3, axis=0)
    assert "same values" in worst_estimate(cells(values), direction=Direction.HIGHER).undefined

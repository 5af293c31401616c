"""Statements about single patients: how often they are wrong, and that they can be reached."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from leakaudit.statistics import (
    Cells,
    Direction,
    patient_bounds,
    patients_above,
    worst_estimate,
)
from leakaudit.statistics.bounded import lower_bound, tail_probability, upper_bound

UP = Direction.HIGHER
REPEATS = 500
# 5 % and three standard errors.
MOST = 0.05 + 3 * (0.05 * 0.95 / REPEATS) ** 0.5


def cells(values: npt.NDArray[np.float64]) -> Cells:
    seeds, patients = values.shape
    return Cells(
        values, tuple(f"P{k:03d}" for k in range(patients)), tuple(range(seeds)), values.size, 0
    )


def noise(kind: str, patients: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(patients,) standard deviations."""
    alike = np.full(patients, 0.03)
    return {
        "alike": alike,
        "one patient ten times as noisy": np.where(np.arange(patients) == 0, 0.3, alike),
        "spread over two orders": 0.01 * 10 ** rng.uniform(0, 2, patients),
    }[kind]


@pytest.mark.parametrize(("patients", "seeds"), [(20, 2), (100, 3), (20, 5)])
@pytest.mark.parametrize("shared", [0.0, 0.03])
@pytest.mark.parametrize(
    "kind", ["alike", "one patient ten times as noisy", "spread over two orders"]
)
def test_wrong_about_any_patient_in_at_most_5_percent_of_audits(
    patients: int, seeds: int, shared: float, kind: str
) -> None:
    rng = np.random.default_rng(1)
    own, spread = rng.beta(8, 2.5, patients), noise(kind, patients, rng)
    together = low = high = 0
    for _ in range(REPEATS):
        runs = shared * rng.standard_normal((seeds, 1))
        audit = cells(own + runs + spread * rng.standard_normal((seeds, patients)))
        together += bool(np.any(patient_bounds(audit, direction=UP).at_least > own))
        found = worst_estimate(audit, direction=UP)
        assert found.at_least is not None
        assert found.at_most is not None
        low += found.at_least > own.max()
        high += found.at_most < own.max()
    assert max(together, low, high) / REPEATS <= MOST


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 1.0])
def test_hits_are_wrong_in_at_most_5_percent_of_audits_too(seeds: int, rate: float) -> None:
    """Twenty patients found with the same chance, and one that is found half of the time."""
    rng = np.random.default_rng(2)
    rates = np.append(np.full(20, rate), 0.5)
    names = 0
    for _ in range(100):
        audit = cells((rng.random((seeds, 21)) < rates).astype(float))
        bounds = patient_bounds(audit, direction=UP, hits=(0.0, 1.0))
        names += bool(np.any(bounds.at_least > rates))
    assert names / 100 <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


@pytest.mark.parametrize(("patients", "seeds"), [(15, 3), (44, 5)])
def test_a_patient_copied_in_clear_is_named(patients: int, seeds: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        values = 0.02 * rng.standard_normal((seeds, patients))
        values[:, 4] = 0.9 + 0.03 * rng.standard_normal(seeds)
        assert patients_above(cells(values), 0.1, direction=UP) == ("P004",)
        downwards = patients_above(cells(-values), -0.1, direction=Direction.LOWER)
        assert downwards == ("P004",)


def test_a_hole_hides_no_leak_but_leaves_the_worst_open() -> None:
    values = 0.02 * np.random.default_rng(4).standard_normal((5, 15))
    values[:, 4] += 0.9
    values[0, 2] = np.nan
    assert patients_above(cells(values), 0.1, direction=UP) == ("P004",)
    assert worst_estimate(cells(values), direction=UP).at_most is None


def test_one_seed_names_nobody() -> None:
    values = np.array([[0.0, 0.9, 0.0]])
    assert patients_above(cells(values), 0.1, direction=UP) == ()


def test_seeds_that_agree_by_chance_are_given_the_median_spread() -> None:
    rng = np.random.default_rng(5)
    values = 0.2 * rng.standard_normal((3, 20))
    values[:, 0] = 0.5
    bounds = patient_bounds(cells(values), direction=UP)
    assert bounds.at_least[0] < 0


def test_for_hits_the_bounds_are_those_of_clopper_and_pearson() -> None:
    for hits, trials in ((0, 5), (3, 20), (5, 5), (40, 400)):
        outcomes = np.repeat([1.0, 0.0], [hits, trials - hits])
        exact = stats.binomtest(hits, trials).proportion_ci(0.9)
        assert float(upper_bound(outcomes, 0.95)) == pytest.approx(exact.high, abs=1e-6)
        assert float(lower_bound(outcomes, 0.95)) == pytest.approx(exact.low, abs=1e-6)


@pytest.mark.parametrize("n", [1, 3, 12])
def test_the_bound_is_the_quantile_of_randomly_weighted_means(n: int) -> None:
    """Against a slow draw of the weights themselves."""
    rng = np.random.default_rng(6)
    values = rng.beta(2, 5, n)
    drawn = rng.dirichlet(np.ones(n + 1), 200_000) @ np.append(values, 1.0)
    for level in (0.95, 0.995):
        bound = float(upper_bound(values, level))
        assert np.mean(drawn <= bound) == pytest.approx(level, abs=0.0025)
        assert float(tail_probability(values, np.asarray(bound))) == pytest.approx(
            1 - level, rel=1e-2
        )

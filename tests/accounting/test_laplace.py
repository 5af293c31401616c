"""Laplace accounting: against closed forms, numerical integration and an adversary who counts."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from leakaudit.accounting import laplace_epsilon
from leakaudit.accounting.laplace import ORDERS, _renyi, renyi_epsilon


@pytest.mark.parametrize("multiplier", [0.5, 2.0, 30.0])
@pytest.mark.parametrize("order", [1.5, 4.0, 32.0])
def test_renyi_divergence_against_numerical_integration(multiplier: float, order: float) -> None:
    def integrand(x: float) -> float:
        here, there = abs(x) / multiplier, abs(x - 1) / multiplier
        return math.exp(-order * here - (1 - order) * there) / (2 * multiplier)

    reach = 60 * multiplier * max(1.0, order)
    parts = [quad(integrand, *ends, limit=400)[0] for ends in ((-reach, 0), (0, 1), (1, reach))]
    expected = math.log(sum(parts)) / (order - 1)
    place = int(np.argmin(np.abs(np.asarray(ORDERS) - order)))
    assert _renyi(multiplier)[place] == pytest.approx(expected, rel=0.02)


def test_moving_all_the_distance_into_one_value_is_the_worst_case() -> None:
    whole = _renyi(2.0)
    halves = 2 * _renyi(4.0)
    assert (whole >= halves - 1e-12).all()


def test_pure_epsilon_is_basic_composition() -> None:
    assert laplace_epsilon(10.0, 90, 0.0).epsilon == pytest.approx(9.0)


def test_a_delta_never_costs_and_pays_with_many_releases() -> None:
    assert laplace_epsilon(100.0, 900, 1e-5).epsilon < 0.3 * laplace_epsilon(100.0, 900, 0).epsilon
    assert laplace_epsilon(0.1, 1, 1e-5).epsilon <= laplace_epsilon(0.1, 1, 0).epsilon


def test_the_conversion_is_that_of_opacus() -> None:
    from opacus.accountants.analysis.rdp import get_privacy_spent

    rdp = 90 * _renyi(30.0)
    theirs, _ = get_privacy_spent(orders=list(ORDERS), rdp=list(rdp), delta=1e-5)
    assert renyi_epsilon(rdp, 1e-5) == pytest.approx(theirs, rel=1e-12)


def _hockey_stick(held: np.ndarray, other: np.ndarray, epsilon: float) -> float:
    return float(np.maximum(held - math.exp(epsilon) * other, 0).sum())


@pytest.mark.parametrize("epsilon", [0.0, 0.4, 0.9])
def test_one_release_is_exact_and_splitting_the_distance_gives_less(epsilon: float) -> None:
    """Densities on a fine grid: the whole distance in one value, and halves in two."""
    x, step = np.linspace(-30, 31, 2**11 + 1, retstep=True)

    def density(shift: float) -> np.ndarray:
        return np.exp(-np.abs(x - shift)) / 2 * step

    whole = _hockey_stick(density(1.0), density(0.0), epsilon)
    halves = _hockey_stick(
        np.multiply.outer(density(0.5), density(0.5)),
        np.multiply.outer(density(0.0), density(0.0)),
        epsilon,
    )
    assert halves < whole
    spent = laplace_epsilon(1.0, 1, whole)
    assert spent.exact
    assert spent.epsilon == pytest.approx(epsilon, abs=0.03)


@pytest.mark.parametrize(("multiplier", "releases"), [(10.0, 100), (0.5, 3), (100.0, 900)])
def test_counting_far_releases_comes_near_and_never_over(multiplier: float, releases: int) -> None:
    spent = laplace_epsilon(multiplier, releases, 1e-5)
    assert 0.75 * spent.epsilon < spent.least <= spent.epsilon

"""The analytic Gaussian mechanism: published figures, a naive formula, and far ends."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.stats import norm

from leakaudit.accounting import gaussian_epsilon, gaussian_mu, subsampled_epsilon


def _delta(epsilon: float, mu: float) -> float:
    """Balle, Wang 2018, equation 6, as it is written."""
    second = math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))
    return float(norm.cdf(mu / 2 - epsilon / mu) - second)


def test_eight_per_cent_are_no_longer_lost_to_renyi() -> None:
    """One release and the sum of several: 8.193 by Opacus' Renyi accountant, 7.619 exactly."""
    epsilon = gaussian_epsilon(gaussian_mu(7.619, 1e-5), 1e-5).epsilon
    assert epsilon == pytest.approx(7.619, rel=1e-9)
    renyi = RDPAccountant()
    renyi.step(noise_multiplier=1 / gaussian_mu(7.619, 1e-5), sample_rate=1.0)
    assert renyi.get_epsilon(delta=1e-5) == pytest.approx(8.193, abs=0.05)


@given(st.floats(1e-2, 30.0), st.sampled_from([1e-2, 1e-5, 1e-8]))
@settings(deadline=None, max_examples=200)
def test_epsilon_is_the_root_of_the_naive_formula(mu: float, delta: float) -> None:
    epsilon = gaussian_epsilon(mu, delta).epsilon
    if epsilon == 0:
        assert _delta(0.0, mu) <= delta * (1 + 1e-9)
    else:
        assert _delta(epsilon, mu) == pytest.approx(delta, rel=1e-5)
        assert _delta(epsilon * 0.999, mu) > delta


@pytest.mark.parametrize("mu", [1e3, 1e5, 1e9])
def test_far_out_epsilon_follows_half_the_square(mu: float) -> None:
    expected = mu * mu / 2 + mu * norm.isf(1e-5)
    assert gaussian_epsilon(mu, 1e-5).epsilon == pytest.approx(expected, rel=1e-5)


def test_what_delta_alone_covers_costs_nothing() -> None:
    assert gaussian_epsilon(1e-6, 1e-5).epsilon == 0


@given(st.floats(1e-3, 1e9), st.sampled_from([1e-2, 1e-5, 1e-9]))
@settings(deadline=None, max_examples=100)
def test_the_inverse_keeps_to_its_target(epsilon: float, delta: float) -> None:
    found = gaussian_epsilon(gaussian_mu(epsilon, delta), delta).epsilon
    assert found <= epsilon
    assert found == pytest.approx(epsilon, rel=1e-6)


@pytest.mark.parametrize(
    ("multiplier", "rate", "releases"), [(1.1, 0.01, 1000), (2.0, 0.2, 50), (0.8, 0.05, 400)]
)
def test_random_batches_by_the_tightest_accountant(
    multiplier: float, rate: float, releases: int
) -> None:
    spent = subsampled_epsilon(multiplier, rate, releases, 1e-5)
    history = [(multiplier, rate, releases)]
    variable, renyi = PRVAccountant(), RDPAccountant()
    variable.history = renyi.history = history
    assert spent.epsilon == pytest.approx(variable.get_epsilon(delta=1e-5), abs=0.01)
    assert spent.epsilon < renyi.get_epsilon(delta=1e-5)
    assert spent.epsilon - 0.03 < spent.least <= spent.epsilon
    assert "PRV" in spent.accountant


@pytest.mark.parametrize(("multiplier", "rate"), [(1e-3, 0.5), (0.01, 0.01)])
def test_beyond_the_grid_both_sides_stay_bounds(multiplier: float, rate: float) -> None:
    spent = subsampled_epsilon(multiplier, rate, 10, 1e-5)
    always = gaussian_epsilon(math.sqrt(10) / multiplier, 1e-5)
    assert 0 < spent.least <= spent.epsilon <= always.epsilon
    assert spent.least > 0.08 * spent.epsilon


def test_taking_part_always_is_the_limit_of_taking_part_almost_always() -> None:
    often = subsampled_epsilon(2.0, 1 - 1e-9, 4, 1e-5)
    always = gaussian_epsilon(1.0, 1e-5)
    assert often.least <= always.epsilon * (1 + 1e-6)
    assert often.epsilon == pytest.approx(always.epsilon, abs=0.02)
    assert not np.isnan(often.least)

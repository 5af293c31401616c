"""Claims held against draws: the right noise stands, too little noise does not."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from leakaudit.accounting import gaussian_mu, laplace_multiplier, one_run_epsilon, shown
from leakaudit.accounting.one_run import best_guesses
from leakaudit.accounting.refutation import multiplier_at_most, share_at_most
from leakaudit.errors import DataError

PLACES = 6


def _required(kind: str, epsilon: float, releases: int) -> float:
    if kind == "laplace":
        return laplace_multiplier(epsilon, releases, 0.0)
    return math.sqrt(releases) / gaussian_mu(epsilon, 1e-5)


def _draws(kind: str, scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    """20,000 draws over several places."""
    sample = rng.normal if kind == "gaussian" else rng.laplace
    return list(sample(scale=scale, size=(PLACES, 20_000 // PLACES)))


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_the_right_noise_is_refuted_in_at_most_one_of_twenty_of_a_thousand_audits(
    kind: str,
) -> None:
    rng = np.random.default_rng(1)
    delta = 1e-5 if kind == "gaussian" else 0.0
    scale = _required(kind, 8.0, 90)
    refuted = sum(
        shown(_draws(kind, scale, rng), kind, 8.0, delta, 90).refuted for _ in range(1000)
    )
    assert refuted <= 50


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
@pytest.mark.parametrize(("epsilon", "releases"), [(0.2, 600), (8.0, 90), (300.0, 10), (1e6, 1)])
@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_tenth_too_little_noise_is_refuted(
    kind: str, epsilon: float, releases: int, share: float
) -> None:
    rng = np.random.default_rng(2)
    delta = 1e-5 if kind == "gaussian" else 0.0
    scale = share * _required(kind, epsilon, releases)
    for _ in range(10):
        found = shown(_draws(kind, scale, rng), kind, epsilon, delta, releases)
        assert found.refuted
        assert epsilon < found.epsilon <= found.largest


def test_one_place_without_noise_among_many_is_found_and_named() -> None:
    rng = np.random.default_rng(3)
    draws = _draws("gaussian", _required("gaussian", 8.0, 90), rng)
    draws[4] *= 0.3
    found = shown(draws, "gaussian", 8.0, 1e-5, 90)
    assert found.refuted
    assert found.places == (4,)


def test_the_shown_epsilon_is_below_what_is_spent_and_near_it() -> None:
    rng = np.random.default_rng(4)
    shown_of = [
        shown(_draws("gaussian", _required("gaussian", 8.0, 90), rng), "gaussian", 20.0, 1e-5, 90)
        for _ in range(50)
    ]
    assert sum(found.epsilon > 8.0 for found in shown_of) <= 5
    assert min(found.epsilon for found in shown_of) > 6.8
    assert not any(found.refuted for found in shown_of)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_draws_that_are_no_numbers_give_a_message_and_no_figure(wrong: float) -> None:
    draws = _draws("gaussian", 1.0, np.random.default_rng(1))
    draws[2][5] = wrong
    with pytest.raises(DataError, match="1 of 19998 that are not"):
        shown(draws, "gaussian", 8.0, 1e-5, 90)


def test_the_bound_on_a_share_is_clopper_pearson() -> None:
    assert share_at_most(3, 100, 0.05) == pytest.approx(beta.ppf(0.95, 4, 97))
    assert share_at_most(0, 100, 0.05) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert share_at_most(100, 100, 0.05) == 1
    few = np.random.default_rng(1).normal(size=3)
    assert math.isinf(multiplier_at_most(few, "gaussian", 0.1, 0.05))


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 4.0])
def test_one_run_shows_no_more_than_is_spent_by_randomised_responses(epsilon: float) -> None:
    """Coins told truly with probability e^epsilon / (1 + e^epsilon) spend epsilon exactly."""
    rng = np.random.default_rng(5)
    told, times = np.unique(
        rng.binomial(1000, 1 / (1 + math.exp(-epsilon)), size=300), return_counts=True
    )
    bounds = np.repeat([one_run_epsilon(int(right), 1000, 1000, 0.0) for right in told], times)
    assert (bounds > epsilon).mean() <= 0.05
    assert bounds.mean() > epsilon - 0.6


def test_one_run_without_delta_is_the_binomial_tail() -> None:
    epsilon = one_run_epsilon(90, 100, 1000, 0.0)
    assert binom.sf(89, 100, 1 / (1 + math.exp(-epsilon))) == pytest.approx(0.025, rel=1e-4)
    assert one_run_epsilon(90, 100, 1000, 1e-5) < epsilon
    assert one_run_epsilon(50, 100, 1000, 0.0) == 0
    assert one_run_epsilon(0, 100, 1000, 0.0) == 0


def test_fewer_guesses_are_made_where_few_are_sure() -> None:
    assert best_guesses(1.0, 1000) < best_guesses(6.0, 1000) <= 1000

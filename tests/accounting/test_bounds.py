"""What guarantees mean in picks and bits: against exact channels, simulation and closed forms."""

import math

import numpy as np
import pytest
from fenced import ROOT, blocks
from scipy.integrate import quad
from scipy.stats import norm

from leakaudit.accounting import (
    bits_at_most,
    bits_at_most_pure,
    picked_at_most,
    picked_at_most_pure,
)


@pytest.mark.parametrize("mu", [0.3, 1.0, 3.0])
def test_the_best_picker_between_two_neighbours_meets_the_bound_exactly(mu: float) -> None:
    """Of two equally likely messages mu apart the nearer end is right with Phi(mu / 2).

    Against a blank message between them neighbours are mu / 2 apart, and half is the chance.
    """
    assert picked_at_most(0.5, mu / 2) == pytest.approx(norm.cdf(mu / 2))


@pytest.mark.parametrize("candidates", [5, 50])
def test_the_best_picker_among_many_stays_below(candidates: int) -> None:
    """Messages along axes of their own, norm C: against a blank one each is C / s apart."""
    rng = np.random.default_rng(1)
    reach = 1.5
    noise = rng.normal(size=(4000, candidates))
    noise[:, 0] += reach
    picked = (noise.argmax(axis=1) == 0).mean()
    allowed = picked_at_most(1 / candidates, reach)
    assert 0.55 * allowed < picked < allowed


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_randomised_response_meets_the_pure_bounds(epsilon: float) -> None:
    right = 1 / (1 + math.exp(-epsilon))
    assert picked_at_most_pure(0.5, epsilon) >= right
    bits = 1 + right * math.log2(right) + (1 - right) * math.log2(1 - right)
    assert bits <= bits_at_most_pure(epsilon)
    assert bits_at_most_pure(0.1) == pytest.approx(0.1**2 / 2 / math.log(2), rel=0.01)
    assert picked_at_most_pure(0.1, 1e5) == 1.0


@pytest.mark.parametrize("mu", [0.1, 1.0, 4.0])
def test_a_channel_between_opposite_ends_carries_less(mu: float) -> None:
    """Two equally likely inputs mu apart in unit noise, by numerical integration."""

    def density(y: float) -> float:
        return float((norm.pdf(y - mu / 2) + norm.pdf(y + mu / 2)) / 2)

    entropy = quad(lambda y: -density(y) * math.log2(density(y)), -20, 20, limit=200)[0]
    bits = entropy - math.log2(2 * math.pi * math.e) / 2
    allowed = bits_at_most(mu, replaced=True)
    assert 0 < bits <= allowed * (1 + 1e-6)
    if mu == 0.1:
        assert bits > 0.99 * allowed
    assert bits_at_most(mu, replaced=False) == pytest.approx(4 * allowed)


def test_the_example_on_the_metrics_page_runs() -> None:
    (block,) = blocks(ROOT / "docs" / "metrics.md", "python")
    exec(block.text, {})

"""Gaussian noise on random batches: privacy amplification by Poisson subsampling."""

from __future__ import annotations

import math
import warnings

import numpy as np
from scipy import special, stats

from leakaudit.accounting.gaussian import ANALYTIC, gaussian_epsilon
from leakaudit.accounting.spent import Spent, reached

# Outside, the grid of the privacy-loss random variable takes minutes or gigabytes.
_PRV_LEAST, _PRV_MOST = 0.02, 60.0
_MOST_RELEASES = 10_000_000


def subsampled_epsilon(multiplier: float, rate: float, releases: int, delta: float) -> Spent:
    """The privacy loss of Gaussian releases that each patient takes part in by chance.

    Neighbours differ in whether the patient is there at all.

    Args:
        multiplier: standard deviation of the noise over the sensitivity, above 0.
        rate: probability of taking part in one release, independently, in (0, 1).
        releases: how many there are.
        delta: failure probability, in (0, 1).

    Source: Gopi, Lee, Wutschitz 2021 (privacy-loss random variables, with their error bound), by
    Opacus. Where its grid does not reach: Mironov, Talwar, Zhang 2019, or no amplification.
    """
    import opacus
    from opacus.accountants import PRVAccountant, RDPAccountant

    # Whoever always takes part loses no less.
    always = gaussian_epsilon(math.sqrt(releases) / multiplier, delta)
    best = Spent(always.epsilon, 0.0, f"{ANALYTIC}; subsampling gains nothing here")
    least = _sums(multiplier, rate, releases, delta)
    renyi, variable = RDPAccountant(), PRVAccountant()
    renyi.history = [(multiplier, rate, releases)]
    variable.history = [(multiplier, rate, releases)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # an order at the end of the grid still gives a bound
        bound = max(0.0, float(renyi.get_epsilon(delta=delta)))
        if bound < best.epsilon:
            name = f"Opacus {opacus.__version__}, Renyi differential privacy of random batches"
            best = Spent(bound, 0.0, name)
        if _PRV_LEAST < best.epsilon < _PRV_MOST and releases <= _MOST_RELEASES:
            error = min(0.01, best.epsilon / 100)
            # Its public method keeps the lower bound to itself.
            composed = variable._get_dprv(eps_error=error, delta_error=delta / 1000)
            lower, _, upper = composed.compute_epsilon(delta, delta / 1000, error)
            least = max(least, float(lower))
            if upper < best.epsilon:
                name = f"Opacus {opacus.__version__}, PRV accountant (error at most {error:.2g})"
                best = Spent(float(upper), 0.0, name)
    return Spent(best.epsilon, min(best.epsilon, least), best.accountant)


def _sums(multiplier: float, rate: float, releases: int, delta: float) -> float:
    """What an adversary shows who only adds the releases up and holds the sum to a threshold."""
    spread = 8 * math.sqrt(releases * rate * (1 - rate)) + 40
    first = max(0, math.floor(releases * rate - spread))
    counts = np.arange(first, min(releases, math.ceil(releases * rate + spread)) + 1)
    weights = stats.binom.logpmf(counts, releases, rate)
    root = math.sqrt(releases)
    shifts = counts / (multiplier * root)
    # Thresholds in standard deviations of the noise in the sum.
    thresholds = np.linspace(-5.0, float(shifts[-1]) + 40.0, 2000)
    held = special.logsumexp(
        weights[None, :] + stats.norm.logsf(thresholds[:, None] - shifts[None, :]), axis=1
    )
    return reached(held, stats.norm.logsf(thresholds), delta)

"""Laplace noise, by closed forms: pure, for one release, and by Renyi differential privacy."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from leakaudit.accounting.spent import Floats, Spent, reached, shift_until

PURE = "closed form: pure differential privacy, basic composition"
SINGLE = "closed form of one Laplace release, exact"
RENYI = "Renyi differential privacy (Mironov 2017, converted by Balle et al. 2020)"

# Dense enough that the best order costs less than 0.1 % of epsilon.
ORDERS: Floats = 1 + np.logspace(-4, 6, 4000)


def laplace_epsilon(multiplier: float, releases: int, delta: float) -> Spent:
    """The privacy loss of Laplace releases about one patient.

    Args:
        multiplier: scale of the noise over the L1 sensitivity, above 0.
        releases: how many there are.
        delta: failure probability, in [0, 1).

    Source: Dwork, Roth 2014, theorems 3.6 and 3.16 (pure, basic composition); Mironov 2017,
    proposition 6 (Renyi). The latter is for one dimension; its logarithm is convex in the shift
    and zero at none, so that moving all of an L1 distance into one value is the worst case.
    """
    pure = releases / multiplier
    if delta == 0:
        return Spent(pure, pure, PURE)
    if releases == 1:
        # delta = 1 - exp((epsilon - 1 / multiplier) / 2)
        single = max(0.0, pure + 2 * math.log1p(-delta))
        return Spent(single, single, SINGLE)
    renyi = max(0.0, renyi_epsilon(releases * _renyi(multiplier), delta))
    accountant = PURE if pure <= renyi else RENYI
    epsilon = min(pure, renyi)
    return Spent(epsilon, min(epsilon, _signs(multiplier, releases, delta)), accountant)


def laplace_multiplier(epsilon: float, releases: int, delta: float) -> float:
    """The least scale, in units of the L1 sensitivity, that keeps to an epsilon.

    Args:
        epsilon: above 0.
        releases: how many there are.
        delta: failure probability, in [0, 1).
    """

    def excess(logarithm: float) -> float:
        return laplace_epsilon(math.exp(logarithm), releases, delta).epsilon - epsilon

    # At this scale basic composition alone keeps to the target.
    enough = math.log(releases / epsilon)
    if delta == 0:
        return math.exp(enough)
    return math.exp(shift_until(excess, enough - 20.0, enough + 1e-6)) * (1 + 1e-9)


def renyi_epsilon(rdp: Floats, delta: float) -> float:
    """The epsilon that Renyi differential privacy at every order of :data:`ORDERS` gives.

    Source: Balle et al., AISTATS 2020, theorem 21.
    """
    converted = rdp + np.log1p(-1 / ORDERS) - (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return float(converted.min())


def _renyi(multiplier: float) -> Floats:
    """Renyi differential privacy of one release, at every order."""
    towards = np.log(ORDERS / (2 * ORDERS - 1)) + (ORDERS - 1) / multiplier
    away = np.log((ORDERS - 1) / (2 * ORDERS - 1)) - ORDERS / multiplier
    return np.asarray(np.logaddexp(towards, away) / (ORDERS - 1), dtype=np.float64)


def _signs(multiplier: float, releases: int, delta: float) -> float:
    """What an adversary shows who only counts the releases beyond the far message."""
    counts = np.arange(releases + 1)
    far = math.exp(-1 / multiplier) / 2
    held = stats.binom.logsf(counts - 1, releases, 0.5)
    # The logarithm of 0.5 ** releases and its like, where scipy's tail underflows.
    other = np.maximum(
        stats.binom.logsf(counts - 1, releases, far),
        stats.binom.logpmf(counts, releases, far) if far > 0 else -np.inf,
    )
    return reached(held, other, delta)

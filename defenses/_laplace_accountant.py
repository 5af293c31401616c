"""The Laplace noise that keeps to a target."""

from __future__ import annotations

import math

from scipy.optimize import brentq

from leakaudit.accounting import laplace_epsilon

from ._accountant import MOST_NOISE, unreachable


def laplace_multiplier(target_epsilon: float, releases: int, delta: float) -> float:
    """The least scale, in units of the L1 sensitivity, that keeps to a target.

    Raises:
        ConfigurationError: no noise reaches it.
    """

    def excess(logarithm: float) -> float:
        spent = laplace_epsilon(math.exp(logarithm), releases, delta).epsilon
        return spent - target_epsilon

    # At this scale basic composition alone keeps to the target.
    enough = math.log(releases / target_epsilon)
    if delta == 0:
        multiplier = math.exp(enough)
    else:
        low = enough - 20.0
        # The root is where both bounds meet; a hair more noise stays below the target.
        root = float(brentq(excess, low, enough + 1e-6, xtol=1e-9))
        multiplier = math.exp(root) * (1 + 1e-6)
    if multiplier > MOST_NOISE:
        raise unreachable(target_epsilon, releases, delta)
    return multiplier

"""The Laplace noise that keeps to a target."""

from __future__ import annotations

from leakaudit import accounting

from ._accountant import MOST_NOISE, unreachable


def laplace_multiplier(target_epsilon: float, releases: int, delta: float) -> float:
    """The least scale, in units of the L1 sensitivity, that keeps to a target.

    Raises:
        ConfigurationError: no noise reaches it.
    """
    multiplier = accounting.laplace_multiplier(target_epsilon, releases, delta)
    if multiplier > MOST_NOISE:
        raise unreachable(target_epsilon, releases, delta)
    return multiplier

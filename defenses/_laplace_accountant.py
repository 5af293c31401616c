"""Privacy accounting of Laplace noise on messages, by closed forms.

Opacus has no Laplace mechanism; its conversion from Renyi differential privacy is used as it is.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from opacus.accountants.analysis.rdp import get_privacy_spent
from scipy.optimize import brentq

from ._accountant import MOST_NOISE, ORDERS, Spent, conversion_name, quiet_orders, unreachable


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
        return Spent(pure, None, "closed form: pure differential privacy, basic composition")
    with quiet_orders():
        renyi, _ = get_privacy_spent(
            orders=ORDERS, rdp=list(releases * _renyi(multiplier)), delta=delta
        )
    return Spent(
        min(pure, max(0.0, float(renyi))),
        None,
        f"closed forms: the smaller of basic composition and {conversion_name()}",
    )


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


def _renyi(multiplier: float) -> npt.NDArray[np.float64]:
    """Renyi differential privacy of one release, at every order."""
    orders = np.asarray(ORDERS)
    towards = np.log(orders / (2 * orders - 1)) + (orders - 1) / multiplier
    away = np.log((orders - 1) / (2 * orders - 1)) - orders / multiplier
    return np.asarray(np.logaddexp(towards, away) / (orders - 1), dtype=np.float64)

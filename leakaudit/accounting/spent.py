"""The answer of an accountant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spent:
    """The privacy loss of one composition, from both sides.

    Attributes:
        epsilon: upper bound: what may be claimed.
        least: lower bound: some adversary reaches it, so that a smaller claim is false. Equal to
            epsilon where the accountant is exact.
        accountant: what gave epsilon, in words.
    """

    epsilon: float
    least: float
    accountant: str

    @property
    def exact(self) -> bool:
        """Whether both bounds meet, but for rounding."""
        return math.isclose(self.epsilon, self.least, rel_tol=1e-6, abs_tol=1e-9)


def reached(log_held: Floats, log_other: Floats, delta: float) -> float:
    """The largest epsilon that one of several events shows to be spent.

    An (epsilon, delta) guarantee says P(event) <= e^epsilon Q(event) + delta of every event.

    Args:
        log_held: (n,) logarithm of P(event).
        log_other: (n,) logarithm of Q(event).
        delta: failure probability, in [0, 1).
    """
    held = np.exp(log_held)
    counts = (held > delta) & np.isfinite(log_other)
    if not counts.any():
        return 0.0
    # Where delta is 0 the logarithm is known beyond where its exponential underflows.
    excess = log_held + np.log1p(
        -delta / np.where(counts, held, 1.0), where=counts, out=log_held * 0
    )
    return max(0.0, float((excess - log_other)[counts].max()))


def shift_until(excess: Callable[[float], float], low: float, high: float) -> float:
    """The root of a falling function, on the side where it is at most 0."""
    from scipy.optimize import brentq

    root = float(brentq(excess, low, high, xtol=1e-12, rtol=1e-14))
    while excess(root) > 0:
        root += 1e-11 * max(1.0, abs(root))
    return root

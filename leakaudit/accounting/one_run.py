"""Epsilon from below by one training with many canaries, each in one of two states by a coin."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.optimize import brentq

_LEVEL = 0.025
_MOST = 60.0


def one_run_epsilon(
    correct: int, guesses: int, canaries: int, delta: float, level: float = _LEVEL
) -> float:
    """The epsilon that so many right guesses show to be spent, 0 where they show none.

    Args:
        correct: right guesses.
        guesses: guesses made; the other canaries are passed over.
        canaries: all of them.
        delta: failure probability of the claim.
        level: chance of showing more than is spent, at most.

    Source: Steinke, Nasr, Jagielski 2023, theorem 5.2.
    """

    def excess(epsilon: float) -> float:
        return _chance(correct, guesses, canaries, epsilon, delta) - level

    if correct == 0 or excess(0.0) > 0:
        return 0.0
    return _MOST if excess(_MOST) <= 0 else float(brentq(excess, 0.0, _MOST, xtol=1e-6))


def _chance(correct: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """The largest chance of as many right guesses under (epsilon, delta)."""
    right = 1 / (1 + np.exp(-epsilon))
    tail = float(stats.binom.sf(correct - 1, guesses, right))
    fewer = np.arange(1, correct + 1)
    below = np.cumsum(stats.binom.pmf(correct - fewer, guesses, right))
    return tail + 2 * canaries * delta * max(0.0, float((below / fewer).max()))


def best_guesses(mu: float, canaries: int) -> int:
    """How many guesses show most where the claim holds exactly; fixed before anything is drawn.

    Args:
        mu: distance of the two states over the noise, of all releases together.
        canaries: all of them.
    """
    rng = np.random.default_rng(0)
    states = rng.integers(0, 2, canaries) * 2 - 1
    scores = states * mu / 2 + rng.normal(size=canaries)
    right = (scores > 0) == (states > 0)
    hits = np.cumsum(right[np.argsort(-np.abs(scores))])
    tried = np.unique(np.linspace(canaries // 20, canaries, 20).astype(int))
    shown = [one_run_epsilon(int(hits[n - 1]), int(n), canaries, 0.0) for n in tried]
    return int(max(zip(shown, tried, strict=True))[1])

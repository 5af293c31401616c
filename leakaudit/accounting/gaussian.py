"""Gaussian noise without subsampling: exact, by the analytic Gaussian mechanism.

Releases with independent Gaussian noise add up to one with sqrt(releases) times the signal, so
that nothing is lost in composing them.
"""

from __future__ import annotations

import math

from scipy import special

from leakaudit.accounting.spent import Spent, shift_until

ANALYTIC = "analytic Gaussian mechanism, exact (Balle, Wang 2018)"

# The tail of a normal distribution beyond is no double.
_FAR = 37.0


def gaussian_epsilon(mu: float, delta: float) -> Spent:
    """The privacy loss of one Gaussian release, or of several by their root sum of squares.

    Args:
        mu: sensitivity over standard deviation of the noise, above 0; of several releases,
            sqrt(sum of squares).
        delta: failure probability, in (0, 1).

    Source: Balle, Wang 2018, theorem 8; Dong, Roth, Su 2022, corollary 3.3 (composition).
    """
    wanted = math.log(delta)
    # The loss of a shift is epsilon = mu (mu / 2 - t); delta grows with t.
    most = min(mu / 2, _FAR)
    if _log_delta(most, mu) <= wanted:
        return Spent(0.0, 0.0, ANALYTIC)
    least = -shift_until(lambda negative: _log_delta(-negative, mu) - wanted, -most, _FAR)
    epsilon = mu * (mu / 2 - least)
    return Spent(epsilon, epsilon, ANALYTIC)


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The largest mu that keeps to (epsilon, delta): the inverse of :func:`gaussian_epsilon`.

    Args:
        epsilon: above 0.
        delta: in (0, 1).
    """

    def short(negative_log: float) -> float:
        return gaussian_epsilon(math.exp(-negative_log), delta).epsilon - epsilon

    # Beyond sqrt(2 epsilon) + 2 * 37 every delta is exceeded; far below, none.
    largest = math.log(math.sqrt(2 * epsilon) + 2 * _FAR)
    return math.exp(-shift_until(short, -largest, 60.0))


def _log_delta(t: float, mu: float) -> float:
    """Logarithm of the exact delta at epsilon = mu (mu / 2 - t), without cancellation.

    delta = Phi(t) - e^epsilon Phi(t - mu) = phi(t) (R(-t) - R(mu - t)), R being Mills' ratio.
    """
    scale = math.sqrt(math.pi / 2)
    difference = scale * (special.erfcx(-t / math.sqrt(2)) - special.erfcx((mu - t) / math.sqrt(2)))
    if difference <= 0:
        return -math.inf
    return math.log(difference) - t * t / 2 - math.log(2 * math.pi) / 2

"""What a guarantee means in other units: how often somebody is picked out, how many bits cross."""

from __future__ import annotations

import math

from scipy import special


def picked_at_most(chance: float, mu: float) -> float:
    """How often anybody picks the right one where guessing succeeds with a chance.

    Phi(Phi^-1(chance) + mu): pick each candidate on an event of its own; no event of chance q
    without the messages has more than Phi(Phi^-1(q) + mu) with them, which is concave in q.

    Args:
        chance: success without the messages, in (0, 1).
        mu: of Gaussian differential privacy, all releases together.

    Source: Hayes, Mahloujifar, Balle 2023, arXiv 2302.07225 (reconstruction robustness).
    """
    return float(special.ndtr(special.ndtri(chance) + mu))


def picked_at_most_pure(chance: float, epsilon: float) -> float:
    """The same under pure differential privacy: chance e^epsilon, at most 1.

    Source: Balle, Cherubin, Hayes 2022, arXiv 2201.04845.
    """
    return min(1.0, math.exp(min(700.0, math.log(chance) + epsilon)))


def bits_at_most(mu: float, *, replaced: bool) -> float:
    """The most bits about one patient that all covered messages carry together.

    The capacity of Gaussian channels whose signals have norm at most C, sum C^2 / (2 s^2) nats.
    Neighbours at opposite ends of the ball are mu = 2 C / s apart, an end and a blank one C / s.

    Args:
        mu: of Gaussian differential privacy, all releases together.
        replaced: whether neighbours are at opposite ends.

    Source: Cover, Thomas 2006, section 9.4, with log(1 + x) <= x.
    """
    reach = mu / 2 if replaced else mu
    return reach**2 / 2 / math.log(2)


def bits_at_most_pure(epsilon: float) -> float:
    """The same under pure differential privacy: no divergence is above epsilon tanh(epsilon / 2).

    Source: Kairouz, Oh, Viswanath 2015: any such pair is randomised response, processed further.
    """
    return epsilon * math.tanh(epsilon / 2) / math.log(2)

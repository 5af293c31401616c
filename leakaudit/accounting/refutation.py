"""A claim refuted by what its own mechanism sends: how much noise there surely is, at most.

One message is sent many times from two ends of the clipping ball. What comes out, read along the
line between the two, is an end plus noise. Count how often the noise passes a threshold that the
claim fixes beforehand: the Clopper-Pearson bound on that share bounds the scale of the noise from
above, and the claim's own accountant turns the scale into an epsilon that is surely spent.

Counting where neighbours at three standard deviations from each other would be told apart (one in
fifteen errs on either side) settles a scale to about 3 % from 20,000 draws, whatever epsilon and
delta are claimed; counting events as rare as delta never could. It rests on the noise being of the
kind that is claimed: the refuted statement is "this is that mechanism with at least that noise".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from leakaudit.accounting.gaussian import gaussian_epsilon, gaussian_mu
from leakaudit.accounting.laplace import laplace_epsilon, laplace_multiplier
from leakaudit.accounting.spent import Floats
from leakaudit.errors import DataError

# Thresholds where counting tells most about a scale, in units of the claimed one.
_THRESHOLD = {"gaussian": 1.5, "laplace": 1.6}
_LEAST_EPSILON = 1e-9


@dataclass(frozen=True)
class Shown:
    """What draws showed of a claim.

    Attributes:
        epsilon: surely spent, at the claim's delta.
        largest: the most that as many draws could have shown.
        refuted: epsilon is above what is claimed, or one place surely has less noise.
        places: indices of places that surely have less noise than the claim counts with.
    """

    epsilon: float
    largest: float
    refuted: bool
    places: tuple[int, ...]


def shown(
    noise: Sequence[Floats],
    kind: Literal["gaussian", "laplace"],
    claimed: float,
    delta: float,
    releases: int,
    level: float = 0.025,
) -> Shown:
    """The epsilon that draws show to be spent.

    Args:
        noise: per place (a party, level and direction), (n,) values of the noise along the line
            between two ends, around its mean, over the distance between the ends.
        kind: distribution that is claimed.
        claimed: the epsilon.
        delta: its failure probability; above 0 for Gaussian noise.
        releases: how many there are, each place with an equal share.
        level: chance of refuting a true claim, at most. Half of it is spent on all places
            together, the other half on single ones (Bonferroni).

    Raises:
        DataError: a draw is not finite.
    """
    claimed = max(claimed, _LEAST_EPSILON)
    required = _required(kind, claimed, delta, releases)
    together = np.concatenate(noise)
    if not np.isfinite(together).all():
        raise DataError(
            "noise is drawn in finite numbers",
            found=f"{int((~np.isfinite(together)).sum())} of {together.size} that are not",
            remedy="mend what the defense sends of messages far outside its clipping norm",
        )
    # Both bounds are convex in the share counted: what all places show together holds for the sum
    # of what each spends, even where the places differ.
    bound = multiplier_at_most(together, kind, required, level / 2)
    silent = multiplier_at_most(np.zeros_like(together), kind, required, level / 2)
    places = tuple(
        place
        for place, draws in enumerate(noise)
        if multiplier_at_most(draws, kind, required, level / 2 / len(noise)) < required
    )
    epsilon = _epsilon(kind, bound, delta, releases)
    return Shown(
        epsilon=epsilon,
        largest=_epsilon(kind, silent, delta, releases),
        refuted=bound < required or bool(places),
        places=places,
    )


def multiplier_at_most(
    noise: Floats, kind: Literal["gaussian", "laplace"], required: float, level: float
) -> float:
    """An upper confidence bound on the scale of noise.

    Args:
        noise: (n,) around its mean, in units of the sensitivity.
        kind: its distribution.
        required: the scale that is claimed, which fixes the threshold.
        level: chance that the scale is above the bound.

    Returns:
        In units of the sensitivity; infinite where the draws bound nothing.
    """
    threshold = _THRESHOLD[kind] * required
    if kind == "laplace":
        beyond = share_at_most(int((np.abs(noise) > threshold).sum()), noise.size, level)
        return threshold / -math.log(beyond) if beyond < 1 else math.inf
    # Two neighbours at twice the threshold: one error of either kind.
    span = sum(
        -float(special.ndtri(share_at_most(int((side > threshold).sum()), noise.size, level / 2)))
        for side in (noise, -noise)
    )
    return 2 * threshold / span if span > 0 else math.inf


def share_at_most(count: int, draws: int, level: float) -> float:
    """The one-sided Clopper-Pearson upper bound on a share."""
    if count >= draws:
        return 1.0
    return float(special.betaincinv(count + 1, draws - count, 1 - level))


def _required(kind: str, epsilon: float, delta: float, releases: int) -> float:
    if kind == "laplace":
        return laplace_multiplier(epsilon, releases, delta)
    return math.sqrt(releases) / gaussian_mu(epsilon, delta)


def _epsilon(kind: str, multiplier: float, delta: float, releases: int) -> float:
    if math.isinf(multiplier):
        return 0.0
    if kind == "laplace":
        return laplace_epsilon(multiplier, releases, delta).epsilon
    return gaussian_epsilon(math.sqrt(releases) / multiplier, delta).epsilon

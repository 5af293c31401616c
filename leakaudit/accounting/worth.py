"""What a described mechanism is worth, and whether a stated epsilon can be true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from leakaudit.accounting.gaussian import gaussian_epsilon, gaussian_mu
from leakaudit.accounting.laplace import laplace_epsilon
from leakaudit.accounting.mechanism import SENSITIVITY, Mechanism, Neighbouring
from leakaudit.accounting.spent import Spent
from leakaudit.accounting.subsampled import subsampled_epsilon
from leakaudit.errors import ConfigurationError

# Figures are stated rounded; 7.62 is not false where 7.6193 is exact.
_ROUNDED = 0.005

# Noise over sensitivity whose inverse still has a square, over any number of releases.
_LEAST = 1e-140


class Truth(StrEnum):
    """Whether a stated epsilon can be true."""

    CAN = "can be true"
    CANNOT = "cannot be true"
    OPEN = "is not settled by these accountants"


@dataclass(frozen=True)
class Worth:
    """What the mechanism is worth between two kinds of neighbours.

    Attributes:
        neighbouring: the relation.
        sensitivity: how far two clipped messages can be apart.
        noise: standard deviation (Gaussian) or scale (Laplace) per value.
        spent: its epsilon, from both sides.
    """

    neighbouring: Neighbouring
    sensitivity: float
    noise: float
    spent: Spent


def worth(mechanism: Mechanism) -> tuple[Worth, ...]:
    """One answer for each relation between neighbours.

    The sensitivity is what clipping ensures; a declared one changes nothing but noise that was
    computed with it.

    Raises:
        ConfigurationError: the epsilon is beyond any number.
    """
    noise = _noise(mechanism)
    answers = []
    for relation in mechanism.relations:
        sensitivity = SENSITIVITY[relation] * mechanism.clip
        spent = _spent(mechanism, noise / sensitivity)
        if not math.isfinite(spent.epsilon):
            raise _beyond(f"noise of {noise:g} against a sensitivity of {sensitivity:g}")
        answers.append(Worth(relation, sensitivity, noise, spent))
    return tuple(answers)


def judged(stated: float, spent: Spent) -> Truth:
    """Whether a stated epsilon can be true of what is spent."""
    if stated >= spent.epsilon - _ROUNDED * min(1.0, spent.epsilon):
        return Truth.CAN
    if stated < spent.least - _ROUNDED * min(1.0, spent.least):
        return Truth.CANNOT
    return Truth.OPEN


def _spent(mechanism: Mechanism, multiplier: float) -> Spent:
    if not _LEAST < multiplier < math.inf:
        raise _beyond(f"noise of {multiplier:g} times the sensitivity")
    delta, releases = mechanism.delta or 0.0, mechanism.releases
    if mechanism.kind == "laplace":
        return laplace_epsilon(multiplier, releases, delta)
    if mechanism.rate < 1:
        return subsampled_epsilon(multiplier, mechanism.rate, releases, delta)
    return gaussian_epsilon(math.sqrt(releases) / multiplier, delta)


def _noise(mechanism: Mechanism) -> float:
    """Noise per value; computed for an epsilon, the least that keeps to it at what was declared."""
    if mechanism.sigma is not None:
        return mechanism.sigma
    if mechanism.multiplier is not None:
        return mechanism.multiplier * mechanism.clip
    target, declared = mechanism.noise_for, mechanism.sensitivity
    if target is None or declared is None:
        raise TypeError("a mechanism has noise")
    if mechanism.kind == "laplace":
        return declared * mechanism.releases / target
    return declared * math.sqrt(mechanism.releases) / gaussian_mu(target, mechanism.delta or 0.0)


def _beyond(found: str) -> ConfigurationError:
    return ConfigurationError(
        "the epsilon of a mechanism is a number",
        found=found,
        remedy="check the units of clip and noise: they are those of the message's norm",
    )

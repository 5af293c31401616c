"""Privacy accounting of Gaussian noise on messages, by Opacus.

Every sample is released in every epoch, for certain: participation is deterministic, so nothing is
gained from subsampling and the sampling rate is 1.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import opacus
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.accountants.utils import get_noise_multiplier

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure

# Dense enough that the best Renyi order costs less than 0.1 % of epsilon; Opacus' own 60 orders
# end at 63, and give a floor that hides small epsilons.
ORDERS: list[float] = [float(order) for order in 1 + np.logspace(-4, 6, 4000)]

# Outside, the grid of the privacy-loss random variable takes minutes or gigabytes.
_PRV_LEAST, _PRV_MOST = 0.05, 50.0

# Far inside what single precision holds, the product of two of them and its square included:
# messages and gradients are computed in it.
LEAST_SCALE, MOST_SCALE = 1e-9, 1e9

# In units of the sensitivity. Beyond it, single precision rounds the message itself away.
MOST_NOISE = 1e5


@dataclass(frozen=True)
class Spent:
    """What the accountants say of one composition.

    Attributes:
        epsilon: from Renyi differential privacy: an upper bound.
        prv_epsilon: upper bound from the privacy-loss random variable; None where epsilon is too
            small or too large for its grid, or there is none for the mechanism.
        accountant: name and version of what gave epsilon, for the claim.
    """

    epsilon: float
    prv_epsilon: float | None
    accountant: str


def conversion_name() -> str:
    """Name and version of the accountant, for the claim."""
    return f"Opacus {opacus.__version__}, Renyi differential privacy"


@contextmanager
def quiet_orders() -> Iterator[None]:
    """An order at the end of the grid still gives a bound, only a looser one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order is the")
        yield


def gaussian_epsilon(multiplier: float, releases: int, delta: float) -> Spent:
    """The privacy loss of Gaussian releases about one patient.

    Args:
        multiplier: standard deviation of the noise over the sensitivity, above 0.
        releases: how many there are.
        delta: failure probability, in (0, 1).

    Source: Mironov 2017, proposition 7 (Renyi); Gopi, Lee, Wutschitz 2021 (PRV).
    """
    history = [(multiplier, 1.0, releases)]
    renyi, variable = RDPAccountant(), PRVAccountant()
    renyi.history = list(history)
    variable.history = list(history)
    with quiet_orders():
        # Below 0 the conversion says that delta alone already covers the loss.
        epsilon = max(0.0, float(renyi.get_epsilon(delta=delta, alphas=ORDERS)))
        if not _PRV_LEAST < epsilon < _PRV_MOST:
            return Spent(epsilon, None, conversion_name())
        # At sampling rate 1 the subsampled formula takes log(0) where it then discards the value.
        with np.errstate(divide="ignore"):
            prv = float(variable.get_epsilon(delta=delta, eps_error=min(0.01, epsilon / 100)))
    return Spent(epsilon, prv, f"{conversion_name()} (its PRV accountant: {prv:.4g})")


def gaussian_multiplier(target_epsilon: float, releases: int, delta: float) -> float:
    """The least noise, in units of the sensitivity, that keeps to a target.

    Raises:
        ConfigurationError: no noise reaches it.
    """
    with quiet_orders():
        try:
            multiplier = float(
                get_noise_multiplier(
                    target_epsilon=target_epsilon,
                    target_delta=delta,
                    sample_rate=1.0,
                    steps=releases,
                    alphas=ORDERS,
                    epsilon_tolerance=1e-4 * target_epsilon,
                )
            )
        except ValueError:  # Opacus' word for: its largest noise is not enough
            multiplier = math.inf
    if multiplier <= MOST_NOISE:
        return multiplier
    raise unreachable(target_epsilon, releases, delta)


def unreachable(target_epsilon: float, releases: int, delta: float) -> ConfigurationError:
    """What to say of a target below what any noise gives."""
    return ConfigurationError(
        "target_epsilon must be one that some noise gives",
        found=f"{target_epsilon:g} over {releases} releases at delta {delta:g}",
        remedy="raise target_epsilon, or release less: fewer epochs, levels or slices of a patient",
    )


def require_small_delta(delta: float, exposure: Exposure) -> None:
    """Refuse a delta that would allow publishing one patient at random.

    Raises:
        ConfigurationError: delta is above 1 over the number of patients.
    """
    if delta > 1 / exposure.patients:
        raise ConfigurationError(
            "delta is at most 1 over the number of patients, better far below",
            found=f"{delta:g} with {exposure.patients} patients",
            remedy=f"set delta to {0.1 / exposure.patients:.1g} or less",
        )

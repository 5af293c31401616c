"""Privacy accounting of Gaussian noise on messages.

Every sample is released in every epoch, for certain: participation is deterministic, so nothing is
gained from subsampling, and the releases compose exactly.
"""

from __future__ import annotations

import math

from leakaudit.accounting import Spent, gaussian_epsilon, gaussian_mu
from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure

# Far inside what single precision holds, the product of two of them and its square included:
# messages and gradients are computed in it.
LEAST_SCALE, MOST_SCALE = 1e-9, 1e9

# In units of the sensitivity. Beyond it, single precision rounds the message itself away.
MOST_NOISE = 1e5


def gaussian_spent(multiplier: float, releases: int, delta: float) -> Spent:
    """The privacy loss of Gaussian releases about one patient.

    Args:
        multiplier: standard deviation of the noise over the sensitivity, above 0.
        releases: how many there are.
        delta: failure probability, in (0, 1).
    """
    return gaussian_epsilon(math.sqrt(releases) / multiplier, delta)


def gaussian_multiplier(target_epsilon: float, releases: int, delta: float) -> float:
    """The least noise, in units of the sensitivity, that keeps to a target.

    Raises:
        ConfigurationError: no noise reaches it.
    """
    multiplier = math.sqrt(releases) / gaussian_mu(target_epsilon, delta)
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

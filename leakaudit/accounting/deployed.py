"""Privacy filters that federated frameworks ship: their settings as a mechanism, and their unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leakaudit.errors import ConfigurationError, UnknownNameError


@dataclass(frozen=True)
class Deployed:
    """One filter.

    Attributes:
        settings: that must be given, in the framework's own names.
        mechanism: the same as settings of a mechanism.
        unit: whom its figure speaks of, and what does not pass it.
    """

    settings: tuple[str, ...]
    mechanism: Callable[[Mapping[str, Any]], dict[str, Any]]
    unit: str


def _local(given: Mapping[str, Any]) -> dict[str, Any]:
    """Flower's own formula for the noise, which holds for epsilon below 1 alone."""
    factor = math.sqrt(2 * math.log(1.25 / given["delta"]))
    return {
        "kind": "gaussian",
        "clip": given["clipping_norm"],
        "sigma": given["sensitivity"] * factor / given["epsilon"],
        "sensitivity": given["sensitivity"],
        "epsilon": given["epsilon"],
        "delta": given["delta"],
    }


def _central(given: Mapping[str, Any]) -> dict[str, Any]:
    """The mean of clipped updates and its noise are both divided by the number of clients."""
    return {
        "kind": "gaussian",
        "clip": given["clipping_norm"],
        "multiplier": given["noise_multiplier"],
        "delta": given["delta"],
    }


_CLIENT = "Its figure speaks of a whole client, not of a patient, and of weights. "
FILTERS: Mapping[str, Deployed] = {
    "flower-local-dp": Deployed(
        ("clipping_norm", "sensitivity", "epsilon", "delta"),
        _local,
        _CLIENT + "LocalDpMod refuses messages without exactly one ArrayRecord, such as a split's "
        "features: what a split sends does not pass it.",
    ),
    "flower-central-dp": Deployed(
        ("clipping_norm", "noise_multiplier", "delta"),
        _central,
        _CLIENT + "The server adds the noise: it protects from whoever gets the averaged network, "
        "and not from the server. What a split sends does not pass it.",
    ),
}
# What clips or selects, and what accounts for single values: no epsilon about a patient.
_NONE = {
    "nvflare-percentile-privacy": "percentile privacy drops small changes and cuts large ones "
    "off, and adds no noise: it is no differential privacy at any epsilon",
    "nvflare-svt-privacy": "its budget is spent value by value of a weight difference, and grows "
    "with the share of values that is uploaded: it says nothing about a patient, or a feature map",
}


def as_mechanism(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a mechanism from those of a deployed filter.

    Args:
        settings: `filter` names it; `releases`, `rate` and `neighbouring` are as of any mechanism.

    Raises:
        UnknownNameError: no filter of that name is known.
        ConfigurationError: it is worth no epsilon, or a setting is missing or no positive number.
    """
    name, given = str(settings["filter"]), dict(settings)
    if name in _NONE:
        raise ConfigurationError(
            f"{name} has no epsilon about a patient: {_NONE[name]}",
            found=f"filter = {name!r}",
            remedy="measure what passes it: audit the job with and without; a split's Collab calls "
            "do not pass task filters at all",
        )
    if name not in FILTERS:
        raise UnknownNameError.of("filter", name, {*FILTERS, *_NONE})
    known = FILTERS[name]
    for key in known.settings:
        value = given.pop(key, None)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value <= 0 or (key == "delta" and value >= 1):
            raise ConfigurationError(
                f"{name} needs {', '.join(known.settings)} as positive numbers, delta below 1",
                found=f"{key} = {value}",
                remedy="give the settings that the framework is configured with",
            )
    del given["filter"]
    return given | known.mechanism(settings) | {"deployed": name}

"""Several defenses at once: their split, their settings in effect, what they claim together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Claim, Defense, Exposure
from leakaudit.exchange.message import Cut, Route
from leakaudit.split.spec import SplitSpec


def reshaped(split: SplitSpec, defenses: Sequence[Defense]) -> SplitSpec:
    """The split under all defenses, each of which has been checked against it.

    Args:
        split: the split as configured, before any defense.
        defenses: in the order of the configuration.

    Raises:
        ConfigurationError: a defense names a party, cut or combination that cannot be.
    """
    for defense in defenses:
        split = defense.reshape(split)
    for defense in defenses:
        defense.check(split)
    named = [defense.with_names(split) for defense in defenses]
    for place, defense in enumerate(named):
        defense.check_stack(named[:place], named[place + 1 :])
    return split


def resolve(
    defenses: Sequence[Defense], split: SplitSpec, exposure: Exposure
) -> tuple[Defense, ...]:
    """The defenses with every setting in effect: what training, trace and attacks are given.

    Args:
        defenses: in the order of the configuration.
        split: the split as configured, before any defense.
        exposure: how often a patient is released.

    Raises:
        ConfigurationError: a defense cannot stand in this split, or a target cannot be met.
    """
    split = reshaped(split, defenses)
    return tuple(defense.with_names(split).resolved(exposure, split) for defense in defenses)


# e to that power is beyond any number: a larger epsilon is a slip of the pen, or an overflow.
MOST_EPSILON = 1e9


def check_claims(defenses: Sequence[Defense], split: SplitSpec, exposure: Exposure) -> None:
    """Refuse settings whose claim would be no number, or an absurd one.

    Args:
        defenses: as resolved.
        split: the split as configured, before any defense.
        exposure: how often a patient is released.

    Raises:
        ConfigurationError: an epsilon is not finite, negative, or above :data:`MOST_EPSILON`.
    """
    for defense, claim in zip(defenses, claims(defenses, split, exposure), strict=True):
        if claim is not None and not 0 <= claim.epsilon <= MOST_EPSILON:
            raise ConfigurationError(
                f"the epsilon of a claim is a number of at most {MOST_EPSILON:g}",
                found=f"{type(defense).__name__}: {claim.epsilon:g} ({claim.mechanism}; "
                f"{claim.composition})",
                remedy="add more noise, or release less: fewer epochs, cuts or samples of a "
                "patient",
            )


def claims(
    defenses: Sequence[Defense], split: SplitSpec, exposure: Exposure
) -> tuple[Claim | None, ...]:
    """Each defense's claim, in their order; None where it makes none or the stack voids it.

    Args:
        defenses: as resolved.
        split: the split as configured, before any defense.
        exposure: how often a patient is released.
    """
    split = reshaped(split, defenses)
    return tuple(
        None
        if split.mixes or defense.void_because(defenses[:place], defenses[place + 1 :])
        else defense.claim(exposure, split)
        for place, defense in enumerate(defenses)
    )


def no_claim_because(
    defenses: Sequence[Defense], split: SplitSpec, exposure: Exposure
) -> str | None:
    """Why a stack makes no claim at all, in plain words; None where it makes one.

    Args:
        defenses: as resolved.
        split: the split as configured, before any defense.
        exposure: how often a patient is released.
    """
    if any(claim is not None for claim in claims(defenses, split, exposure)):
        return None
    split = reshaped(split, defenses)
    if split.mixes and defenses:
        return (
            "the network mixes the patients of a batch in training (batch norm, say): what leaves "
            "for one depends on others, and no clipping of single messages bounds that"
        )
    for place, defense in enumerate(defenses):
        reason = defense.void_because(defenses[:place], defenses[place + 1 :])
        if reason is not None and defense.claim(exposure, split) is not None:
            return reason
    reasons = [defense.no_claim_because(split) for defense in defenses]
    return "; ".join(dict.fromkeys(reasons)) or "nothing defends"


def wire_share(defenses: Sequence[Defense], split: SplitSpec, route: Route, channels: int) -> float:
    """Share of a message's bytes that must cross once all defenses encoded it, 0 to 1.

    Args:
        defenses: that are on.
        split: that they act in.
        route: of the message; none acts on what a label holder exchanges with the server.
        channels: of the message.
    """
    if route.cut is Cut.HEAD:
        return 1.0
    return math.prod(
        defense.wire_share(route.direction, route.level, channels)
        for defense in defenses
        if defense.acts_at(route.party) and defense.acts_on(route.level, split)
    )

"""Several defenses at once: their split, their settings in effect, what they claim together."""

from __future__ import annotations

from collections.abc import Sequence

from leakaudit.exchange.defense import Claim, Defense, Exposure
from leakaudit.split.spec import SplitSpec


def reshaped(split: SplitSpec, defenses: Sequence[Defense]) -> SplitSpec:
    """The split under all defenses, each of which has been checked against it.

    Args:
        split: the split as configured, before any defense.
        defenses: in the order of the configuration.

    Raises:
        ConfigurationError: a defense names a party, level or combination that cannot be.
    """
    for defense in defenses:
        split = defense.reshape(split)
    for defense in defenses:
        defense.check(split)
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
    return tuple(defense.resolved(exposure, split) for defense in defenses)


def claims(
    defenses: Sequence[Defense], split: SplitSpec, exposure: Exposure
) -> tuple[Claim | None, ...]:
    """Each defense's claim, in their order; None where it makes none.

    Args:
        defenses: as resolved.
        split: the split as configured, before any defense.
        exposure: how often a patient is released.
    """
    split = reshaped(split, defenses)
    return tuple(defense.claim(exposure, split) for defense in defenses)

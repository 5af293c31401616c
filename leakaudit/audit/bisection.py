"""The search for the least strength: which one to try next, given what was found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """What one strength came to.

    Attributes:
        meets: every target, surely.
        hopeless: Dice is surely below the floor, or, where every target is met, may be.
    """

    meets: bool
    hopeless: bool = False


def next_strength(count: int, tried: Mapping[int, Tried]) -> int | None:
    """The place of the strength to try next; None where the search is over.

    Bisection: leakage is taken not to rise, nor Dice to rise, with the strength. A strength that
    may exceed a target counts as exceeding it. Above one that fails although its Dice is hopeless
    already there is nothing to look for.

    Args:
        count: strengths, from the weakest to the strongest.
        tried: place to what it came to.
    """
    below, above = _between(count, tried)
    failed = tried.get(below)
    if above - below < 2 or (failed is not None and failed.hopeless):
        return None
    return (below + above) // 2


def least_strength(count: int, tried: Mapping[int, Tried]) -> int | None:
    """The place of the weakest that meets every target and is of use; None where none was found."""
    _, above = _between(count, tried)
    if above == count or tried[above].hopeless:
        return None
    return above


def why_over(count: int, tried: Mapping[int, Tried]) -> str:
    """Why the search ended where it did, in words."""
    below, above = _between(count, tried)
    failed = tried.get(below)
    if above < count:
        if tried[above].hopeless:
            return (
                "the weakest strength that meets every target leaves a Dice that is, or may be, "
                "below the floor"
            )
        if above == 0:
            return "the weakest strength offered meets every target already"
        return "the next weaker strength may exceed a target"
    if failed is not None and failed.hopeless:
        return "stopped where a target may still be exceeded but Dice is below the floor already"
    return "even the strongest strength offered may exceed a target"


def _between(count: int, tried: Mapping[int, Tried]) -> tuple[int, int]:
    """The strongest known to fail and the weakest known to meet; -1 and ``count`` where unknown."""
    above = min((place for place, found in tried.items() if found.meets), default=count)
    below = max(
        (place for place, found in tried.items() if not found.meets and place < above), default=-1
    )
    return below, above

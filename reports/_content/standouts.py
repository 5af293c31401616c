"""Which settings stand for many, where all of them would not fit or could not be told apart."""

from __future__ import annotations

from collections.abc import Mapping

from .evidence_index import Index

MANY = 6
"""Settings that are told apart side by side: more, and a few are named for the rest."""
LOST = 0.5
"""A network that keeps less than this share of the undefended Dice no longer does its work."""


def works(index: Index, setting: str) -> bool:
    """Whether the network still segments: what leaks nothing because it learnt nothing does not."""
    if setting in index.useless:
        return False
    bare = index.dice(index.undefended) if index.undefended is not None else None
    dice = index.dice(setting)
    if bare is None or dice is None:
        return True
    return dice.estimate.mean >= LOST * bare.estimate.mean


def standouts(index: Index, leaks: Mapping[str, float]) -> dict[str, str]:
    """The settings to name, and why: undefended, recommended, then the least, median and most.

    Args:
        index: the record.
        leaks: how much leaks under each setting that is to be shown; higher leaks more.

    Returns:
        Reasons by setting, at most five; empty for the undefended one. Settings whose network no
        longer works are no extremes, as long as others remain.
    """
    found: dict[str, str] = {}

    def name(setting: str | None, why: str) -> None:
        if setting is not None and setting in leaks:
            found[setting] = ", ".join(part for part in (found.get(setting, ""), why) if part)

    name(index.undefended, "")
    answer = index.record.answer
    if answer is not None:
        name(answer.least, "recommended")
        name(answer.nearest, "nearest to the targets")
    ranked = sorted([s for s in leaks if works(index, s)] or leaks, key=lambda s: leaks[s])
    if ranked:
        name(ranked[0], "leaks least")
        name(ranked[len(ranked) // 2], "median")
        name(ranked[-1], "leaks most")
    return found


def told_apart(index: Index, leaks: Mapping[str, float]) -> tuple[set[str], str]:
    """The settings that a figure names, and a sentence on the grey rest; all where few."""
    if len(leaks) <= MANY:
        return set(leaks), ""
    chosen = standouts(index, leaks)
    return set(chosen), (
        f" Of {len(leaks)} settings these are named: {told(index, chosen)}. The others are grey; "
        "their numbers stand in the table of verdicts."
    )


def told(index: Index, chosen: Mapping[str, str]) -> str:
    """`no defense; noise 4.5 (recommended, leaks least)`."""
    return "; ".join(
        index.title(setting) + (f" ({why})" if why else "") for setting, why in chosen.items()
    )

"""Whether the strengths of a sweep make sense for its defense."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.defense import Defense, Strength
from leakaudit.plan.sweep import Sweep
from leakaudit.plugins import Kind, load


def check_strengths(sweep: Sweep) -> None:
    """Refuse a sweep whose strengths are out of order, or a search with nothing to turn.

    Raises:
        UnknownNameError: the defense or a swept setting does not exist.
        ConfigurationError: strengths do not run from the weakest to the strongest, or a search has
            no single strength to turn.
    """
    defense: type[Defense] = load(Kind.DEFENSE, sweep.use)
    swept = {defense.former_names.get(name, name): each for name, each in sweep.swept.items()}
    for name, values in swept.items():
        if name not in defense.model_fields:
            raise UnknownNameError.of(f"setting of defense {sweep.use}", name, defense.model_fields)
        strength = defense.strength.of(name) if defense.strength is not None else None
        if strength is not None:
            _check_order(sweep, strength, values)
    if sweep.search == "least":
        _check_searchable(sweep, defense, swept)


def _check_order(sweep: Sweep, strength: Strength, values: tuple[Any, ...]) -> None:
    for weaker, stronger in pairwise(values):
        if not _stronger(stronger, weaker, rising=strength.rising):
            way = "up" if strength.rising else "down"
            raise ConfigurationError(
                f"strengths run from the weakest to the strongest: {strength.setting} of "
                f"{sweep.use} goes {way}",
                found=f"{weaker}, then {stronger}",
                remedy="exchange `from` and `to`, or put `values` in order",
            )


def _stronger(value: Any, than: Any, *, rising: bool) -> bool:
    """Numbers by size, lists of things by what they take in."""
    if isinstance(value, list | tuple) and isinstance(than, list | tuple):
        more, less = (set(value), set(than)) if rising else (set(than), set(value))
        return more > less
    try:
        return bool(value > than if rising else value < than)
    except TypeError:
        # Of different kinds: the defense itself refuses what it cannot take.
        return True


def _check_searchable(
    sweep: Sweep, defense: type[Defense], swept: dict[str, tuple[Any, ...]]
) -> None:
    if defense.strength is None:
        raise ConfigurationError(
            "a search for the least strength needs a setting that makes the defense stronger",
            found=f"{sweep.use} has none",
            remedy="take `search` out, or list it under [[defenses]]",
        )
    if len(swept) != 1 or defense.strength.of(next(iter(swept))) is None:
        raise ConfigurationError(
            "a search for the least strength turns one setting: the defense's strength",
            found=f"{sweep.use} with ranges for {', '.join(swept)}",
            remedy=f"give a range to {defense.strength.setting} alone; the others take one value",
        )

"""Ways to read messages that an attack tried on auxiliary patients: one entry of each."""

from __future__ import annotations

from collections.abc import Mapping

from leakaudit.plan.tables import Section
from leakaudit.threat.attack import Guess, WayKind
from leakaudit.threat.target import Target


class Way(Section):
    """One way, and what it told of auxiliary patients that it did not learn from."""

    victim: str
    levels: tuple[int, ...]
    kind: WayKind
    way: str
    told: float | None
    used: bool
    problem: str


def ways_of(guesses: Mapping[Target, Guess]) -> tuple[Way, ...]:
    """Each once: targets of one victim share what was tried. Used is what any of them used."""
    found: dict[tuple[str, tuple[int, ...], WayKind, str], Way] = {}
    for target, guess in guesses.items():
        for tried in guess.ways:
            key = (target.victim, tried.levels, tried.kind, tried.way)
            used = tried.used or (key in found and found[key].used)
            found[key] = Way(
                victim=target.victim, levels=tried.levels, kind=tried.kind, way=tried.way,
                told=tried.told, used=used, problem=tried.problem,
            )  # fmt: skip
    return tuple(found.values())

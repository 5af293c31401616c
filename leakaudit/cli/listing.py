"""`leakaudit list`: what is installed, ours and other people's."""

from __future__ import annotations

from collections.abc import Iterator

from leakaudit.cli.docstrings import summary
from leakaudit.cli.terminal import say, table
from leakaudit.plugins import Kind, entries
from leakaudit.threat.knowledge import PRESETS

KINDS = {
    "attacks": Kind.ATTACK,
    "defenses": Kind.DEFENSE,
    "metrics": Kind.METRIC,
    "cohorts": Kind.COHORT,
    "models": Kind.MODEL,
    "reports": Kind.REPORT,
}
ADVERSARIES = "adversaries"


def show_list(kind: str | None) -> None:
    """Print one table, or one for each kind.

    Args:
        kind: as in ``KINDS``, or ``adversaries``; None for all.
    """
    for wanted in [kind] if kind is not None else [*KINDS, ADVERSARIES]:
        rows = _adversaries() if wanted == ADVERSARIES else _plugins(KINDS[wanted])
        table(wanted.capitalize(), ("name", "what it is", "from"), rows)
    say("`leakaudit explain NAME` says more.")


def _plugins(kind: Kind) -> Iterator[tuple[str, str, str]]:
    for name, entry in sorted(entries(kind).items()):
        package = entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]
        yield name, summary(entry) or "(says nothing about itself)", package


def _adversaries() -> Iterator[tuple[str, str, str]]:
    for name, preset in PRESETS.items():
        behaviour = preset.get("behaviour", "passive")
        grants = ", ".join(preset["grants"])
        yield name, f"{preset['position']}, {behaviour}; also has {grants}", "leakaudit"

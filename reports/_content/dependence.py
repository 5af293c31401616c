"""Proxies for mutual information between images and messages: shown, never judged by."""

from __future__ import annotations

from leakaudit.record.model import Dependence

from .blocks import Block, Cell, Column, Paragraph, Subheading, Table, say, strong
from .evidence_index import Index
from .wording import number


def dependence(index: Index) -> list[Block]:
    """One row per message and estimator, seeds together."""
    entries = index.record.dependence
    if not entries:
        return []
    grouped: dict[tuple[str, str, int, str, str], list[Dependence]] = {}
    for entry in entries:
        key = (entry.defense, entry.party, entry.level, entry.metric, entry.unit)
        grouped.setdefault(key, []).append(entry)
    rows = tuple(
        (
            Cell(say(defense)),
            Cell(say(party)),
            Cell(say(str(level)), order=level),
            Cell(say(metric if unit in {"", "1"} else f"{metric}, {unit}")),
            _over_seeds([run.value for run in runs]),
            Cell(
                say("none" if runs[0].saturation is None else number(runs[0].saturation)),
                order=runs[0].saturation,
            ),
            Cell(say(f"{runs[0].pairs:,}"), order=runs[0].pairs),
        )
        for (defense, party, level, metric, unit), runs in grouped.items()
    )
    return [
        Subheading("Dependence between images and messages", "dependence"),
        Paragraph(
            say(
                "Proxies for mutual information on held-out patients. A good reconstruction can go "
                "with a low proxy: no verdict is read from these alone."
            )
        ),
        Table(
            "dependence-table",
            say(
                "Higher is more dependent; smallest to largest over seeds in brackets. No estimate "
                "can exceed its saturation."
            ),
            (
                Column("Setting", weight=1.4), Column("Party"), Column("Level", numeric=True),
                Column("Estimator", weight=1.3), Column("Value", numeric=True),
                Column("Saturation", numeric=True), Column("Pairs", numeric=True),
            ),
            rows,
            sortable=True,
        ),
    ]  # fmt: skip


def _over_seeds(values: list[float]) -> Cell:
    mean = sum(values) / len(values)
    spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    return Cell(say(strong(number(mean)), spread), order=mean)

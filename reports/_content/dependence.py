"""Proxies for mutual information between images and messages: shown, never judged by."""

from __future__ import annotations

from collections.abc import Sequence

from leakaudit.record import Dependence

from .blocks import Block, Cell, Column, Paragraph, Subheading, Table, say, strong
from .evidence_index import Index
from .wording import number


def dependence(index: Index) -> list[Block]:
    """One row per message, one column per estimator, seeds together."""
    entries = index.record.dependence
    if not entries:
        return []
    grouped: dict[tuple[str, str, str], dict[tuple[str, str], list[Dependence]]] = {}
    for entry in entries:
        message = grouped.setdefault((entry.defense, entry.party, entry.cut), {})
        message.setdefault((entry.metric, entry.unit), []).append(entry)
    estimators = sorted({(entry.metric, entry.unit) for entry in entries})
    rows = tuple(
        (
            Cell(say(index.title(defense))),
            Cell(say(party)),
            Cell(say(cut), order=index.depth(cut)),
            *(_over_seeds([run.value for run in found.get(name, [])]) for name in estimators),
        )
        for (defense, party, cut), found in grouped.items()
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
                "can exceed its saturation: ",
                "; ".join(_saturation(index, entries, name) for name in estimators),
                ".",
            ),
            (
                Column("Setting", weight=1.3), Column("Party", weight=0.8),
                Column("Cut", weight=0.8),
                *(Column(_label(index, name), numeric=True, weight=1.3) for name in estimators),
            ),
            rows,
            sortable=True,
        ),
    ]  # fmt: skip


def _label(index: Index, estimator: tuple[str, str]) -> str:
    name, unit = estimator
    label = index.metric_label(name)
    return label if unit in {"", "1"} else f"{label}, {unit}"


def _saturation(index: Index, entries: Sequence[Dependence], estimator: tuple[str, str]) -> str:
    """`kernel alignment 1.00 (20 pairs)`."""
    same = [entry for entry in entries if (entry.metric, entry.unit) == estimator]
    most = [entry.saturation for entry in same if entry.saturation is not None]
    pairs = sorted({entry.pairs for entry in same})
    top = number(max(most)) if most else "none"
    span = f"{pairs[0]:,}" if len(pairs) == 1 else f"{pairs[0]:,} to {pairs[-1]:,}"
    return f"{index.metric_label(estimator[0])} {top} ({span} pairs)"


def _over_seeds(values: list[float]) -> Cell:
    if not values:
        return Cell(say("not measured"))
    mean = sum(values) / len(values)
    spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    return Cell(say(strong(number(mean)), spread), order=mean)

"""Section 3's table: every kind of message that crosses, settings that send the same together."""

from __future__ import annotations

from collections.abc import Sequence

from leakaudit.record import SERVER, Cost

from .blocks import Cell, Column, Table, say
from .evidence_index import Index
from .standouts import MANY
from .wording import joined, size

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TIMES = "\u00d7"
Kind = tuple[bool, int, str, tuple[int, ...], str]
Line = tuple[Kind, tuple[str, ...], float | None, float | None]
"""Whether at the head, depth, cut, shape, type; whose they are; bytes of features, of gradients."""


def shape_text(shape: Sequence[int]) -> str:
    """Channels and space with multiplication signs between."""
    return TIMES.join(map(str, shape))


def messages(index: Index) -> Table:
    """One row per kind of message and set of settings that send it alike."""
    sent: dict[tuple[Line, ...], list[str]] = {}
    for cost in index.record.costs:
        sent.setdefault(_lines(index, cost), []).append(index.title(cost.setting))
    groups = {
        tuple(settings): f"group {LETTERS[place % len(LETTERS)]}, {len(settings)} settings"
        for place, settings in enumerate(s for s in sent.values() if len(s) > MANY)
    }
    rows = tuple(
        (
            Cell(say(groups.get(tuple(settings), joined(settings)))),
            Cell(say(cut), order=depth),
            Cell(say(joined(parties))),
            Cell(say(f"{shape_text(shape)} {dtype}")),
            _bytes(features),
            _bytes(gradients),
        )
        for lines, settings in sent.items()
        for (_, depth, cut, shape, dtype), parties, features, gradients in lines
    )
    return Table(
        "messages",
        say(
            "Messages by setting and cut. Shapes are channels by "
            "space of one sample, bytes are per patient, party and epoch."
        ),
        (
            Column("Setting", weight=1.6),
            Column("Cut", weight=0.8),
            Column("Parties", weight=1.4),
            Column("Shape of one sample", weight=1.5),
            Column("Features", numeric=True, weight=0.8),
            Column("Gradients", numeric=True, weight=0.8),
        ),
        rows,
        sortable=True,
        note=say(
            " ".join(
                f"{name[:1].upper()}{name[1:]}: {joined(settings)}."
                for settings, name in groups.items()
            )
        )
        if groups
        else (),
    )


def _lines(index: Index, cost: Cost) -> tuple[Line, ...]:
    """Parties whose messages agree in kind and size share a line."""
    sizes: dict[tuple[Kind, str], dict[str, float]] = {}
    for route in cost.routes:
        party = route.receiver if route.sender == SERVER else route.sender
        kind: Kind = (
            route.at_head, index.depth(route.cut), route.cut, route.shape, route.dtype
        )  # fmt: skip
        sizes.setdefault((kind, party), {})[route.direction] = route.bytes_per_patient
    grouped: dict[tuple[Kind, float | None, float | None], list[str]] = {}
    for (kind, party), sent in sizes.items():
        key = (kind, sent.get("activation"), sent.get("gradient"))
        grouped.setdefault(key, []).append(party)
    found = [(kind, tuple(who), out, back) for (kind, out, back), who in grouped.items()]
    return tuple(sorted(found, key=lambda line: (line[0], line[1])))


def _bytes(amount: float | None) -> Cell:
    return Cell(say("none" if amount is None else size(amount)), order=amount)

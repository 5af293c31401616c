"""The split as a diagram: who holds what, and what crosses between whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .svg import Drawing, shorten, width_of

WIDTH = 720.0
BOX, SERVER_LEFT = 168.0, 560.0
LINE = 13.0
MOST = 12
"""Parties drawn; more would not fit a page and stand in the table only."""


@dataclass(frozen=True)
class PartyBox:
    """One party and its two streams of messages.

    Attributes:
        name: what the party is called.
        notes: short lines under the name.
        outward: what it sends, as short pieces that may wrap.
        inward: what it is sent.
    """

    name: str
    notes: tuple[str, ...]
    outward: tuple[str, ...]
    inward: tuple[str, ...]


def data_flow(title: str, parties: Sequence[PartyBox], server_notes: Sequence[str]) -> str:
    """Parties on the left, the server on the right, messages between."""
    shown = list(parties[:MOST])
    room = SERVER_LEFT - BOX - 40
    wrapped = [(_wrap(p.outward, room), _wrap(p.inward, room)) for p in shown]
    heights = [
        max(30 + LINE * len(p.notes), 34 + LINE * (len(out) + len(back)) + 8)
        for p, (out, back) in zip(shown, wrapped, strict=True)
    ]
    total = sum(heights) + 14 * (len(shown) - 1)
    drawing = Drawing(WIDTH, total + 20, title)
    drawing.rectangle(
        SERVER_LEFT, 10, WIDTH - SERVER_LEFT - 4, total, fill="wash", stroke="accent", radius=6
    )
    drawing.text(SERVER_LEFT + 14, 34, "Server", bold=True, size=13)
    for row, note in enumerate(server_notes):
        drawing.text(SERVER_LEFT + 14, 52 + LINE * row, shorten(note, 23), role="muted", size=10)
    top = 10.0
    for party, (out, back), height in zip(shown, wrapped, heights, strict=True):
        drawing.rectangle(4, top, BOX - 4, height, fill="wash", stroke="ink", radius=6)
        drawing.text(16, top + 22, shorten(party.name, 19), bold=True, size=13)
        for row, note in enumerate(party.notes):
            drawing.text(16, top + 38 + LINE * row, shorten(note, 25), role="muted", size=10)
        left, right = BOX + 6, SERVER_LEFT - 6
        y = top + 6 + LINE * len(out)
        for row, text in enumerate(out):
            drawing.text(left + 10, top + 12 + LINE * row, text, size=10)
        drawing.arrow(left, y + 4, right, y + 4, "c0")
        if back:
            y += 14
            drawing.arrow(right, y + 4, left, y + 4, "c1")
            for row, text in enumerate(back):
                drawing.text(left + 10, y + 18 + LINE * row, text, size=10)
        top += height + 14
    return drawing.text_svg()


def _wrap(pieces: Sequence[str], room: float) -> list[str]:
    """The first piece on a line of its own, the others joined by commas into lines that fit."""
    lines: list[str] = []
    for place, piece in enumerate(pieces):
        text = shorten(piece, int(room / (10 * 0.58)))
        if place > 1 and width_of(f"{lines[-1]}, {text}", 10) <= room:
            lines[-1] = f"{lines[-1]}, {text}"
        else:
            lines.append(text)
    return lines

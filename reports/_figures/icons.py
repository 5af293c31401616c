"""One hundred patients per setting: those the actor picks out are filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .svg import TEXT, Drawing, shorten

WIDTH = 360.0
COLUMNS, STEP_X, STEP_Y, TITLE = 25, 14.3, 16.0, 20.0
ROWS = 100 // COLUMNS
MOST = 4
"""Settings drawn: more would not fit beside the trade-off map."""


@dataclass(frozen=True)
class Hundred:
    """One setting: how many of a hundred are filled, and the upper end of the interval."""

    label: str
    of_100: int
    high_of_100: int | None


def hundreds(title: str, groups: Sequence[Hundred]) -> str:
    """A block of a hundred people for each setting."""
    shown = groups[:MOST]
    block = TITLE + ROWS * STEP_Y + 12
    drawing = Drawing(WIDTH, max(block * len(shown), 1), title)
    for number, group in enumerate(shown):
        top = block * number
        ends = "" if group.high_of_100 is None else f", at most {group.high_of_100}"
        drawing.text(
            1, top + 12, f"{shorten(group.label, 24)}: {group.of_100} of 100{ends}",
            size=TEXT, bold=True,
        )  # fmt: skip
        pale = group.of_100 if group.high_of_100 is None else group.high_of_100
        for index in range(100):
            x = 1 + STEP_X * (index % COLUMNS)
            y = top + TITLE + STEP_Y * (index // COLUMNS)
            if index < group.of_100:
                drawing.person(x, y, "leak")
            elif index < pale:
                drawing.person(x, y, "leak", opacity=0.38)
            else:
                drawing.person(x, y, "grid")
    return drawing.text_svg()

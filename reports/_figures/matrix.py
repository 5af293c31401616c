"""The level x attack matrix: numbers and symbols, shaded by how much leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leakaudit.record import VerdictValue

from .svg import Drawing, shorten
from .symbols import draw_verdict

LEFT, CELL_HEIGHT, TOP = 236.0, 34.0, 40.0
WIDTH = 720.0


@dataclass(frozen=True)
class Entry:
    """One cell: the number, its interval, and which side of the threshold it lies on."""

    value: float
    interval: str
    side: VerdictValue


@dataclass(frozen=True)
class Line:
    """One row: setting and attack, and per column an entry, or why there is none."""

    setting: str
    attack: str
    entries: tuple[Entry | str, ...]


def matrix(title: str, columns: Sequence[str], lines: Sequence[Line]) -> str:
    """Rows of cells; words where that message does not cross or was not attacked."""
    drawing = Drawing(WIDTH, TOP + CELL_HEIGHT * len(lines) + 8, title)
    wide = min((WIDTH - LEFT - 4) / max(len(columns), 1), 150.0)
    for column, name in enumerate(columns):
        drawing.text(
            LEFT + wide * (column + 0.5), TOP - 10, shorten(name, int(wide / 6.4)),
            anchor="middle", bold=True,
        )  # fmt: skip
    for row, line in enumerate(lines):
        top = TOP + CELL_HEIGHT * row
        drawing.text(4, top + 15, shorten(line.setting, 34), bold=True)
        drawing.text(4, top + 28, shorten(line.attack, 38), role="muted", size=10)
        for column, entry in enumerate(line.entries):
            left = LEFT + wide * column
            if isinstance(entry, str):
                drawing.rectangle(left + 2, top + 2, wide - 4, CELL_HEIGHT - 4, stroke="grid")
                drawing.text(left + wide / 2, top + 21, entry, role="muted", size=10,
                             anchor="middle")  # fmt: skip
                continue
            shade = 0.08 + 0.34 * min(max(entry.value, 0.0), 1.0)
            drawing.rectangle(
                left + 2, top + 2, wide - 4, CELL_HEIGHT - 4, fill="leak", opacity=shade,
                hint=f"{line.setting}, {columns[column]}: {entry.value:.2f} ({entry.interval})",
            )  # fmt: skip
            draw_verdict(drawing, left + wide / 2 - 24, top + 17, entry.side, 5)
            number = f"{entry.value:.2f}".replace("-", "\u2212")
            drawing.text(left + wide / 2 - 10, top + 21.5, number, size=13, bold=True)
    return drawing.text_svg()

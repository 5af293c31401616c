"""Every patient's value, with the worst marked: a mean hides the one who leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .axes import Scale, horizontal, round_range, ticks
from .svg import SERIES_ROLES, Drawing, shorten, width_of

Floats = npt.NDArray[np.float64]

WIDTH, LEFT, RIGHT, TOP, ROW = 720.0, 190.0, 704.0, 26.0, 66.0
MOST = 14
"""Rows of one figure: more would not fit on a sheet of paper."""
DOTS = 150
"""Above this many patients a row is a histogram: dots would hide each other and swell the file."""
BINS = 48


@dataclass(frozen=True)
class Row:
    """One setting: the patients' values, the mean, and the patient at the leaking end."""

    label: str
    values: Floats
    mean: float
    worst: float | None
    blind: float | None


def distribution(title: str, rows: Sequence[Row], label: str, shown: slice = slice(None)) -> str:
    """One row per setting, all on the same axis.

    Args:
        title: for screen readers.
        rows: every setting; the axis holds them all.
        label: of the axis.
        shown: the rows of this drawing, where one would be too tall for all.
    """
    bottom = TOP + ROW * len(rows[shown])
    drawing = Drawing(WIDTH, bottom + 40, title)
    every = [float(v) for row in rows for v in row.values if np.isfinite(v)]
    marks = [v for row in rows for v in (row.worst, row.blind) if v is not None]
    x = Scale(*round_range([*every, *marks], pad=0.04), LEFT, RIGHT)
    horizontal(drawing, x, bottom, ticks(x.low, x.high, 7), top=TOP, label=label)
    for place, (series, row) in enumerate(list(enumerate(rows))[shown]):
        _row(drawing, x, TOP + ROW * place, row, SERIES_ROLES[series % len(SERIES_ROLES)])
    return drawing.text_svg()


def _row(drawing: Drawing, x: Scale, top: float, row: Row, role: str) -> None:
    base = top + ROW - 18
    drawing.text(8, base - 14, shorten(row.label, 26), role=role, bold=True)
    drawing.text(8, base, f"mean {row.mean:.2f}", role="muted", size=10)
    drawing.line(LEFT, base, RIGHT, base, "grid")
    if row.blind is not None:
        at = x(row.blind)
        drawing.line(at, top + 12, at, base + 4, "muted", width=1.4, dash="4 3")
        drawing.text(at, top + 9, "blind", role="muted", size=9.5, anchor="middle")
    values = row.values[np.isfinite(row.values)]
    (_dots if len(values) <= DOTS else _histogram)(drawing, x, base, values, role)
    drawing.line(x(row.mean), base - 30, x(row.mean), base + 5, role, width=2.4)
    if row.worst is not None:
        at = x(row.worst)
        drawing.marker(at, base + 6, "triangle", "leak", r=4.5)
        text = f"worst {row.worst:.2f}"
        inside = at + 8 + width_of(text, 9.5) < WIDTH
        drawing.text(
            at + 8 if inside else at - 8, base + 14, text, role="leak", size=9.5,
            anchor="start" if inside else "end",
        )  # fmt: skip


def _dots(drawing: Drawing, x: Scale, base: float, values: Floats, role: str) -> None:
    """Dots piled up where they would overlap."""
    placed: list[tuple[float, float]] = []
    for value in np.sort(values):
        at, height = x(float(value)), base - 5.0
        while any(abs(at - px) < 5.4 and abs(height - py) < 5.4 for px, py in placed[-40:]):
            height -= 5.6
        height = max(height, base - 38)
        placed.append((at, height))
        drawing.dot(at, height, 2.6, role, opacity=0.75)


def _histogram(drawing: Drawing, x: Scale, base: float, values: Floats, role: str) -> None:
    counts, edges = np.histogram(values, bins=BINS, range=(x.low, x.high))
    tallest = max(int(counts.max()), 1)
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            tall = 36 * count / tallest
            left, right = x(float(low)), x(float(high))
            drawing.rectangle(
                left, base - tall, right - left - 0.6, tall, fill=role, opacity=0.6,
                hint=f"{count} patients",
            )  # fmt: skip

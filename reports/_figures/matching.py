"""The match curve: how many patients are among the first guesses, over the line of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axes import Scale, horizontal, ticks, vertical
from .svg import DASHES, MARKERS, SERIES_ROLES, Drawing, shorten, width_of

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720.0, 46.0, 500.0, 32.0, 250.0
MARKED = 12
"""Markers per curve at most: one at every place would run together."""


@dataclass(frozen=True)
class Matched:
    """One setting: the share of patients among the first 1, 2, ... guesses."""

    label: str
    shares: tuple[float, ...]
    named: bool = True
    """Of many settings most are grey and have no name."""


def match_curves(title: str, curves: Sequence[Matched], chance: float | None) -> str:
    """Curves by setting; the dashed line is guessing."""
    drawing = Drawing(WIDTH, BOTTOM + 44, title)
    places = max(len(curve.shares) for curve in curves)
    x = Scale(1, max(places, 2), LEFT + 8, RIGHT - 8)
    y = Scale(0, 100, BOTTOM, TOP)
    vertical(drawing, y, LEFT, ticks(0, 100), right=RIGHT, label="patients found, of 100")
    shown = sorted({1.0, *(v for v in ticks(1, places, 6) if v == int(v) and v >= 1)})
    horizontal(drawing, x, BOTTOM, shown, top=TOP, label="candidates named, nearest first")
    if chance is not None:
        most = min(places, int(1 / chance)) if chance > 0 else places
        ends = [(x(1), y(100 * chance)), (x(most), y(min(100 * chance * most, 100)))]
        drawing.path(ends, stroke="muted", width=1.4, dash="4 3")
    for curve in curves:
        if not curve.named:
            line = [(x(k + 1), y(100 * share)) for k, share in enumerate(curve.shares)]
            drawing.path(line, stroke="muted", width=1.0, opacity=0.3)
    named = [curve for curve in curves if curve.named]
    for series, curve in enumerate(named):
        role, shape = SERIES_ROLES[series % len(SERIES_ROLES)], MARKERS[series % len(MARKERS)]
        line = [(x(k + 1), y(100 * share)) for k, share in enumerate(curve.shares)]
        drawing.path(line, stroke=role, width=1.8, dash=DASHES[series % len(DASHES)])
        step = max(1, -(-len(line) // MARKED))
        for k in range(0, len(line), step):
            guesses = "1 guess" if k == 0 else f"{k + 1} guesses"
            hint = f"{curve.label}: {100 * curve.shares[k]:.0f} of 100 in {guesses}"
            drawing.marker(*line[k], shape, role, r=3.6, hint=hint)
    _legend(drawing, named, chance, len(curves) - len(named))
    return drawing.text_svg()


def _legend(drawing: Drawing, curves: Sequence[Matched], chance: float | None, grey: int) -> None:
    left = RIGHT + 22
    room = int((WIDTH - left - 34) / width_of("n", 10.5))
    for series, curve in enumerate(curves):
        at = TOP + 8 + 32 * series
        role = SERIES_ROLES[series % len(SERIES_ROLES)]
        drawing.line(left, at, left + 26, at, role, width=1.8, dash=DASHES[series % len(DASHES)])
        drawing.marker(left + 13, at, MARKERS[series % len(MARKERS)], role, r=3.6)
        drawing.text(left + 34, at + 3.5, shorten(curve.label, room), size=10.5)
        drawing.text(left + 34, at + 16, f"first guess: {100 * curve.shares[0]:.0f} of 100",
                     role="muted", size=10)  # fmt: skip
    if grey:
        at = TOP + 8 + 32 * len(curves)
        drawing.line(left, at, left + 26, at, "muted")
        drawing.text(left + 34, at + 3.5, f"{grey} other settings", role="muted", size=10.5)
    if chance is not None:
        at = TOP + 8 + 32 * (len(curves) + (grey > 0))
        drawing.line(left, at, left + 26, at, "muted", width=1.4, dash="4 3")
        first = f"{100 * chance:.0f}" if chance >= 0.01 else "fewer than 1"
        drawing.text(left + 34, at + 3.5, "guessing", size=10.5)
        drawing.text(left + 34, at + 16, f"first guess: {first} of 100", role="muted", size=10)

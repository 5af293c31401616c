"""Effort curves: what the attack gets, by how long it tries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axes import Scale, horizontal, round_range, tick_text, vertical
from .axes import ticks as round_ticks
from .svg import DASHES, MARKERS, SERIES_ROLES, Drawing, shorten, width_of

WIDTH, HEIGHT = 360.0, 258.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 348.0, 30.0, 176.0
LEGEND = 10.5
LEAST_ROOM = 0.1


@dataclass(frozen=True)
class Curve:
    """One setting's curve: (steps, mean, lower, upper) per point."""

    label: str
    points: tuple[tuple[int, float, float | None, float | None], ...]
    named: bool = True
    """Of many settings most are grey and have neither name nor band."""


def effort_curves(
    title: str,
    curves: Sequence[Curve],
    blind: float | None,
    label: str,
    along: tuple[str, str] = ("optimiser steps", "steps"),
) -> str:
    """Curves with their interval bands over the blind line; the steps are on a log axis.

    Args:
        title: of the drawing.
        curves: one per setting.
        blind: value of the blind guess; None for no line.
        label: of the vertical axis.
        along: what is counted on the horizontal axis, for the axis and for hints.
    """
    named = [curve for curve in curves if curve.named]
    grey = [curve for curve in curves if not curve.named]
    lines = len(named) + bool(grey)
    drawing = Drawing(WIDTH, HEIGHT + 15 * max(0, lines - 2), title)
    steps = sorted({max(point[0], 1) for curve in curves for point in curve.points})
    means = [point[1] for curve in curves for point in curve.points]
    means += [] if blind is None else [blind]
    # A band many times wider than the curves would flatten them: it is cut at the frame.
    room = max(max(means) - min(means), LEAST_ROOM) if means else LEAST_ROOM
    values = [
        min(max(end, min(means) - room), max(means) + room)
        for curve in curves
        for point in curve.points
        for end in (point[1:] if curve.named else point[1:2])
        if end is not None
    ]
    every = values if blind is None else [*values, blind]
    y = Scale(*round_range(every, pad=0.09), BOTTOM, TOP)
    x = Scale(steps[0], max(steps[-1], steps[0] + 1), LEFT + 8, RIGHT - 8, logarithmic=True)
    vertical(drawing, y, LEFT, round_ticks(y.low, y.high), right=RIGHT, label=label)
    shown: list[float] = []
    for step in reversed(steps):
        room = width_of(tick_text(step)) + 8
        if all(abs(x(step) - x(other)) > room for other in shown):
            shown.append(step)
    horizontal(drawing, x, BOTTOM, sorted(shown), top=TOP, label=f"{along[0]}, log scale")
    if blind is not None:
        drawing.line(LEFT, y(blind), RIGHT, y(blind), "muted", width=1.4, dash="4 3")
        under = y(blind) + 11 < BOTTOM - 1
        place = y(blind) + 11 if under else y(blind) - 4
        drawing.text(RIGHT, place, "blind", role="muted", size=LEGEND, anchor="end")
    for curve in grey:
        line = [(x(max(p[0], 1)), y(p[1])) for p in curve.points]
        drawing.path(line, stroke="muted", opacity=0.3)
    if grey:
        at = BOTTOM + 50 + 15 * len(named)
        drawing.line(LEFT, at, LEFT + 26, at, "muted")
        drawing.text(LEFT + 34, at + 3.5, f"{len(grey)} other settings", role="muted", size=LEGEND)
    for series, curve in enumerate(named):
        role = SERIES_ROLES[series % len(SERIES_ROLES)]
        band = [(p[0], p[2], p[3]) for p in curve.points if p[2] is not None and p[3] is not None]
        if len(band) > 1:
            above = [(x(max(s, 1)), y(high)) for s, _, high in band]
            below = [(x(max(s, 1)), y(low)) for s, low, _ in reversed(band)]
            drawing.path(above + below, fill=role, opacity=0.14, closed=True, interval=True)
        line = [(x(max(p[0], 1)), y(p[1])) for p in curve.points]
        drawing.path(line, stroke=role, width=1.8, dash=DASHES[series % len(DASHES)])
        for (px, py), point in zip(line, curve.points, strict=True):
            hint = f"{curve.label}: {point[1]:.2f} after {point[0]} {along[1]}"
            drawing.marker(px, py, MARKERS[series % len(MARKERS)], role, r=3.6, hint=hint)
        at = BOTTOM + 50 + 15 * series
        drawing.line(LEFT, at, LEFT + 26, at, role, width=1.8, dash=DASHES[series % len(DASHES)])
        drawing.marker(LEFT + 13, at, MARKERS[series % len(MARKERS)], role, r=3.6)
        drawing.text(LEFT + 34, at + 3.5, shorten(curve.label, 44), size=LEGEND)
    return drawing.text_svg()

"""The trade-off map: Dice against leakage, every point with the cross of its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axes import Scale, horizontal, round_range, ticks, vertical
from .svg import MARKERS, SERIES_ROLES, Drawing, shorten, width_of

WIDTH, HEIGHT = 360.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 348.0, 44.0, 256.0
LABEL = 10.0
LEAST, MOST = -0.3, 1.1


@dataclass(frozen=True)
class Span:
    """A value and its interval; the ends are None where there is none."""

    value: float
    lower: float | None
    upper: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the value twice."""
        return (
            self.value if self.lower is None else self.lower,
            self.value if self.upper is None else self.upper,
        )


@dataclass(frozen=True)
class Point:
    """One defense setting."""

    label: str
    leakage: Span
    dice: Span
    undefended: bool
    beaten: bool = False
    """Another setting is surely better."""
    named: bool = True
    """Of many settings most are small and grey, without name and cross."""


def trade_off(
    title: str,
    points: Sequence[Point],
    references: Sequence[tuple[str, float]],
    dice_label: str,
    target: float | None = None,
) -> str:
    """One actor's map.

    Args:
        title: for screen readers.
        points: the settings, in the order of the legend.
        references: label and Dice of what is possible without a split.
        dice_label: what the vertical axis measures.
        target: leakage that must surely not be exceeded; None where nobody said.
    """
    drawing = Drawing(WIDTH, HEIGHT, title)
    # An advantage lies at most at 1; an interval that reaches far beyond is cut at the frame.
    leakages = [min(max(end, LEAST), MOST) for point in points for end in point.leakage.ends]
    low, high = round_range([0.0, *leakages, *(() if target is None else (target,))], pad=0.13)
    x = Scale(low, high, LEFT, RIGHT)
    dices = [end for point in points for end in point.dice.ends] + [v for _, v in references]
    y = Scale(*round_range(dices, pad=0.12), BOTTOM, TOP)
    vertical(drawing, y, LEFT, ticks(y.low, y.high), right=RIGHT, label=dice_label)
    horizontal(
        drawing, x, BOTTOM, ticks(low, high), top=TOP,
        label="leakage: 0 is the blind guess, 1 a perfect attack",
    )  # fmt: skip
    taken: list[tuple[float, float, float, float]] = []
    for label, value in references:
        at = y(value)
        drawing.line(LEFT, at, RIGHT, at, "muted", dash="2 3")
        text = shorten(label, 26)
        clear = all(abs(at - 8 - (b[1] + b[3]) / 2) >= LABEL for b in taken)
        place = at - 4 if clear else at + 11
        drawing.text(RIGHT, place, text, role="muted", size=LABEL, anchor="end")
        taken.append((RIGHT - width_of(text, LABEL), place - LABEL, RIGHT, place + 2))
        taken.append((LEFT, at - 1, RIGHT, at + 1))
    drawing.line(x(0), TOP, x(0), BOTTOM, "muted", width=1.4)
    taken.append((x(0) - 1, TOP, x(0) + 1, BOTTOM))
    # On the side of the line where no target stands.
    side = -1 if target is not None and target >= 0 else 1
    at = x(0) + 4 * side
    drawing.text(at, BOTTOM - 6, "blind", role="muted", size=LABEL,
                 anchor="end" if side < 0 else "start")  # fmt: skip
    taken.append((min(x(0), x(0) + 34 * side), BOTTOM - 18, max(x(0), x(0) + 34 * side), BOTTOM))
    if target is not None:
        # The zone that keeps the target.
        drawing.rectangle(LEFT, TOP, x(target) - LEFT, BOTTOM - TOP, fill="none", opacity=0.08)
        drawing.line(x(target), TOP, x(target), BOTTOM, "accent", width=1.4, dash="5 3")
        taken.append((x(target) - 1, TOP, x(target) + 1, BOTTOM))
        drawing.text(x(target) + 4, BOTTOM - 18, "target", role="accent", size=LABEL)
        taken.append((x(target), BOTTOM - 30, x(target) + 40, BOTTOM - 14))
    drawing.arrow(RIGHT - 14, TOP - 10, RIGHT - 34, TOP - 26, "accent")
    drawing.text(RIGHT - 38, TOP - 22, "better", role="accent", anchor="end", bold=True)
    named = [point for point in points if point.named]
    for point in named:
        px, py = x(point.leakage.value), y(point.dice.value)
        left, right = (x(end) for end in point.leakage.ends)
        low, top = (y(end) for end in point.dice.ends)
        taken += [(px - 6, py - 6, px + 6, py + 6), (left, py - 1, right, py + 1)]
        taken.append((px - 1, top, px + 1, low))
    for point in points:
        if not point.named:
            hint = f"{point.label}: leakage {point.leakage.value:.2f}, Dice {point.dice.value:.2f}"
            at = min(max(x(point.leakage.value), LEFT), RIGHT)
            drawing.marker(at, y(point.dice.value), "circle", "muted", r=2.6, hint=hint)
            taken.append((at - 3, y(point.dice.value) - 3, at + 3, y(point.dice.value) + 3))
    for series, point in enumerate(named):
        _cross(drawing, x, y, point, series, taken)
    return drawing.text_svg()


def _cross(
    drawing: Drawing,
    x: Scale,
    y: Scale,
    point: Point,
    series: int,
    taken: list[tuple[float, float, float, float]],
) -> None:
    role = SERIES_ROLES[series % len(SERIES_ROLES)]
    px, py = x(point.leakage.value), y(point.dice.value)
    left, right = (x(end) for end in point.leakage.ends)
    low, high = (y(end) for end in point.dice.ends)
    drawing.line(left, py, right, py, role, width=1.6, interval=True)
    drawing.line(px, low, px, high, role, width=1.6, interval=True)
    hint = f"{point.label}: leakage {point.leakage.value:.2f}, Dice {point.dice.value:.2f}"
    hint += "; surely beaten by another" if point.beaten else ""
    drawing.marker(
        px, py, MARKERS[series % len(MARKERS)], role, r=3.5 if point.beaten else 5, hint=hint
    )
    text = shorten(point.label, 24)
    if not x.low <= point.leakage.value <= x.high:
        # Off the map: at the frame, with an arrow and its own number.
        outwards = -1 if point.leakage.value < x.low else 1
        drawing.arrow(px + 6 * outwards, py, px + 16 * outwards, py, role)
        text += f" ({point.leakage.value:.2f})".replace("-", "\u2212")
    wide = width_of(text, LABEL)
    spots = [
        (across, py + down)
        for down in (-7, 14, -18, 26, -30, 38)
        for across in (px + 9, px - 9 - wide, px - wide / 2)
    ]
    boxes = [(sx, sy - LABEL, sx + wide, sy + 2) for sx, sy in spots]
    fits = [
        (spot, box)
        for spot, box in zip(spots, boxes, strict=True)
        if box[0] >= LEFT - 30 and box[2] <= WIDTH and box[1] > TOP - 6 and box[3] < BOTTOM
    ]
    # The first free spot; where none is, the one that covers least.
    spot, box = min(
        fits or [(spots[0], boxes[0])],
        key=lambda pair: sum(_meet(pair[1], other) for other in taken),
    )
    taken.append(box)
    drawing.text(*spot, text, role=role, size=LABEL, bold=point.undefended)


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

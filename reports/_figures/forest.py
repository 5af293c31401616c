"""The forest plot: every rule's figure with its bounds, against what the rule allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from leakaudit.record import VerdictValue

from .axes import Scale, horizontal, round_range, ticks
from .palette import VERDICT_ROLE
from .svg import Drawing, shorten, width_of
from .symbols import draw_verdict

WIDTH, LEFT, RIGHT = 720.0, 232.0, 498.0
TOP, ROW, TITLE, FOOT = 6.0, 33.0, 22.0, 42.0
SMALL = 9.5
BARB = 5.0
"""Length of the bracket's arms: they point at what is allowed."""


@dataclass(frozen=True)
class Bar:
    """One rule.

    Attributes:
        label: its name.
        about: whom it caught, below the name.
        value: the figure; None where nothing could be measured.
        low: lower bound; None where it is open.
        high: upper bound; None where it is open.
        bound: what is allowed.
        higher_is_worse: whether what lies above is not allowed; otherwise what lies below.
        symbol: the verdict whose sign and colour stand for the outcome.
        word: the outcome.
        told: the figures, below the outcome.
    """

    label: str
    about: str
    value: float | None
    low: float | None
    high: float | None
    bound: float
    higher_is_worse: bool
    symbol: VerdictValue
    word: str
    told: str


@dataclass(frozen=True)
class Panel:
    """Rules that measure the same, on one axis.

    Attributes:
        label: what the axis measures.
        bars: the rules.
        from_zero: whether 0 belongs on the axis.
    """

    label: str
    bars: Sequence[Bar]
    from_zero: bool


def forest(title: str, panels: Sequence[Panel]) -> str:
    """One block of rows per axis."""
    height = TOP + sum(TITLE + ROW * len(panel.bars) + FOOT for panel in panels)
    drawing = Drawing(WIDTH, height, title)
    top = TOP
    for panel in panels:
        top = _panel(drawing, panel, top)
    return drawing.text_svg()


def _panel(drawing: Drawing, panel: Panel, top: float) -> float:
    first = top + TITLE
    bottom = first + ROW * len(panel.bars)
    x = _scale(panel)
    drawing.text(8, top + 12, "rule", role="muted", size=SMALL)
    drawing.text(RIGHT + 20, top + 12, "outcome, and the 95 % bounds", role="muted", size=SMALL)
    horizontal(drawing, x, bottom, ticks(x.low, x.high), top=first, label=panel.label)
    for place, bar in enumerate(panel.bars):
        _row(drawing, x, bar, first + ROW * place)
    return bottom + FOOT


def _scale(panel: Panel) -> Scale:
    """Figures and budgets decide the range; an interval far longer than the others is cut."""
    firm = [v for bar in panel.bars for v in (bar.value, bar.bound) if v is not None]
    firm += [0.0] if panel.from_zero else []
    lengths = [b.high - b.low for b in panel.bars if b.low is not None and b.high is not None]
    room = 5 * median(lengths) if lengths else max(firm) - min(firm) or abs(firm[0]) or 1.0
    least, most = min(firm) - room, max(firm) + room
    ends = [min(max(v, least), most) for b in panel.bars for v in (b.low, b.high) if v is not None]
    low, high = round_range([*firm, *ends], pad=0.08)
    return Scale(low, high, LEFT, RIGHT)


def _row(drawing: Drawing, x: Scale, bar: Bar, top: float) -> None:
    middle, role = top + ROW / 2, VERDICT_ROLE[bar.symbol]
    drawing.text(8, middle - 2, _fitting(bar.label, 11, LEFT - 22), bold=True)
    drawing.text(8, middle + 10.5, _fitting(bar.about, SMALL, LEFT - 22), role="muted", size=SMALL)
    at = x(bar.bound)
    edge = RIGHT if bar.higher_is_worse else LEFT
    drawing.rectangle(min(at, edge), top + 3, abs(edge - at), ROW - 6, fill="leak", opacity=0.09)
    arm = at - BARB if bar.higher_is_worse else at + BARB
    bracket = [(arm, top + 4), (at, top + 4), (at, top + ROW - 4), (arm, top + ROW - 4)]
    drawing.path(bracket, stroke="ink", width=1.8)
    if bar.value is not None:
        _interval(drawing, x, bar, middle, role)
        hint = f"{bar.label}: {bar.told}"
        drawing.marker(x(bar.value), middle, "square", role, r=4.6, hint=hint)
    draw_verdict(drawing, RIGHT + 26, middle - 6, bar.symbol, r=4.5)
    drawing.text(RIGHT + 38, middle - 2, bar.word, role=role, bold=True)
    told = _fitting(bar.told, SMALL, WIDTH - RIGHT - 42)
    drawing.text(RIGHT + 38, middle + 10.5, told, role="muted", size=SMALL)


def _interval(drawing: Drawing, x: Scale, bar: Bar, middle: float, role: str) -> None:
    ends = (bar.low, bar.high)
    left, right = (
        edge if end is None else x(end) for end, edge in zip(ends, (LEFT, RIGHT), strict=True)
    )
    drawing.line(left, middle, right, middle, role, width=2, interval=True)
    for end, at, inwards in ((bar.low, left, 6.0), (bar.high, right, -6.0)):
        if end is None or not x.low <= end <= x.high:
            wings = [(at + inwards, middle - 3.5), (at, middle), (at + inwards, middle + 3.5)]
            drawing.path(wings, stroke=role, width=1.6, interval=True)
        else:
            drawing.line(at, middle - 4, at, middle + 4, role, width=1.6, interval=True)


def _fitting(text: str, size: float, room: float) -> str:
    return shorten(text, int(room / width_of("n", size)))

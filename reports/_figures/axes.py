"""Linear and logarithmic axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .svg import TEXT, Drawing


@dataclass(frozen=True)
class Scale:
    """From data to user units.

    Attributes:
        low: smallest value shown.
        high: largest value shown.
        start: position of `low`.
        end: position of `high`.
        logarithmic: whether equal factors take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Position of a value; values outside stick to the edge."""
        low, high, value = (
            (math.log10(v) for v in (self.low, self.high, max(value, self.low)))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def round_range(values: Iterable[float], *, pad: float = 0.06) -> tuple[float, float]:
    """A range that holds all values, a little wider than they are."""
    present = [v for v in values if math.isfinite(v)]
    if not present:
        return 0.0, 1.0
    low, high = min(present), max(present)
    room = (high - low) * pad or max(abs(high), 1.0) * 0.05
    return low - room, high + room


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values inside a range."""
    rough = (high - low) / max(wanted, 1)
    if rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if abs(k * step) < step / 1e6 else k * step for k in range(first, last + 1)]


def tick_text(value: float) -> str:
    """As short as the value allows, with a true minus sign."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.10g}".replace("-", "\u2212")


def horizontal(
    drawing: Drawing,
    scale: Scale,
    y: float,
    values: Iterable[float],
    *,
    top: float,
    label: str,
) -> None:
    """Ticks and label below a plot, grid lines up to `top`."""
    for value in values:
        x = scale(value)
        drawing.line(x, top, x, y, "grid", width=0.8)
        drawing.text(x, y + 14, tick_text(value), role="muted", size=TEXT - 1, anchor="middle")
    drawing.line(scale.start, y, scale.end, y, "muted")
    drawing.text((scale.start + scale.end) / 2, y + 30, label, anchor="middle")


def vertical(
    drawing: Drawing,
    scale: Scale,
    x: float,
    values: Iterable[float],
    *,
    right: float,
    label: str,
) -> None:
    """Ticks left of a plot, grid lines to `right`; the label stands above, level to read."""
    for value in values:
        y = scale(value)
        drawing.line(x, y, right, y, "grid", width=0.8)
        drawing.text(x - 6, y + 3.5, tick_text(value), role="muted", size=TEXT - 1, anchor="end")
    drawing.text(x - 30, min(scale.start, scale.end) - 12, label)

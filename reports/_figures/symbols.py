"""The five verdicts as symbols: told apart by shape alone, on screen, on paper, in grey."""

from __future__ import annotations

from leakaudit.record import VerdictValue

from .palette import VERDICT_ROLE
from .svg import Drawing


def draw_verdict(drawing: Drawing, x: float, y: float, verdict: VerdictValue, r: float = 5) -> None:
    """A symbol centred on (x, y): triangle, ring, half disc, dash, cross."""
    role = VERDICT_ROLE[verdict]
    if verdict == "leak shown":
        drawing.path(
            [(x, y - r), (x + r * 1.05, y + r * 0.85), (x - r * 1.05, y + r * 0.85)],
            fill=role, closed=True,
        )  # fmt: skip
    elif verdict == "none shown":
        drawing.ring(x, y, r * 0.85, role)
    elif verdict == "inconclusive":
        drawing.ring(x, y, r * 0.85, role)
        drawing.half_disc(x, y, r * 0.85, role)
    elif verdict == "not tested":
        drawing.line(x - r, y, x + r, y, role, width=2)
    else:
        k = r * 0.8
        drawing.line(x - k, y - k, x + k, y + k, role, width=2)
        drawing.line(x - k, y + k, x + k, y - k, role, width=2)


def verdict_icon(verdict: VerdictValue) -> str:
    """The symbol alone, to stand beside its word."""
    drawing = Drawing(14, 14, verdict)
    draw_verdict(drawing, 7, 7.2, verdict)
    return drawing.text_svg()

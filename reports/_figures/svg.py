"""A small SVG writer: shapes in user units, text escaped, colours as palette class names."""

from __future__ import annotations

from html import escape

CHARACTER = 0.58
"""Mean width of a letter, in font sizes: generous, so that labels do not collide."""
MARKERS = ("circle", "square", "triangle", "diamond", "plus", "cross")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "12 4", "1 4")
SERIES_ROLES = ("c0", "c1", "c2", "c3", "c4", "c5")
TEXT = 11.0


def shorten(text: str, limit: int) -> str:
    """A label that fits; the whole name stands in the table beside the figure."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def width_of(text: str, size: float = TEXT) -> float:
    """Estimated width of a line of text."""
    return len(text) * size * CHARACTER


class Drawing:
    """One SVG image. Coordinates are user units from the top left."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width = width
        self.height = height
        self.title = title
        self._parts: list[str] = []

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        role: str = "ink",
        *,
        width: float = 1.0,
        dash: str = "",
        interval: bool = False,
    ) -> None:
        """A straight line; an `interval` can be hidden on screen."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        kind = " range" if interval else ""
        self._parts.append(
            f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"'
            f' class="s-{role}{kind}" stroke-width="{_n(width)}"{dashes}/>'
        )

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str | None = None,
        stroke: str | None = None,
        opacity: float = 1.0,
        radius: float = 0.0,
        hint: str = "",
    ) -> None:
        """A box; `hint` shows when the pointer rests on it."""
        paint = _paint(fill, stroke, opacity)
        rounded = f' rx="{_n(radius)}"' if radius else ""
        self._shape(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
            f"{rounded}{paint}",
            "rect",
            hint,
        )

    def path(
        self,
        points: list[tuple[float, float]],
        *,
        fill: str | None = None,
        stroke: str | None = None,
        opacity: float = 1.0,
        width: float = 1.0,
        dash: str = "",
        closed: bool = False,
        interval: bool = False,
    ) -> None:
        """A polyline or polygon; an `interval` can be hidden on screen."""
        data = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + ("Z" if closed else "")
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<path d="{data}"{_paint(fill, stroke, opacity, interval=interval)}'
            f' stroke-width="{_n(width)}"{dashes}/>'
        )

    def marker(
        self, x: float, y: float, shape: str, role: str, *, r: float = 4.5, hint: str = ""
    ) -> None:
        """A point of a series: each series has its own shape besides its colour."""
        filled = _paint(role, "paper", 1.0)
        if shape == "circle":
            self._shape(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}"{filled}', "circle", hint)
            return
        if shape in {"plus", "cross"}:
            a, b = (r, 0.0) if shape == "plus" else (r * 0.75, r * 0.75)
            c, d = (0.0, r) if shape == "plus" else (r * 0.75, -r * 0.75)
            data = (
                f"M{_n(x - a)} {_n(y - b)}L{_n(x + a)} {_n(y + b)}"
                f"M{_n(x - c)} {_n(y - d)}L{_n(x + c)} {_n(y + d)}"
            )
            self._shape(f'<path d="{data}" class="s-{role}" stroke-width="2.4"', "path", hint)
            return
        corners = {
            "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
            "triangle": [(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)],
            "diamond": [(0.0, -1.2), (1.1, 0.0), (0.0, 1.2), (-1.1, 0.0)],
        }[shape]
        data = "M" + "L".join(f"{_n(x + dx * r)} {_n(y + dy * r)}" for dx, dy in corners) + "Z"
        self._shape(f'<path d="{data}"{filled}', "path", hint)

    def ring(self, x: float, y: float, r: float, role: str, *, width: float = 1.8) -> None:
        """An open circle."""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" class="s-{role}"'
            f' stroke-width="{_n(width)}"/>'
        )

    def dot(self, x: float, y: float, r: float, role: str, *, opacity: float = 1.0) -> None:
        """A filled circle without an edge."""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}"{_paint(role, None, opacity)}/>'
        )

    def half_disc(self, x: float, y: float, r: float, role: str) -> None:
        """The left half of a disc."""
        self._parts.append(
            f'<path d="M{_n(x)} {_n(y - r)}A{_n(r)} {_n(r)} 0 0 0 {_n(x)} {_n(y + r)}Z"'
            f' class="f-{role}"/>'
        )

    def person(self, x: float, y: float, role: str, *, opacity: float = 1.0) -> None:
        """A head and shoulders, 9 wide and 13 high, its top left at (x, y)."""
        self._parts.append(
            f'<g{_paint(role, None, opacity)}><circle cx="{_n(x + 4.5)}" cy="{_n(y + 3)}" r="2.8"/>'
            f'<path d="M{_n(x)} {_n(y + 13)}v-2.6a4.5 4.5 0 0 1 9 0v2.6Z"/></g>'
        )

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        role: str = "ink",
        size: float = TEXT,
        anchor: str = "start",
        bold: bool = False,
        turn: float = 0.0,
    ) -> None:
        """A line of text with its baseline at (x, y)."""
        weight = ' font-weight="700"' if bold else ""
        turned = f' transform="rotate({_n(turn)} {_n(x)} {_n(y)})"' if turn else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" class="f-{role}" font-size="{_n(size)}"'
            f' text-anchor="{anchor}"{weight}{turned}>{escape(content)}</text>'
        )

    def arrow(
        self, x1: float, y1: float, x2: float, y2: float, role: str = "ink", width: float = 1.4
    ) -> None:
        """A line with a head at its end."""
        length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-6)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        head = 6.0
        bx, by = x2 - ux * head, y2 - uy * head
        self.line(x1, y1, bx, by, role, width=width)
        wings = [(x2, y2), (bx - uy * 3, by + ux * 3), (bx + uy * 3, by - ux * 3)]
        self.path(wings, fill=role, closed=True)

    def text_svg(self) -> str:
        """The whole image. Screen readers get the title; the long text stands in the document."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(self.width)}'
            f' {_n(self.height)}" width="{_n(self.width)}" height="{_n(self.height)}"'
            f' role="img" aria-label="{escape(self.title)}" fill="none">'
            f"{''.join(self._parts)}</svg>"
        )

    def _shape(self, start: str, tag: str, hint: str) -> None:
        closing = f"><title>{escape(hint)}</title></{tag}>" if hint else "/>"
        self._parts.append(start + closing)


def _paint(fill: str | None, stroke: str | None, opacity: float, *, interval: bool = False) -> str:
    kinds = (fill and f"f-{fill}", stroke and f"s-{stroke}", interval and "range")
    names = " ".join(name for name in kinds if name)
    faded = f' opacity="{_n(opacity)}"' if opacity < 1 else ""
    return f' class="{names}"{faded}' if names else faded


def _n(value: float) -> str:
    """Two decimals at most, no trailing zeros: small files, the same bytes everywhere."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text

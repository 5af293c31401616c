"""One hundred patients: those the actor picks out are filled."""

from __future__ import annotations

from .svg import Drawing

COLUMNS, STEP_X, STEP_Y = 20, 15.4, 18.0


def hundred(title: str, of_100: int, high_of_100: int | None) -> str:
    """A grid of a hundred people.

    Args:
        title: for screen readers.
        of_100: how many are filled.
        high_of_100: upper end of the interval: the ones up to it are pale.
    """
    drawing = Drawing(COLUMNS * STEP_X + 4, 5 * STEP_Y + 4, title)
    pale = of_100 if high_of_100 is None else high_of_100
    for index in range(100):
        x = 2 + STEP_X * (index % COLUMNS)
        y = 2 + STEP_Y * (index // COLUMNS)
        if index < of_100:
            drawing.person(x, y, "leak")
        elif index < pale:
            drawing.person(x, y, "leak", opacity=0.38)
        else:
            drawing.person(x, y, "grid")
    return drawing.text_svg()

"""What reaches the terminal: text from data and configurations is made harmless first."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from leakaudit.escaping import printable

__all__ = ["printable", "say", "table", "warn"]

# Width of tables where nobody's terminal says otherwise: a file or a pipe.
_WIDTH_ELSEWHERE = 120


def say(text: str = "") -> None:
    """A line of the result, on standard output; never wrapped, so that paths can be copied."""
    print(text)


def warn(text: str) -> None:
    """A line that is not part of the result, on standard error."""
    print(text, file=sys.stderr)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output.

    Args:
        title: printed above it; empty for none.
        columns: headings.
        rows: cells, already in words; no markup is read from them.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        markup=False,
        highlight=False,
        emoji=False,
        width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE,
    )
    grid = Table(
        title=Text(printable(title), style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in columns:
        grid.add_column(Text(column), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    console.print(grid)

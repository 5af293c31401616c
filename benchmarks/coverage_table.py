"""Print what ``benchmarks/coverage.py`` found as the table of docs/statistics.md.

``python benchmarks/coverage_table.py docs/results/benchmarks/coverage-DATE.json``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TWO_SIDED = (0.94, 0.98)
WRONG = 0.05
WIDTH = 1.35
_WIDE_AT = ((20, 5), (44, 5))
_SEVERAL = 3


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The table, and below it how many cells miss what was asked for."""
    repeats = result["repeats"]
    yield (
        '| shape of patients | 95 % interval covers, 3 or 5 seeds | most often "none shown" of a '
        "leak over the threshold | most often passed 10 % over budget, 3 or 5 seeds (1 or 2) "
        "| width over the oracle's, 20x5 and 44x5 |"
    )
    yield "|---|---|---|---|---|"
    cells = result["cells"]
    for shape in dict.fromkeys(cell["shape"] for cell in cells):
        own = [cell for cell in cells if cell["shape"] == shape]
        several = [cell for cell in own if cell["seeds"] >= _SEVERAL]
        few = [cell for cell in own if cell["seeds"] < _SEVERAL]
        covered = [c["covered"] for c in several if c["covered"] is not None]
        wrong = [c["none_shown"] for c in own if c["none_shown"] is not None]
        widths = [
            c["width"]
            for c in own
            if (c["patients"], c["seeds"]) in _WIDE_AT and c["width"] is not None
        ]
        yield (
            f"| {shape} | {_range(covered)} | {_most(wrong)} "
            f"| {_most([c['passed'] for c in several])} ({_most([c['passed'] for c in few])}) "
            f"| {min(widths):.2f} to {max(widths):.2f} |"
        )
    yield ""
    room = 2 * (0.05 * 0.95 / repeats) ** 0.5
    yield (
        f"{len(cells)} cells of {repeats} audits each; the standard error of a rate of 5 % is "
        f"{100 * (0.05 * 0.95 / repeats) ** 0.5:.1f} %. By more than two standard errors:"
    )
    yield ""
    low = [c for c in _printed(cells) if c["covered"] < TWO_SIDED[0] - room]
    high = [c for c in _printed(cells) if c["covered"] > TWO_SIDED[1] + room / 2]
    yield _said("intervals that cover less than 94 %", low, len(_printed(cells)))
    yield _said("intervals that cover more than 98 %", high, len(_printed(cells)))
    asked = [c for c in cells if c["none_shown"] is not None]
    shown = [c for c in asked if c["none_shown"] > WRONG + room]
    yield _said('"none shown" of such a leak in more than 5 %', shown, len(asked))
    passed = [c for c in cells if c["passed"] > WRONG + room]
    yield _said("10 % over budget passed in more than 5 %", passed, len(cells))
    sized = [c for c in _printed(cells) if (c["patients"], c["seeds"]) in _WIDE_AT]
    wide = [c for c in sized if c["width"] > WIDTH]
    yield _said("wider than 1.35 times the oracle's at 20x5 and 44x5", wide, len(sized))


def _printed(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["covered"] is not None]


def _said(what: str, missed: Sequence[dict[str, Any]], of: int) -> str:
    if not missed:
        return f"- {what}: none of {of} cells."
    where = []
    for shape in dict.fromkeys(cell["shape"] for cell in missed):
        sizes = dict.fromkeys(
            f"{c['patients']}x{c['seeds']} at {c['share']:g}" for c in missed if c["shape"] == shape
        )
        named = ", ".join(sizes) if len(sizes) <= 6 else f"{len(sizes)} cells"
        where.append(f"{shape} ({named})")
    return f"- {what}: {len(missed)} of {of} cells: {'; '.join(where)}."


def _range(values: Sequence[float]) -> str:
    return f"{100 * min(values):.1f} to {100 * max(values):.1f} %" if values else "not printed"


def _most(values: Sequence[float]) -> str:
    return f"{100 * max(values):.1f} %" if values else "not asked"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    path = parser.parse_args(arguments).result
    sys.stdout.write("\n".join(lines(json.loads(path.read_text(encoding="utf-8")))) + "\n")


if __name__ == "__main__":
    main()

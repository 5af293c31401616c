"""The fenced blocks of a markdown page, and which of them are to be run.

A block is left out only where the line before it says so: `<!-- not run: REASON -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: behind the opening fence.
        text: between the fences.
        reason: why it is not run; None where it is.
    """

    language: str
    text: str
    reason: str | None


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Those of a page, in order; of one language where one is named."""
    found = [
        Block(match["language"], match["text"], match["reason"])
        for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]
    return [block for block in found if language in (None, block.language)]

"""A document as JSON that the PDF template prints; pictures become files beside it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.ft2font import FT2Font

from ._content.blocks import Block, Cell, Document, Figure, Rich, Table
from ._content.wording import WORD
from ._figures.palette import LIGHT, VERDICT_ROLE, paper_css
from ._figures.symbols import verdict_icon

LONG = re.compile(r"[^\s\u200b-]{18,}")
"""Letters without a gap: a line may break inside them, because table columns are narrow."""
PIECES = re.compile(r"[^._:/]{1,10}[._:/]?|[._:/]")
"""Between these it may: behind what joins the parts of a path, and in parts that are long."""


def font_folder() -> Path:
    """DejaVu comes with matplotlib: letters and signs that the PDF engine's own fonts lack."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def _printable() -> frozenset[int]:
    return frozenset(FT2Font(str(font_folder() / "DejaVuSans.ttf")).get_charmap())


def on_paper(text: str) -> str:
    """Text with what no embedded font can show written as `[U+4E2D]`, and room to break lines."""
    return LONG.sub(lambda found: _breakable(found.group()), _shown(text))


def _shown(text: str) -> str:
    known = _printable()
    return "".join(c if ord(c) in known or c.isascii() else f"[U+{ord(c):04X}]" for c in text)


def _dotted(name: str) -> str:
    """With room to break lines after the dots of a path, as in `encoder.stages.0`."""
    return name.replace(".", ".\u200b")


def _breakable(token: str) -> str:
    return "\u200b".join(PIECES.findall(token))


class Paper:
    """Turns a document into JSON; pictures become files beside it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pictures = 0
        self._style = f"<style>text{{font-family:'DejaVu Sans'}}{paper_css()}</style>"

    def document(self, content: Document) -> dict[str, Any]:
        """Everything the template reads."""
        return {
            "title": on_paper(content.title),
            "description": "What the messages of a split leak, to whom. "
            + on_paper(content.subtitle),
            "subtitle": on_paper(
                f"{content.subtitle} · audit {content.audit_id} · {content.created}"
            ),
            "kicker": content.kicker,
            "audit_id": on_paper(content.audit_id),
            "content_sha256": on_paper(content.content_sha256).replace("\u200b", ""),
            "colours": LIGHT,
            "role": VERDICT_ROLE,
            "word": WORD,
            "icons": {verdict: self._svg(verdict_icon(verdict)) for verdict in WORD},
            "sections": [
                {
                    "number": section.number,
                    "title": section.title,
                    "blocks": [self._block(block) for block in section.blocks],
                }
                for section in content.sections
            ],
        }

    def _block(self, block: Block) -> dict[str, Any]:
        return {"kind": block.kind, **getattr(self, f"_{block.kind}")(block)}

    def _rich(self, text: Rich) -> list[dict[str, str]]:
        return [{"text": on_paper(s.text), "style": s.style} for s in text if s.text]

    def _svg(self, svg: str) -> str:
        head, tag, rest = svg.partition(">")
        return head + tag + self._style + _shown(rest)

    def _paragraph(self, block: Any) -> dict[str, Any]:
        return {"text": self._rich(block.text), "lead": block.lead}

    def _subheading(self, block: Any) -> dict[str, Any]:
        return {"text": on_paper(block.text)}

    def _items(self, block: Any) -> dict[str, Any]:
        return {"entries": [self._rich(e) for e in block.entries], "ordered": block.ordered}

    def _callout(self, block: Any) -> dict[str, Any]:
        return {
            "title": on_paper(block.title),
            "text": self._rich(block.text),
            "tone": block.tone,
        }

    def _terms(self, block: Any) -> dict[str, Any]:
        return {
            "entries": [
                {"term": on_paper(t), "text": self._rich(text)} for t, text in block.entries
            ]
        }

    def _blanks(self, block: Any) -> dict[str, Any]:
        return {
            "entries": [{"label": label, "lines": lines} for label, lines in block.entries],
            "choices": list(block.choices),
            "question": block.question,
        }

    def _form(self, block: Any) -> dict[str, Any]:
        return {
            "title": block.title,
            "columns": [{"title": c.title, "weight": c.weight} for c in block.columns],
            "rows": block.rows,
        }

    def _table(self, block: Table) -> dict[str, Any]:
        return {
            "caption": self._rich(block.caption),
            "note": self._rich(block.note),
            "screen_only": block.screen_only,
            "columns": [
                {"title": on_paper(c.title), "numeric": c.numeric, "weight": c.weight}
                for c in block.columns
            ],
            # Rows too long for paper are counted, not printed.
            "rows": [
                [None] if block.screen_only else [self._cell(cell) for cell in row]
                for row in block.rows
            ],
        }

    def _cell(self, cell: Cell) -> dict[str, Any]:
        return {"text": self._rich(cell.text), "verdict": cell.verdict}

    def _figure(self, block: Figure) -> dict[str, Any]:
        return {
            "key": block.key,
            "caption": self._rich(block.caption),
            "svg": self._svg(block.svg),
            "alternative": on_paper(block.alternative),
            "title": on_paper(block.title),
        }

    def _panels(self, block: Any) -> dict[str, Any]:
        return {
            "key": block.key,
            "caption": self._rich(block.caption),
            "figures": [self._figure(figure) for figure in block.figures],
        }

    def _gallery(self, block: Any) -> dict[str, Any]:
        return {
            "caption": self._rich(block.caption),
            "screen_only": block.screen_only,
            "columns": [_dotted(on_paper(column)) for column in block.columns],
            "rows": [
                {"label": label, "shots": [None if s is None else self._shot(s) for s in shots]}
                for label, shots in (() if block.screen_only else block.rows)
            ],
        }

    def _shot(self, shot: Any) -> dict[str, str]:
        name = f"picture-{self._pictures}.png"
        self._pictures += 1
        (self._root / name).write_bytes(shot.png)
        return {
            "file": name, "alternative": on_paper(shot.alternative), "value": shot.value,
        }  # fmt: skip

    def _group(self, block: Any) -> dict[str, Any]:
        return {"blocks": [self._block(inner) for inner in block.blocks]}

    def _card(self, block: Any) -> dict[str, Any]:
        return {
            "title": on_paper(block.title),
            "verdict": block.verdict,
            "blocks": [self._block(inner) for inner in block.blocks],
        }

"""The report's first page as markdown: for a terminal, a CI step summary, a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from leakaudit.escaping import markdown as escaped
from leakaudit.record import Record
from leakaudit.record.held import HeldPolicy
from leakaudit.record.report import Report
from leakaudit.whole import write_whole

from ._content import comparison, document
from ._content.blocks import Block, Callout, Card, Document, Group, Items, Paragraph, Rich, Table
from ._content.wording import WORD

SECTIONS = ("1", "10", "11")
TABLES = ("answers", "effects", "utility", "changes", "policy-rules")
"""Tables short enough for a summary, by the start of their key."""
BEFORE_10 = ("utility", "policy-rules")
"""Tables of other sections that the recommendations lean on."""
ROWS = 60
LIMIT = 900_000
"""Bytes: a CI step summary holds 1 MiB."""
SYMBOL = {
    "leak shown": "\u25b2",
    "none shown": "\u25cb",
    "inconclusive": "\u25d0",
    "not tested": "\u2013",
    "attack invalid": "\u2715",
}


class MarkdownReport(Report):
    """A short summary in markdown, without pictures."""

    file_name: ClassVar[str] = "summary.md"

    def render(
        self,
        record: Record,
        folder: Path,
        *,
        before: Record | None = None,
        policy: HeldPolicy | None = None,
    ) -> Path:
        """Write `summary.md`."""
        text = summary(document(record, folder, before, policy))
        return write_whole(folder / self.file_name, text)

    def compare(self, before: Record, now: Record, target: Path) -> Path:
        """Write what changed between two audits, without the table of all estimates."""
        content = comparison(before, now)
        parts = [f"# {content.kicker}: {escaped(content.title)}", escaped(content.subtitle)]
        for section in content.sections:
            if section.number in {"1", "2", "3", "4"}:
                parts.append(f"## {section.title}")
                parts += [part for block in section.blocks for part in _block(block)]
        parts.append(
            f"Audits `{_plain(content.audit_id)}`, records SHA-256 "
            f"`{_plain(before.content_sha256)}` and `{_plain(now.content_sha256)}`."
        )
        return write_whole(target, _limited(parts))


def summary(content: Document) -> str:
    """Page one, the recommendations and the limits, under 1 MiB."""
    wanted = SECTIONS + tuple(s.number for s in content.sections if s.number == "13")
    parts = [f"# Leakage audit: {escaped(content.title)}", escaped(content.subtitle)]
    for section in content.sections:
        if section.number == "10":
            tables = [b for b in content.blocks() if isinstance(b, Table) and b.key in BEFORE_10]
            parts += [part for table in tables for part in _block(table)]
        if section.number in wanted:
            parts.append(f"## {section.title}")
            parts += [part for block in section.blocks for part in _block(block)]
    parts.append(
        f"Audit `{_plain(content.audit_id)}`, {escaped(content.created)}, record SHA-256 "
        f"`{_plain(content.content_sha256)}`. The whole report: report.html, report.pdf."
    )
    return _limited(parts)


def _limited(parts: list[str]) -> str:
    text = "\n\n".join(parts) + "\n"
    raw = text.encode()
    if len(raw) > LIMIT:
        text = raw[:LIMIT].decode(errors="ignore") + "\n\nCut here: see report.html.\n"
    return text


def _plain(text: str) -> str:
    return text.replace("`", "'")


def _rich(text: Rich) -> str:
    return "".join(
        f"**{escaped(s.text.strip())}**{' ' if s.text.endswith(' ') else ''}"
        if s.style == "strong" and s.text.strip()
        else escaped(s.text)
        for s in text
    )


def _block(block: Block) -> list[str]:
    if isinstance(block, Paragraph):
        return [_rich(block.text)]
    if isinstance(block, Items):
        return ["\n".join(f"- {_rich(entry)}" for entry in block.entries)]
    if isinstance(block, Callout):
        return [f"> **{escaped(block.title)}** {_rich(block.text)}"]
    if isinstance(block, Card):
        mark = f": {SYMBOL[block.verdict]} {WORD[block.verdict]}" if block.verdict else ""
        inner = [part for entry in block.blocks for part in _block(entry)]
        return [f"### {escaped(block.title)}{mark}", *inner]
    if isinstance(block, Group):
        return [part for entry in block.blocks for part in _block(entry)]
    if isinstance(block, Table) and block.key.startswith(TABLES):
        return [_table(block)]
    return []


def _table(block: Table) -> str:
    lines = [
        "| " + " | ".join(escaped(c.title) for c in block.columns) + " |",
        "|" + "|".join(" ---: " if c.numeric else " --- " for c in block.columns) + "|",
    ]
    for row in block.rows[:ROWS]:
        cells = [
            (f"{SYMBOL[c.verdict]} {WORD[c.verdict]} " if c.verdict else "") + _rich(c.text)
            for c in row
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if len(block.rows) > ROWS:
        lines.append(f"| {len(block.rows) - ROWS} more in report.html |")
    return "\n".join(lines)

"""The report as PDF/A-3 and PDF/UA-1, with the record attached: for signing and filing."""

from __future__ import annotations

import importlib
import json
import tempfile
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from leakaudit.errors import EnvironmentProblemError, RecordError
from leakaudit.record import Record
from leakaudit.record.held import HeldPolicy
from leakaudit.record.report import Report
from leakaudit.record.store import RECORD_FILE, record_text
from leakaudit.whole import write_whole

from ._content import Document, comparison, document
from ._paper import Paper, font_folder


class PdfReport(Report):
    """A PDF for signing and filing, with audit.json attached."""

    file_name: ClassVar[str] = "report.pdf"

    def render(
        self,
        record: Record,
        folder: Path,
        *,
        before: Record | None = None,
        policy: HeldPolicy | None = None,
    ) -> Path:
        """Write `report.pdf`.

        Raises:
            RecordError: the record's date is not ISO 8601.
            EnvironmentProblemError: the PDF engine refused, or the folder cannot be written.
        """
        content = document(record, folder, before, policy)
        return write_whole(folder / self.file_name, _compiled(content, record))

    def compare(self, before: Record, now: Record, target: Path) -> Path:
        """Write what changed between two audits, with the later record attached.

        Raises:
            RecordError: a date is not ISO 8601.
            EnvironmentProblemError: the PDF engine refused, or the folder cannot be written.
        """
        return write_whole(target, _compiled(comparison(before, now), now))


def _compiled(content: Document, record: Record) -> bytes:
    with tempfile.TemporaryDirectory(prefix="leakaudit-pdf-") as name:
        root = Path(name)
        printed = Paper(root).document(content)
        (root / "report.json").write_text(json.dumps(printed), encoding="utf-8")
        (root / RECORD_FILE).write_text(record_text(record), encoding="utf-8")
        template = files(__package__).joinpath("_typst", "report.typ")
        (root / "report.typ").write_text(template.read_text(encoding="utf-8"), "utf-8")
        engine = _engine()
        try:
            pdf: bytes = engine.compile(
                root / "report.typ",
                root=root,
                font_paths=[font_folder()],
                ignore_system_fonts=True,
                pdf_standards=["a-3a", "ua-1"],
                timestamp=_timestamp(record),
            )
        except engine.TypstError as problem:
            raise EnvironmentProblemError(
                "the PDF engine must accept the report",
                found=str(problem)[:300],
                remedy="read report.html instead, and tell the makers of leakaudit",
            ) from None
    return pdf


def _engine() -> ModuleType:
    """Loaded when a PDF is wanted: without it, the other reports are still written."""
    try:
        return importlib.import_module("typst")
    except ImportError as problem:
        raise EnvironmentProblemError(
            "a PDF needs the typst package",
            found=str(problem)[:200],
            remedy="pip install typst; report.html and summary.md do not need it",
        ) from None


def _timestamp(record: Record) -> int:
    try:
        return int(datetime.fromisoformat(record.volatile.created).timestamp())
    except ValueError:
        raise RecordError(
            "the record's date must be ISO 8601",
            found=record.volatile.created[:60],
            remedy="run the audit again",
        ) from None

"""The report as PDF/A-3 and PDF/UA-1, with the record attached: for signing and filing."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import typst

from leakaudit.errors import EnvironmentProblemError, RecordError
from leakaudit.record.model import Record
from leakaudit.record.report import Report
from leakaudit.record.store import RECORD_FILE, record_text

from ._content import document
from ._file import write_whole
from ._paper import Paper, font_folder


class PdfReport(Report):
    """A PDF for signing and filing, with audit.json attached."""

    file_name: ClassVar[str] = "report.pdf"

    def render(self, record: Record, folder: Path, *, before: Record | None = None) -> Path:
        """Write `report.pdf`.

        Raises:
            RecordError: the record's date is not ISO 8601.
            EnvironmentProblemError: the PDF engine refused, or the folder cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="leakaudit-pdf-") as name:
            root = Path(name)
            content = Paper(root).document(document(record, folder, before))
            (root / "report.json").write_text(json.dumps(content), encoding="utf-8")
            (root / RECORD_FILE).write_text(record_text(record), encoding="utf-8")
            template = files(__package__).joinpath("_typst", "report.typ")
            (root / "report.typ").write_text(template.read_text(encoding="utf-8"), "utf-8")
            try:
                pdf = typst.compile(
                    root / "report.typ",
                    root=root,
                    font_paths=[font_folder()],
                    ignore_system_fonts=True,
                    pdf_standards=["a-3a", "ua-1"],
                    timestamp=_timestamp(record),
                )
            except typst.TypstError as problem:
                raise EnvironmentProblemError(
                    "the PDF engine must accept the report",
                    found=str(problem)[:300],
                    remedy="read report.html instead, and tell the makers of leakaudit",
                ) from None
        return write_whole(folder / self.file_name, pdf)


def _timestamp(record: Record) -> int:
    try:
        return int(datetime.fromisoformat(record.volatile.created).timestamp())
    except ValueError:
        raise RecordError(
            "the record's date must be ISO 8601",
            found=record.volatile.created[:60],
            remedy="run the audit again",
        ) from None

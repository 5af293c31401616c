"""The PDF opened and read back."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from example_records import example_record
from leakaudit.reports import PdfReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Table, words
from leakaudit.reports._content.wording import number, places_of
from pypdf import PageObject, PdfReader

from leakaudit.errors import RecordError
from leakaudit.record import Record, canonical


def squeezed(text: str) -> str:
    """Without white space and break opportunities: where a line breaks says nothing."""
    return re.sub(r"[\s\u200b]+", "", text)


def read(file: Path) -> tuple[PdfReader, str]:
    reader = PdfReader(io.BytesIO(file.read_bytes()))
    return reader, squeezed("".join(page.extract_text() for page in reader.pages))


@pytest.fixture(scope="module")
def opened(record: Record, run_folder: Path) -> tuple[PdfReader, str]:
    return read(PdfReport().render(record, run_folder))


def test_every_printed_cell_is_there(
    opened: tuple[PdfReader, str], record: Record, run_folder: Path
) -> None:
    text = opened[1]
    for block in document(record, run_folder).blocks():
        if isinstance(block, Table) and not block.screen_only:
            for row in block.rows:
                for cell in row:
                    assert squeezed(words(cell.text)) in text, words(cell.text)


def test_numbers_equal_the_record(opened: tuple[PdfReader, str], record: Record) -> None:
    text = opened[1]
    for verdict in record.verdicts:
        if verdict.advantage is None or verdict.metric is None:
            continue
        advantage = verdict.advantage
        assert advantage.lower is not None
        assert advantage.upper is not None
        ends = f"({number(advantage.lower)}to{number(advantage.upper)})"
        assert f"{number(advantage.mean)}{ends}" in text
    for utility in record.utility:
        if utility.metric == "dice" or utility.region == "WT":
            places = places_of(utility.metric)
            mean, low = utility.estimate.mean, utility.estimate.lower
            assert low is not None
            assert f"{number(mean, places)}({number(low, places)}to" in text
    assert record.content_sha256 in text


def test_standards_title_and_fonts(opened: tuple[PdfReader, str], record: Record) -> None:
    reader = opened[0]
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert reader.metadata is not None
    assert reader.metadata.title == record.title
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for font in resources.get("/Font", {}).values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            described = descendant["/FontDescriptor"]
            assert "/FontFile2" in described or "/FontFile3" in described


def test_the_record_is_attached(opened: tuple[PdfReader, str], record: Record) -> None:
    (attached,) = opened[0].attachments["audit.json"]
    assert attached.decode() == canonical(record.model_dump(mode="json"))
    assert json.loads(attached)["content_sha256"] == record.content_sha256


def test_hostile_text_prints_literally(hostile_record: Record, tmp_path: Path) -> None:
    text = read(PdfReport().render(hostile_record, tmp_path))[1]
    assert squeezed("#set page(fill: red)") in text
    assert squeezed("`raw` $x$") in text
    assert "<script>alert(1)</script>" in text
    assert "[U+202E]" in text
    assert "[U+4E2D]" in text  # no embedded font has it: written out, never dropped


def test_a_script_without_a_font_prints_by_number(tmp_path: Path) -> None:
    parties = ("\u4e2d\u6587", "\u05d0\u05d1\u05d2", "\u0939\u093f", "\U0001f3e5")
    text = read(PdfReport().render(example_record(parties=parties), tmp_path))[1]
    assert "[U+4E2D][U+6587]" in text


def pictures(page: PageObject) -> list[str]:
    resources: Any = page["/Resources"]
    drawn = resources.get("/XObject", {})
    return [name for name, thing in drawn.items() if thing.get_object()["/Subtype"] == "/Image"]


def test_pictures_only_where_shareable(record: Record, run_folder: Path, tmp_path: Path) -> None:
    reader = read(PdfReport().render(record, run_folder))[0]
    assert sum(len(pictures(page)) for page in reader.pages) == 4 * 7 + 7
    private = record.model_copy(
        update={"cohort": record.cohort.model_copy(update={"shareable": False})}
    )
    reader, text = read(PdfReport().render(private, run_folder))
    assert not any(pictures(page) for page in reader.pages)
    assert squeezed("not marked as shareable") in text


def test_a_date_that_is_none(tmp_path: Path) -> None:
    record = example_record()
    undated = record.model_copy(
        update={"volatile": record.volatile.model_copy(update={"created": "yesterday"})}
    )
    with pytest.raises(RecordError, match="ISO 8601"):
        PdfReport().render(undated, tmp_path)

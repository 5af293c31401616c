"""The controls of messages: said in both formats, with who stands out, and only where they ran."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_records import NONE, WITHHELD, example_record
from leakaudit.reports import HtmlReport, PdfReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Document, Table, words
from pypdf import PdfReader

from leakaudit import record as m
from leakaudit.record import Record, sealed

NOWHERE = Path("/nonexistent")


@pytest.fixture
def controlled() -> Record:
    rate = m.Estimate(
        mean=0.9731, lower=0.81, upper=1.0, patients=8, samples=24, seeds=3, method="invented"
    )
    about = {"victim": "hospital", "cuts": ("level 0", "level 1"), "epochs": (4, 9), "level": 0.01}
    entries = (
        m.PresenceControl(
            **about, setting=NONE, rate=rate, p=0.000618, fired=True, reason="carries",
            strongest="spectrum over channels, level 1, epoch 9",
            unlike=("P03",), in_clear=tuple(f"P{number:02}" for number in range(10, 17)),
        ),
        m.PresenceControl(**about, setting=WITHHELD, rate=None, fired=False, reason="not run: own"),
    )  # fmt: skip
    return sealed(example_record().model_copy(update={"presence": entries}))


def rows(content: Document) -> list[list[str]]:
    found = next(b for b in content.blocks() if isinstance(b, Table) and b.key == "presence-table")
    return [[words(cell.text) for cell in row] for row in found.rows]


def test_rate_p_and_whoever_stands_out_are_there(controlled: Record) -> None:
    bare, withheld = rows(document(controlled, NOWHERE))
    assert bare[1:5] == ["hospital", "4, 9", "0.97 (0.81 to 1.00)", "0.00062"]
    assert bare[5] == (
        "yes: carries. By spectrum over channels, level 1, epoch 9. In clear in one channel: "
        "P10, P11, P12, P13, P14 and 2 more. Unlike anything queried, so that no attack learnt "
        "it: P03."
    )
    assert withheld[3:] == ["not run", "not run", "not run: own."]


def test_html_and_pdf_say_the_same(controlled: Record, tmp_path: Path) -> None:
    page = HtmlReport().render(controlled, tmp_path).read_text(encoding="utf-8")
    paper = PdfReport().render(controlled, tmp_path)
    printed = " ".join(each.extract_text() for each in PdfReader(paper).pages)
    for said in ("0.00062", "Do the messages carry the image", "spectrum over"):
        assert said in page
        assert said in " ".join(printed.split())


def test_an_audit_without_the_control_says_nothing_of_it() -> None:
    keys = [getattr(block, "key", "") for block in document(example_record(), NOWHERE).blocks()]
    assert "presence-table" not in keys

"""How messages were read: said on paper in a sentence, on screen way by way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from example_records import NOISE, NONE, WITHHELD, example_record
from leakaudit.reports import HtmlReport, PdfReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Table, words
from pypdf import PdfReader

from leakaudit import record as m
from leakaudit.record import Record, sealed

NOWHERE = Path("/nonexistent")
HOSTILE = "<img src=x onerror=alert(1)> #let $x"


def entry(setting: str, ways: Mapping[str, tuple[float, int]], **more: object) -> m.Portfolio:
    listed = [
        m.PortfolioWay(way=name, told=told, runs=3, used=used)
        for name, (told, used) in ways.items()
    ]
    about = {"adversary": "curious-server", "attack": "decoder-inversion", "victim": "T1"}
    content = {"cuts": ("level 0",), "kind": "undoing", "runs": 3, "ways": listed, **more}
    return m.Portfolio.model_validate({"setting": setting} | about | content)


@pytest.fixture
def tried() -> Record:
    entries = (
        entry(NONE, {"as sent": (0.8, 3)}),
        entry(NOISE, {"channels whitened": (0.71, 2), "as sent": (0.03, 1)},
              others=7, skipped={f"too few {HOSTILE}": ("sorted", "folded")}),
        entry(WITHHELD, {"as sent": (0.04, 3), "channels whitened": (0.05, 0)}),
    )  # fmt: skip
    return sealed(example_record().model_copy(update={"portfolios": entries}))


def rows(record: Record) -> list[list[str]]:
    blocks = document(record, NOWHERE).blocks()
    table = next(b for b in blocks if isinstance(b, Table) and b.key == "portfolio-table")
    return [[words(cell.text) for cell in row] for row in table.rows]


def test_each_choice_tells_what_it_gained(tried: Record) -> None:
    _, noise, _ = rows(tried)
    assert noise[5:8] == ["undoing", "0.03", "0.71"]
    assert noise[8].startswith(
        "channels whitened 0.71 (used in 2 of 3); as sent 0.03 (used in 1 of"
    )
    assert "7 others told less" in noise[8]
    assert "could not be tried (too few" in noise[8]
    assert "sorted and folded" in noise[8]


def test_paper_says_what_was_undone(tried: Record, tmp_path: Path) -> None:
    text = "".join(
        page.extract_text() for page in PdfReader(PdfReport().render(tried, tmp_path)).pages
    )
    text = " ".join(text.split())
    assert "undone by \u201cchannels whitened\u201d." in text
    assert "1 way of undoing told no more than messages as sent." in text
    assert "messages are read as sent, so nothing was looked for." in text


def test_reasons_are_shown_literally(tried: Record, tmp_path: Path) -> None:
    page = HtmlReport().render(tried, tmp_path).read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_older_records_have_no_such_part() -> None:
    keys = [getattr(block, "key", "") for block in document(example_record(), NOWHERE).blocks()]
    assert "portfolio-table" not in keys

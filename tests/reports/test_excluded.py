"""The smallest leak that could have been excluded, and the bound beside each verdict."""

from __future__ import annotations

from pathlib import Path

import pypdf
import pytest
from example_records import example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Callout, Table, words

from leakaudit.plugins import Kind, build
from leakaudit.record import Power, Record, Spread, Verdict
from leakaudit.record.bound import deciding_bound

SIZE = {"patients": 20, "seeds": 3, "series": 4, "threshold": 0.1}
POWER = (
    Power(
        asset="images", adversaries=("curious server",), smallest=0.0812, smallest_worst=0.2511,
        share=0.97, spread=Spread(patient=0.031, seed=0.02, rest=0.03), measured=True, **SIZE,
    ),
    Power(
        asset="identity", adversaries=("curious server",), smallest=0.2613, smallest_worst=None,
        share=0.04, patients_needed=61, seeds_needed=5, **SIZE,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def sized() -> Record:
    return example_record(changes={"power": POWER})


def test_it_stands_before_anything_else_on_page_one(sized: Record) -> None:
    section = next(s for s in document(sized, Path()).sections if s.number == "1")
    first = section.blocks[0]
    assert isinstance(first, Callout)
    said = words(first.text)
    assert first.title == "The smallest leak that this audit could have excluded"
    assert said.startswith("Images 0.08 and identity 0.26: advantage")
    assert "0.10 is what must be excluded" in said
    assert "On identity this audit was too small" in said
    assert "61 attacked patients and 5 seeds would do" in said
    assert first.tone == "caution"


def test_an_older_record_says_nothing_of_it() -> None:
    section = next(s for s in document(example_record(), Path()).sections if s.number == "1")
    assert "could have excluded" not in getattr(section.blocks[0], "title", "")


def test_screen_paper_and_summary_say_the_same_numbers(sized: Record, tmp_path: Path) -> None:
    html = build(Kind.REPORT, "html", {}).render(sized, tmp_path).read_text(encoding="utf-8")
    pdf = pypdf.PdfReader(build(Kind.REPORT, "pdf", {}).render(sized, tmp_path))
    paper = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    summary = build(Kind.REPORT, "markdown", {}).render(sized, tmp_path).read_text("utf-8")
    for said in ("Images 0.08 and identity 0.26", "61 attacked patients and 5 seeds"):
        assert said in html
        assert said in paper
        assert said in summary
    for said in ("97 of 100", "measured: 0.031 between patients"):
        assert said in html
        assert said in paper


def verdict(said: str, least: float | None, most: float | None) -> Verdict:
    found = example_record().verdicts[0]
    assert found.advantage is not None
    ends = {"one_sided_lower": least, "one_sided_upper": most}
    advantage = found.advantage.model_copy(update=ends)
    changes = {"verdict": said, "advantage": advantage, "threshold": 0.1}
    return found.model_copy(update=changes)


@pytest.mark.parametrize(
    ("said", "least", "most", "bound"),
    [
        ("none shown", -0.1, 0.09, "at most 0.09 (limit 0.10)"),
        ("leak shown", 0.21, 0.4, "at least 0.21"),
        ("inconclusive", -0.02, 0.24, "at least -0.02, at most 0.24 (limit 0.10)"),
        ("inconclusive", None, None, ""),
        ("leak shown", -0.05, 0.2, ""),
        ("attack invalid", 0.1, 0.2, ""),
        ("not tested", 0.1, 0.2, ""),
    ],
)
def test_the_bound_that_decides(
    said: str, least: float | None, most: float | None, bound: str
) -> None:
    assert deciding_bound(verdict(said, least, most)) == bound


def test_every_row_of_section_7_has_its_bound(sized: Record) -> None:
    tables = [
        block
        for block in document(sized, Path()).blocks()
        if isinstance(block, Table) and block.key.startswith("verdicts-")
    ]
    told = [words(cell.text) for table in tables for row in table.rows for cell in row]
    for each in sized.verdicts:
        bound = deciding_bound(each).replace("-", "\u2212")
        if bound:
            assert any(cell.startswith(f"{bound}. ") for cell in told), bound

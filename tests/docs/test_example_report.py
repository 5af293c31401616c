"""The example report in docs/ speaks of its configuration, and still looks like today's reports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from example_records import example_record
from leakaudit.reports._content import document
from pypdf import PdfReader

from leakaudit.record import read_record

FOLDER = Path(__file__).parents[2] / "docs" / "example-report"
MOST_BYTES = 3_600_000
TITLE = tomllib.loads((FOLDER / "audit.toml").read_text("utf-8"))["title"]


def test_the_page_has_the_title_and_todays_sections() -> None:
    page = (FOLDER / "report.html").read_text("utf-8")
    assert TITLE in page
    headings = re.findall(r'<h2 [^>]*><span class="number">(\w+)</span> ([^<]+)</h2>', page)
    today = document(example_record(), Path("/nonexistent")).sections
    assert headings == [(section.number, section.title) for section in today]


def test_its_policy_is_drawn() -> None:
    policy = tomllib.loads((FOLDER / "leakage-policy.toml").read_text("utf-8"))
    page = (FOLDER / "report.html").read_text("utf-8")
    assert "policy-forest-0" in page
    for rule in (*policy["budget"], *policy["utility"]):
        assert rule["name"].replace("'", "&#39;") in page


def test_the_paper_holds_the_record_it_was_printed_from(tmp_path: Path) -> None:
    reader = PdfReader(FOLDER / "report.pdf")
    assert reader.metadata is not None
    assert reader.metadata.title == TITLE
    (attached,) = reader.attachments["audit.json"]
    (tmp_path / "audit.json").write_bytes(attached)
    record = read_record(tmp_path)
    assert record.title == TITLE
    assert record.content_sha256 in (FOLDER / "report.html").read_text("utf-8")


def test_they_are_small() -> None:
    spent = sum((FOLDER / name).stat().st_size for name in ("report.html", "report.pdf"))
    assert spent < MOST_BYTES


def test_its_patients_are_generated_so_it_shows_them() -> None:
    page = (FOLDER / "report.html").read_text("utf-8")
    assert re.search("data:image/png", page)
    assert re.search(rb"/Subtype */Image", (FOLDER / "report.pdf").read_bytes())
    assert not re.search(r"(?<![\w.])/(home|root|tmp|work|Users)/", page)

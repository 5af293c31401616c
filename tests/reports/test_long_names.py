"""Reports of somebody else's network: paths for cuts, and bounds where there is no interval."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from browser import Page
from leakaudit.reports import HtmlReport, PdfReport
from pypdf import PageObject, PdfReader

from leakaudit.record import Record

CUT = "encoder.stages."
TABLES = ".table[id^=verdicts-], .table[id^=subgroups-], #dependence-table"


@pytest.fixture
def foreign(record: Record) -> Record:
    """The example, whose cuts are submodules and whose estimates have no interval."""
    text = record.model_dump_json().replace('column":"level ', f'column":"cut {CUT}')
    return Record.model_validate(_bounded(json.loads(text.replace("level ", CUT))))


def _bounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_bounded(each) for each in value]
    if not isinstance(value, dict):
        return value
    changes = {"lower": None, "upper": None, "undefined_because": "few seeds"}
    return {key: _bounded(each) for key, each in value.items()} | (
        changes if value.get("one_sided_lower") is not None else {}
    )


def test_headings_of_pictures_break_at_dots_on_paper(foreign: Record, run_folder: Path) -> None:
    reader = PdfReader(io.BytesIO(PdfReport().render(foreign, run_folder).read_bytes()))
    printed = [line for page in reader.pages for line in _lines(page)]
    # On page one and in the gallery a heading takes two lines: none runs into the next.
    assert sum(line.startswith(f"cut {CUT[:8]}") and CUT not in line for line in printed) >= 2
    assert not any(f"cut {CUT}0cut" in line.replace(" ", "") for line in printed)


def _lines(page: PageObject) -> list[str]:
    return page.extract_text().replace("\u200b", "").splitlines()


def test_nothing_is_cut_or_askew_on_screen(
    browser: str, foreign: Record, run_folder: Path, tmp_path: Path
) -> None:
    path = HtmlReport().render(foreign, run_folder)
    with Page(browser, tmp_path / "profile") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride", width=1200, height=800,
            deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        page.open(path.as_uri())
        assert page.evaluate("document.body.innerText").count("(at least ") > 10
        assert page.evaluate(f"document.querySelectorAll('{TABLES}').length") > 2
        cut = page.evaluate(
            f"[...document.querySelectorAll('{TABLES}')].map(t => t.querySelector('.scroll'))"
            ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.parentElement.id)"
        )
        assert cut == []
        middle = "(r => r.left + r.width / 2)"
        off = page.evaluate(
            f"[...document.querySelectorAll('.gallery img')].map(i => Math.abs("
            f"{middle}(i.getBoundingClientRect()) - "
            f"{middle}(i.closest('td').getBoundingClientRect())))"
        )
        assert off
        assert max(off) < 2

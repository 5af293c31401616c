"""The page in a real browser: no error, no request, nothing lost without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Page
from example_records import example_record
from leakaudit.reports import HtmlReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Table, words

from leakaudit.record import Record


@pytest.fixture(scope="module")
def page_file(record: Record, run_folder: Path) -> Path:
    return HtmlReport().render(record, run_folder)


@pytest.fixture
def page(browser: str, tmp_path: Path) -> Iterator[Page]:
    with Page(browser, tmp_path / "profile") as opened:
        yield opened


def outside(page: Page) -> list[str]:
    return [url for url in page.requests if not url.startswith(("file:", "data:"))]


@pytest.mark.parametrize("patients", [10, 2000])
def test_it_opens_at_once_whatever_the_audits_size(
    page: Page, tmp_path: Path, patients: int
) -> None:
    """Under 10 MB and 2 s; the page's own processor time, so that a busy machine does not fail."""
    file = HtmlReport().render(example_record(patients), tmp_path)
    assert file.stat().st_size < 10_000_000
    page.call("Performance.enable")
    page.open(file.as_uri())
    spent = {m["name"]: m["value"] for m in page.call("Performance.getMetrics")["metrics"]}
    assert spent["Nodes"] > 5000
    assert 0 < spent["ProcessTime"] < 2


def test_no_error_and_no_request(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    assert page.evaluate("document.querySelectorAll('h2').length") == 16
    assert page.messages == []
    assert outside(page) == []


def test_readable_without_javascript(page: Page, page_file: Path, record: Record) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(page_file.as_uri())
    assert page.evaluate("document.querySelector('.filter').hidden")
    text = page.evaluate("document.body.innerText")
    content = document(record, page_file.parent)
    for block in content.blocks():
        if isinstance(block, Table):
            for row in block.rows:
                for cell in row:
                    assert words(cell.text).strip() in text


def test_sorting_and_filtering(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    column = (
        "[...document.querySelectorAll('#all-findings tbody tr')].map(r => r.cells[6].textContent)"
    )
    page.evaluate("document.querySelectorAll('#all-findings th button')[6].click()")
    values = [float(v) for v in page.evaluate(column)]
    assert values == sorted(values)
    page.evaluate(
        "(() => { const box = document.querySelector('.filter input');"
        "box.value = 'psnr flair'; box.dispatchEvent(new Event('input')); })()"
    )
    shown = page.evaluate(
        "[...document.querySelectorAll('#all-findings tbody tr')].filter(r => !r.hidden)"
        ".map(r => r.textContent)"
    )
    assert shown
    assert all("PSNR" in row and "FLAIR" in row for row in shown)
    assert page.messages == []


def test_one_value_of_a_column_can_be_chosen(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    lists = "[...document.querySelectorAll('#all-findings .filter label')].map(l => l.firstChild.textContent.trim())"  # noqa: E501
    assert page.evaluate(lists) == [
        "Setting", "Actor", "Asset", "Attack", "Cuts", "Metric, region", "Filter"
    ]  # fmt: skip
    page.evaluate(
        "(() => { const lists = document.querySelectorAll('#all-findings select');"
        "lists[1].value = 'curious server'; lists[4].value = 'level 1';"
        "lists[4].dispatchEvent(new Event('change')); })()"
    )
    shown = page.evaluate(
        "[...document.querySelectorAll('#all-findings tbody tr')].filter(r => !r.hidden)"
        ".map(r => [r.cells[1].textContent, r.cells[4].textContent])"
    )
    assert shown
    assert all(pair == ["curious server", "level 1"] for pair in shown)


SEEN = (
    "[...document.querySelectorAll('[data-actor]')].filter(e => e.offsetParent !== null)"
    ".map(e => e.dataset.actor)"
)


def test_one_actor_alone_on_screen_and_everybody_on_paper(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    everybody = page.evaluate(SEEN)
    assert set(everybody) == {"curious server", "curious party T1"}
    page.evaluate(
        "(() => { const list = document.getElementById('view-actor');"
        "list.value = 'curious server'; list.dispatchEvent(new Event('change')); })()"
    )
    assert set(page.evaluate(SEEN)) == {"curious server"}
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.evaluate(SEEN) == everybody
    assert page.evaluate(
        "[...document.querySelectorAll('.filter, .view, .tip, nav')]"
        ".every(e => e.getClientRects().length === 0)"
    )


def test_intervals_can_be_hidden(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    shown = "[...document.querySelectorAll('.range')].filter(e => e.getClientRects().length).length"
    assert page.evaluate(shown) > 50
    page.evaluate("document.getElementById('view-range').click()")
    assert page.evaluate(shown) == 0


def test_values_show_under_the_pointer(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    told = page.evaluate(
        "(() => { const mark = document.querySelector('#section-8 [data-tip]');"
        "mark.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));"
        "const tip = document.querySelector('.tip');"
        "return [getComputedStyle(tip).visibility, tip.textContent]; })()"
    )
    assert told[0] == "visible"
    assert re.search(r"leakage 0\.\d\d, Dice 0\.\d\d", told[1])
    assert page.messages == []


def test_the_keyboard_stops_only_where_something_is(page: Page, page_file: Path) -> None:
    page.open(page_file.as_uri())
    wrong = page.evaluate(
        "[...document.querySelectorAll('.scroll, .drawing')].filter(e => e.tabIndex === 0 !=="
        " (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)).length"
    )
    assert wrong == 0


@pytest.mark.parametrize("width", [360, 768, 1360])
def test_no_sideways_scrolling(page: Page, page_file: Path, width: int) -> None:
    page.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1,
        mobile=width < 500,
    )  # fmt: skip
    page.open(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Page, page_file: Path, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for text, in both schemes, for every colour that text uses."""
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    page.open(page_file.as_uri())
    roles = ("ink", "muted", "accent", "leak", "none", "open", "untested", "invalid", "c0", "c1",
             "c2", "c3", "c4", "c5")  # fmt: skip
    for ground in ("paper", "wash"):
        behind = luminance(page.evaluate(_colour(ground)))
        for role in roles:
            before = luminance(page.evaluate(_colour(role)))
            lighter, darker = max(before, behind), min(before, behind)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (role, ground)


def _colour(role: str) -> str:
    return f"getComputedStyle(document.documentElement).getPropertyValue('--{role}').trim()"


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_hostile_text_is_only_text(page: Page, hostile_record: Record, tmp_path: Path) -> None:
    file = HtmlReport().render(hostile_record, tmp_path)
    page.open(file.as_uri())
    assert page.messages == []
    assert outside(page) == []
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert "<script>alert(1)</script>" in page.evaluate("document.body.innerText")
    raw = file.read_text("utf-8")
    assert "long" * 80 not in raw
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x07]", raw)
    page.call("Emulation.setDeviceMetricsOverride", width=1360, height=800, deviceScaleFactor=1,
              mobile=False)  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= 1360


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.bare: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        link = given.get("href") or given.get("src") or ""
        if link.startswith("#"):
            self.targets.append(link[1:])
        elif link and not link.startswith("data:image/png;base64,"):
            self.bare.append(link)
        self.targets += str(given.get("aria-labelledby") or "").split()
        if tag == "img" and not given.get("alt"):
            self.bare.append("img without alt")
        if tag == "svg" and not given.get("aria-label"):
            self.bare.append("svg without a label")
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("which", ["record", "hostile_record"])
def test_structure(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    raw = HtmlReport().render(request.getfixturevalue(which), tmp_path).read_text("utf-8")
    outline = _Outline()
    outline.feed(raw)
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.targets) <= set(outline.ids)
    assert outline.bare == []
    assert outline.inline == []
    assert "default-src 'none'" in raw


def test_a_cohort_that_is_not_shareable_shows_no_picture(
    record: Record, run_folder: Path, tmp_path: Path
) -> None:
    private = record.model_copy(
        update={"cohort": record.cohort.model_copy(update={"shareable": False})}
    )
    raw = HtmlReport().render(private, run_folder).read_text("utf-8")
    assert "data:image" not in raw
    assert "<img" not in raw

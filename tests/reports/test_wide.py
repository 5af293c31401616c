"""Reports of audits with many settings: everything fits, and what is named stands out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import Page
from example_records import NONE, WITHHELD, example_record
from leakaudit.reports import HtmlReport
from leakaudit.reports._content import document
from leakaudit.reports._content.answers import frequency, small_but_sure
from leakaudit.reports._content.blocks import Block, Document, Figure, Items, Panels, Table, words
from leakaudit.reports._content.evidence_index import Index
from leakaudit.reports._content.standouts import standouts, works
from leakaudit.reports._content.wording import MINUS
from wide_records import BROKEN, wide_record

from leakaudit import record as m
from leakaudit.record import Record

NOWHERE = Path("/nonexistent")
NAMES = {Index(wide_record()).title(d.label) for d in wide_record().defenses}


@pytest.fixture(scope="module")
def wide() -> Document:
    return document(wide_record(), NOWHERE)


def block(content: Document, key: str) -> Block:
    return next(b for b in content.blocks() if getattr(b, "key", "") == key)


def table(content: Document, key: str) -> Table:
    found = block(content, key)
    assert isinstance(found, Table)
    return found


def cells(found: Table) -> dict[str, list[str]]:
    return {words(row[0].text): [words(c.text) for c in row[1:]] for row in found.rows}


def test_standouts_are_the_anchors_and_the_extremes_that_work() -> None:
    index = Index(wide_record())
    leaks = {NONE: 0.7, WITHHELD: 0.4, "noise 0": 0.5, "noise 1": 0.6, "noise 2": 0.9, BROKEN: 0.0}
    assert standouts(index, leaks) == {
        NONE: "", WITHHELD: "recommended, leaks least", "noise 1": "median",
        "noise 2": "leaks most",
    }  # fmt: skip
    assert works(index, WITHHELD)
    assert not works(index, BROKEN)
    assert standouts(index, {BROKEN: 0.1}) == {BROKEN: "leaks least, median, leaks most"}


def test_many_settings_are_rows_with_their_dice(wide: Document) -> None:
    found = table(wide, "answers-0")
    assert [c.title for c in found.columns] == [
        "Setting", "Pick out whose image it is, by another slice of the same scan",
        "Rebuild the image", "Dice WT",
    ]  # fmt: skip
    rows = cells(found)
    assert len(rows) <= 8
    assert any(name.startswith("no defense") for name in rows)
    assert any(name.startswith(f"{WITHHELD} (recommended") for name in rows)
    assert rows[BROKEN][-1] == "0.00: the network no longer works"
    told = words(found.caption)
    assert f"the other {20 - len(rows)} of 20 stand in section 7" in told


@pytest.mark.parametrize(("settings", "all_of_them"), [(7, True), (8, True), (9, False)])
def test_a_handful_is_shown_in_full(settings: int, all_of_them: bool) -> None:
    found = table(document(wide_record(settings), NOWHERE), "answers-0")
    assert found.columns[0].title == "Setting"
    assert (len(found.rows) == settings) is all_of_them


def test_few_settings_stay_columns() -> None:
    found = table(document(example_record(), NOWHERE), "answers-0")
    assert [c.title for c in found.columns][1:] == ["no defense", "gaussian-noise 0.5", WITHHELD]
    four = table(document(wide_record(4), NOWHERE), "answers-0")
    assert [words(row[-1].text) for row in four.rows if row[-1].verdict] != []
    assert all("Dice 0.00: the network no longer works" in words(r[-1].text) for r in four.rows)


def test_people_of_page_one_are_the_settings_that_stand_out(wide: Document) -> None:
    panels = block(wide, "page-one")
    assert isinstance(panels, Panels)
    told = words(panels.caption)
    assert "Of 20 settings these are drawn: no defense" in told
    assert f"{WITHHELD} (recommended" in told
    assert f"{WITHHELD}: " in panels.figures[0].alternative


def test_a_leak_that_no_patient_shows_is_small_but_sure() -> None:
    record = _barely_leaking()
    index = Index(record)
    verdict = next(v for v in record.verdicts if (v.defense, v.asset) == (NONE, "images"))
    found = frequency(index, verdict)
    assert found is not None
    assert found.of_100 == 0
    assert small_but_sure(verdict, found)
    page = document(record, NOWHERE)
    text = " ".join(words(b.text) for b in page.blocks() if b.kind == "paragraph")
    assert "Without a defense: a small but sure leak" in text
    assert "for 0 of 100" not in text
    row = cells(table(page, "answers-0"))["Rebuild the image"]
    assert row[0].startswith("small but sure: on average, for no single patient clearly; advantage")


def _barely_leaking() -> Record:
    """The example, where no patient's advantage on images exceeds the threshold."""
    base = example_record()
    verdicts = tuple(
        v.model_copy(update={"threshold": 2.0, "verdict": "leak shown"})
        if v.asset == "images" and v.attack is not None
        else v
        for v in base.verdicts
    )
    return base.model_copy(update={"verdicts": verdicts})


def test_the_record_is_whole() -> None:
    assert m.Record.model_validate(wide_record().model_dump()).defenses[-1].label == BROKEN


def drawings(content: Document, start: str) -> list[Figure]:
    figures = [b for b in content.blocks() if isinstance(b, Figure)]
    for b in content.blocks():
        figures += b.figures if isinstance(b, Panels) else ()
    return [figure for figure in figures if figure.key.startswith(start)]


def height(figure: Figure) -> float:
    found = re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', figure.svg)
    assert found is not None
    return float(found.group(1))


def test_no_figure_is_taller_than_a_page(wide: Document) -> None:
    parts = drawings(wide, "patients-server-images")
    told = [words(part.caption) for part in parts]
    assert [("1 of 2" in one, "2 of 2" in one) for one in told] == [(True, False), (False, True)]
    for setting in ("no defense", "noise 0", BROKEN):
        assert sum(f">{setting}<" in part.svg for part in parts) == 1
    # The width of a sheet is 174 mm, its height 263: room for the caption stays.
    assert all(height(part) / 720 * 174 < 245 for part in drawings(wide, "patients-"))
    axes = [re.findall(r'text-anchor="middle">([\d.]+)<', part.svg) for part in parts]
    assert axes[0] == axes[1]
    assert len(drawings(document(example_record(), NOWHERE), "patients-server-images")) == 1


@pytest.mark.parametrize("kind", ["matching-", "effort-", "map-"])
def test_figures_of_many_settings_name_few(wide: Document, kind: str) -> None:
    found = drawings(wide, kind)
    assert found
    for figure in found:
        labels = re.findall(r"<text [^>]*>([^<]+)</text>", figure.svg)
        shown = [label for label in labels if label in NAMES]
        assert len(shown) <= 6
        if kind != "map-":
            hidden = len(re.findall(r'class="s-muted" opacity="0.3"', figure.svg))
            assert f"{hidden} other settings" in labels
    for figure in drawings(document(example_record(), NOWHERE), kind):
        assert "other settings" not in figure.svg
        assert 'opacity="0.3"' not in figure.svg


def test_the_map_names_the_anchors_and_keeps_every_point(wide: Document) -> None:
    (figure,) = drawings(wide, "map-server-images")[:1]
    labels = re.findall(r"<text [^>]*>([^<]+)</text>", figure.svg)
    assert {"no defense", WITHHELD, BROKEN} <= set(labels)
    for name in NAMES:
        assert f"<title>{name}: leakage" in figure.svg
    panels = block(wide, "trade-off")
    assert isinstance(panels, Panels)
    assert "the others are small and grey" in words(panels.caption)


def test_what_is_the_same_for_many_is_said_once(wide: Document) -> None:
    messages = table(wide, "messages")
    assert sum("noise 3" in words(row[0].text) for row in messages.rows) == 0
    assert words(messages.note).startswith("Group A, ")
    assert words(messages.note).count("noise 3") == 1
    assert any(words(row[0].text).startswith("group A, ") for row in messages.rows)

    effects = table(wide, "effects")
    assert "the order of the two is not settled" in words(effects.caption)
    assert {words(row[-1].text) for row in effects.rows} <= {"", "intervals do not overlap"}

    lists = [b for b in wide.blocks() if isinstance(b, Items)]
    (front,) = (b for b in lists if "leakage" in words(b.entries[0]))
    assert len(front.entries) > 6
    told = [words(e).partition("leakage ")[2].partition(" ")[0] for e in front.entries]
    leakage = [float(value.replace(MINUS, "-")) for value in told]
    assert leakage == sorted(leakage)


def test_what_differs_for_few_stays_beside_them() -> None:
    content = document(example_record(), NOWHERE)
    assert table(content, "messages").note == ()
    assert "not settled" not in words(table(content, "effects").caption)


def test_tables_are_not_cut_on_screen(browser: str, tmp_path: Path) -> None:
    path = HtmlReport().render(wide_record(), tmp_path)
    with Page(browser, tmp_path / "profile") as page:
        for width, tables in ((1280, "#answers-0, .table[id^=verdicts-]"), (390, "#answers-0")):
            page.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=800,
                deviceScaleFactor=1, mobile=width < 500,
            )  # fmt: skip
            page.open(path.as_uri())
            assert page.evaluate(f"document.querySelectorAll('{tables}').length") > 0
            cut = page.evaluate(
                f"[...document.querySelectorAll('{tables}')].map(t => t.querySelector('.scroll'))"
                ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.parentElement.id)"
            )
            assert cut == []

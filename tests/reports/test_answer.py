"""The trade-off and the recommendation say what the record says, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_answer import answered_record
from example_records import NOISE, WITHHELD, example_record
from leakaudit.reports import HtmlReport, MarkdownReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Callout, Document, Paragraph, Table, words

from leakaudit.record import Uncovered

NOWHERE = Path("/nonexistent")


def table(content: Document, key: str) -> Table:
    return next(b for b in content.blocks() if isinstance(b, Table) and b.key == key)


def rows(found: Table) -> list[list[str]]:
    return [[words(cell.text) for cell in row] for row in found.rows]


def paragraphs(content: Document, number: str) -> str:
    section = next(each for each in content.sections if each.number == number)
    return "\n".join(words(b.text) for b in section.blocks if isinstance(b, Paragraph))


def test_the_front_and_who_is_beaten_come_from_the_record() -> None:
    content = document(answered_record(), NOWHERE)
    _, noise, withheld = rows(table(content, "trade-offs"))
    assert noise[4] == f"beaten by {WITHHELD}"
    assert withheld[4] == "on the front"
    assert withheld[2] == "0.37 (0.32 to 0.42)"
    assert withheld[3] == "\u22120.03 (\u22120.04 to \u22120.02)"
    assert withheld[5] == "0.65"
    told = paragraphs(content, "8")
    assert "no other surely beats" in told
    assert WITHHELD in told
    assert f"{NOISE} (leakage" not in told


def test_the_least_defense_and_its_price() -> None:
    told = paragraphs(document(answered_record(), NOWHERE), "10")
    assert f"The least defense that meets every target: {WITHHELD}; Dice WT \u22120.03" in told
    assert "picked of 3 settings; each 95 % bound is that of one setting" in told
    stands = rows(table(document(answered_record(), NOWHERE), "standings"))
    assert [row[2] for row in stands] == ["exceeded", "exceeded", "met"]
    assert [row[3] for row in stands] == ["0.83", "0.62", "0.40"]


def test_where_nothing_meets_it_says_what_came_nearest() -> None:
    told = paragraphs(document(answered_record(met=False), NOWHERE), "10")
    assert "No setting meets every target." in told
    assert f"Nearest came {WITHHELD}: its bound exceeds a target by 0.28" in told


def test_a_leak_that_no_target_covers_stands_beside_the_recommendation(tmp_path: Path) -> None:
    record = answered_record()
    assert record.answer is not None
    leak = Uncovered(adversary="curious server", asset="identity", victim="T1")
    record = record.model_copy(
        update={"answer": record.answer.model_copy(update={"least": NOISE, "uncovered": (leak,)})}
    )
    content = document(record, NOWHERE)
    told = next(
        words(b.text) for b in content.blocks()
        if isinstance(b, Callout) and b.title == "Not covered by any target"
    )  # fmt: skip
    assert f"Under {NOISE} a leak is shown that no target speaks of: The server, identity" in told
    assert "60 of 100 patients picked out" in told
    for rendered in (HtmlReport(), MarkdownReport()):
        page = rendered.render(record, tmp_path).read_text(encoding="utf-8")
        assert "Not covered by any target" in page


def test_a_useless_setting_is_neither_ranked_nor_on_the_front() -> None:
    """A network that segments nothing leaks nothing: it may not lead the ranking."""
    record = answered_record()
    assert record.answer is not None
    answer = record.answer.model_copy(
        update={"least": None, "useless": (WITHHELD,), "least_dice": 0.2}
    )
    before = document(record, NOWHERE)
    assert WITHHELD in {row[2] for row in rows(table(before, "effects"))}
    content = document(record.model_copy(update={"answer": answer}), NOWHERE)
    assert {row[2] for row in rows(table(content, "effects"))} == {NOISE}
    assert rows(table(content, "trade-offs"))[2][4] == "Dice below the floor"
    told = paragraphs(content, "8")
    assert f"{WITHHELD} (leakage" not in told
    assert "Left out for a Dice surely below the floor: 1." in told
    ranked = paragraphs(content, "10")
    assert f"Dice is surely below the floor of 0.20: {WITHHELD}." in ranked


@pytest.mark.parametrize("met", [True, False])
def test_rules_of_a_policy_are_named(met: bool) -> None:
    content = document(answered_record(met=met, rule="images, worst"), NOWHERE)
    told = paragraphs(content, "10")
    assert "policy Leakage policy of the network (SHA-256 0123456789ab)" in told
    items = "\n".join(str(b) for b in content.blocks())
    assert "Set by minutes of 3 September" in items
    stands = rows(table(content, "standings"))
    assert {row[1] for row in stands} == {f"images, worst, at most {0.52 if met else 0.12}"}


def test_cost_stands_beside_dice() -> None:
    found = table(document(answered_record(), NOWHERE), "utility")
    titles = [column.title for column in found.columns]
    row = dict(zip(titles, rows(found)[0], strict=True))
    assert (row["Sent"], row["Step"], row["Memory"]) != ("", "", "")
    assert row["Step"] == "120 ms"
    assert row["Memory"] == "900.0 MB"


@pytest.mark.parametrize("rule", [None, "images"])
@pytest.mark.parametrize("met", [True, False])
def test_every_format_says_it(tmp_path: Path, met: bool, rule: str | None) -> None:
    record = answered_record(met=met, rule=rule)
    page = HtmlReport().render(record, tmp_path).read_text(encoding="utf-8")
    assert "4,242 cells" in page
    assert 'stroke-dasharray="5 3"' in page
    assert MarkdownReport().render(record, tmp_path).is_file()


def test_a_record_without_an_answer_still_has_its_front() -> None:
    content = document(example_record(), NOWHERE)
    assert "Settings that no other beats in both" in paragraphs(content, "8")
    assert "names no least defense" in paragraphs(content, "10")

"""What a cheating server does to the training is said in every format, and only if one cheats."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_records import NONE, WITHHELD, example_record
from leakaudit.reports import HtmlReport, MarkdownReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Document, Panels, Paragraph, Table, words

from leakaudit import record as m
from leakaudit.record import Record, sealed

NOWHERE = Path("/nonexistent")


def around(mean: float) -> m.Estimate:
    return m.Estimate(
        mean=mean, lower=mean - 0.05, upper=mean + 0.05, patients=6, samples=18, seeds=2,
        method="invented",
    )  # fmt: skip


@pytest.fixture
def cheated() -> Record:
    record = example_record()
    who = record.adversaries[0].name
    entries = tuple(
        m.Interference(
            setting=setting, adversary=who, attack="feature-hijacking", region="WT",
            dice=dice, dice_change=None if dice is None else around(-0.4123),
            losses=losses, honest_losses=(1.2, 0.7, 0.3141),
        )
        for setting, dice, losses in (
            (NONE, around(0.3871), (1.2, 1.1, 0.9271)),
            (WITHHELD, None, ()),
        )
    )  # fmt: skip
    return sealed(record.model_copy(update={"interferences": entries}))


def rows(content: Document) -> list[list[str]]:
    found = next(b for b in content.blocks() if isinstance(b, Table) and b.key == "interference")
    return [[words(cell.text) for cell in row] for row in found.rows]


def test_dice_and_losses_stand_beside_the_honest_ones(cheated: Record) -> None:
    bare, withheld = rows(document(cheated, NOWHERE))
    assert bare[3:] == [
        "0.39 (0.34 to 0.44)", "\u22120.41 (\u22120.46 to \u22120.36)", "0.927", "0.314",
    ]  # fmt: skip
    assert withheld[3:] == ["not measured", "not known", "not measured", "0.314"]


def test_the_loss_is_drawn_where_both_are_known(cheated: Record) -> None:
    drawn = [b for b in document(cheated, NOWHERE).blocks()
             if isinstance(b, Panels) and b.key == "interference-losses"]  # fmt: skip
    (figure,) = drawn[0].figures
    assert "honest server: 1.200 in the first epoch, 0.314 in the last" in figure.alternative
    assert "epoch, log scale" in figure.svg


def test_page_one_says_what_cheating_costs_in_every_format(cheated: Record, tmp_path: Path) -> None:
    told = "a Dice of 0.39 (\u22120.41 against an honest server)"
    first = document(cheated, NOWHERE).sections[1]
    assert told in "".join(
        words(b.text) for card in first.blocks for b in getattr(card, "blocks", ())
        if isinstance(b, Paragraph)
    )  # fmt: skip
    for report in (HtmlReport(), MarkdownReport()):
        assert "0.39" in report.render(cheated, tmp_path).read_text(encoding="utf-8")


def test_nothing_is_said_where_nobody_cheats(record: Record) -> None:
    content = document(record, NOWHERE)
    assert not [b for b in content.blocks() if getattr(b, "key", "") == "interference"]
    assert "cheating costs" not in repr(content)


def test_a_partys_blind_guess_is_said_in_words(record: Record) -> None:
    place, party = next((n, a) for n, a in enumerate(record.adversaries) if a.position == "party")
    told = repr(document(record, NOWHERE))
    assert "add to its own modality" in told
    assert f"holds {party.members[0]} of the same patients itself" in told
    ignorant = party.model_copy(update={"knowledge": ("gradients",)})
    changed = (*record.adversaries[:place], ignorant, *record.adversaries[place + 1 :])
    without = document(record.model_copy(update={"adversaries": changed}), NOWHERE)
    assert "add to its own modality" not in repr(without)

"""The report says from which recorded epochs the attacks read."""

from pathlib import Path

from example_records import NONE, example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Paragraph, words

from leakaudit.record import Record, sealed


def told(record: Record) -> list[str]:
    found = (b for b in document(record, Path("nowhere")).blocks() if isinstance(b, Paragraph))
    return [text for text in (words(each.text) for each in found) if "were recorded" in text]


def test_the_epochs_are_named_by_setting() -> None:
    record = example_record()
    split = record.split.model_copy(update={"recorded_epochs": (1, 2, 9)})
    findings = tuple(
        each.model_copy(update={"epochs": (1, 9) if each.defense == NONE else (9,)})
        for each in record.findings
    )
    (first, *_) = told(sealed(record.model_copy(update={"split": split, "findings": findings})))
    assert first.startswith("Epochs 1, 2 and 9 were recorded, counted from 0.")
    assert f"{NONE}: 1 and 9; " in first


def test_nothing_is_said_where_no_attack_says_it() -> None:
    assert told(example_record()) == []

"""Guarantees put to the test, as reports print them."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_records import example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Callout, Table, words
from leakaudit.reports.markdown import summary

from leakaudit.record import Bound, ClaimCheck, Record

CHECK = ClaimCheck(
    mechanism="Gaussian mechanism", method="messages at opposite ends", claimed_epsilon=8.0,
    delta=1e-5, shown_epsilon=7.6, largest_epsilon=23.5, draws=20_000, releases=600,
    refuted=False, reason="no less noise was found than epsilon 8 needs",
)  # fmt: skip
FALSE = {
    "refuted": True, "shown_epsilon": 9.25, "reason": "less noise than epsilon 8 needs at north",
}  # fmt: skip


@pytest.fixture(scope="module")
def record() -> Record:
    return example_record()


def _with(record: Record, **changes: object) -> Record:
    label = record.defenses[-1].label
    check = CHECK.model_copy(update={"setting": label, **changes})
    return record.model_copy(update={"claim_checks": (check,)})


def _row(record: Record) -> list[str]:
    content = document(record, Path("/nonexistent"))
    (table,) = [b for b in content.blocks() if isinstance(b, Table) and b.key == "claims"]
    return [words(cell.text) for cell in table.rows[0]]


def test_a_claim_that_stands_is_told_with_what_could_have_been_shown(record: Record) -> None:
    row = _row(_with(record))
    assert row[2] == "at least 7.60 (97.5 % sure)"
    assert row[3] == "23.50"
    assert "20,000 draws, 600 releases" in row[4]
    assert row[5].startswith("stands: ")
    assert "guarantee is false" not in summary(document(_with(record), Path("/nonexistent")))


def test_a_refuted_claim_is_loud_on_page_one(record: Record) -> None:
    content = document(_with(record, **FALSE), Path("/nonexistent"))
    page = next(section for section in content.sections if section.number == "1")
    boxes = [block for block in page.blocks if isinstance(block, Callout)]
    assert boxes[0].title.startswith("A guarantee is false: ")
    assert "shows at least 9.25" in words(boxes[0].text)
    assert _row(_with(record, **FALSE))[5].startswith("refuted: less noise")
    assert "A guarantee is false" in summary(content)


def test_an_untested_claim_shows_no_number(record: Record) -> None:
    untested = {"shown_epsilon": None, "largest_epsilon": None, "draws": 0, "reason": "unknown"}
    row = _row(_with(record, **untested))
    assert row[2:4] == ["nothing", "nothing"]
    assert row[5] == "not tested: unknown"


def test_without_claims_there_is_no_table(record: Record) -> None:
    content = document(record, Path("/nonexistent"))
    assert not [b for b in content.blocks() if isinstance(b, Table) and b.key == "claims"]


def _bounded(record: Record, contradicted: bool) -> Record:
    bound = Bound(
        setting=record.defenses[-1].label, kind="identity", adversary="curious-server",
        victim="T1", at_most=0.126, measured=0.4, at_least=0.3, contradicted=contradicted,
        reason="re-identification: share of patients picked out",
    )  # fmt: skip
    return record.model_copy(update={"bounds": (bound,)})


@pytest.mark.parametrize("contradicted", [True, False])
def test_what_claims_allow_stands_beside_what_was_measured(
    record: Record, contradicted: bool
) -> None:
    content = document(_bounded(record, contradicted), Path("/nonexistent"))
    (table,) = [b for b in content.blocks() if isinstance(b, Table) and b.key == "bounds"]
    row = [words(cell.text) for cell in table.rows[0]]
    assert row[1].startswith("identity, T1 by curious-server: ")
    assert row[2] == "0.13"
    assert row[3] == "0.40 (surely 0.30 or more)"
    assert row[4] == ("no" if contradicted else "yes")
    assert ("A guarantee is contradicted" in summary(content)) is contradicted

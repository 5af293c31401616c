"""What people state or decide: printed as theirs, blank or `not stated` where they said nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_records import NONE, example_record
from leakaudit.reports import HtmlReport, PdfReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import (
    Blanks,
    Callout,
    Document,
    Section,
    Table,
    Terms,
    words,
)
from leakaudit.reports._content.governance import NOT_STATED
from leakaudit.reports._content.release import BUCKETS
from leakaudit.reports._content.risk import BOX, SEVERITY

from leakaudit import record as m

NOWHERE = Path("/nonexistent")
SERVER = "curious server"


def section(content: Document, number: str) -> Section:
    return next(s for s in content.sections if s.number == number)


def statements(record: m.Record) -> dict[str, str]:
    terms = [b for b in section(document(record, NOWHERE), "3").blocks if isinstance(b, Terms)]
    return {name: words(text) for name, text in terms[-1].entries}


def test_what_nobody_stated_is_said_to_be_not_stated(record: m.Record) -> None:
    said = statements(record)
    assert len(said) == len(m.Governance.model_fields)
    assert set(said.values()) == {NOT_STATED}


def test_what_was_stated_is_printed_as_it_was_written() -> None:
    given = {
        "controllers": ("Hospital A", "Hospital B"), "processors": ("Cloud C",),
        "purpose": "grading",
        "legal_basis": "articles 6(1)(e), 9(2)(j)", "retention": "deleted after each epoch",
        "transport_security": "TLS 1.3, mutual", "site_filters": "none: raw messages",
    }  # fmt: skip
    assert set(given) == set(m.Governance.model_fields)
    stated = example_record(changes={"governance": m.Governance.model_validate(given)})
    said = statements(stated)
    assert said["Controllers"] == "Hospital A and Hospital B"
    assert {*said.values()} >= {each for each in given.values() if isinstance(each, str)}
    assert NOT_STATED not in said.values()


def test_severity_is_ticked_by_people(record: m.Record) -> None:
    """Four named levels for every asset that was asked about, and no tick among them."""
    blocks = section(document(record, NOWHERE), "9").blocks
    found = next(b for b in blocks if isinstance(b, Table) and b.key == "severity")
    assert [column.title for column in found.columns[1:]] == [name for name, _ in SEVERITY]
    assert len(SEVERITY) == 4
    assert {words(row[0].text) for row in found.rows} == {"identity", "images", "lesion masks"}
    assert {words(cell.text) for row in found.rows for cell in row[1:]} == {BOX}


def released(*, decides: bool) -> m.Record:
    """The example, whose server also asked the network who was in its training."""
    base = example_record()
    estimate = m.Estimate(
        mean=0.61, lower=0.52, upper=0.7, patients=10, samples=10, seeds=2, method="rate"
    )
    values = tuple(tuple(np.full(10, 0.61).tolist()) for _ in base.seeds)
    who = {"defense": NONE, "adversary": SERVER, "victim": "T1", "asset": "membership"}
    finding = m.Finding(
        **who, attack="asking", cuts=("level 0",), metric="auc", region="whole", direction="higher",
        ceiling=1.0, chance=0.5, estimate=estimate, values=values, blind_values=values,
    )  # type: ignore[arg-type]  # fmt: skip
    verdict = m.Verdict(
        **who, attack="asking" if decides else "another", cuts=("level 0",), metric="auc",
        region="whole", verdict="inconclusive", threshold=0.05, reason="for tests",
    )  # type: ignore[arg-type]  # fmt: skip
    attack = base.attacks[0].model_copy(
        update={"label": "asking", "goal": "membership", "needs": ("queries", "server-weights")}
    )
    return base.model_copy(
        update={
            "attacks": (*base.attacks, attack),
            "findings": (*base.findings, finding),
            "verdicts": (*base.verdicts, verdict),
        }
    )


def test_a_network_nobody_asked_is_not_tested(record: m.Record) -> None:
    content = document(record, NOWHERE)
    appendix = section(content, "A")
    (told,) = [b for b in appendix.blocks if isinstance(b, Callout)]
    assert told.title == "Not tested"
    assert "Nothing in this report speaks for letting it leave" in words(told.text)
    assert not [b for b in appendix.blocks if isinstance(b, Table)]
    (choice,) = [b for b in appendix.blocks if isinstance(b, Blanks)]
    assert choice.choices == BUCKETS
    assert any(words(row[0].text) == "The finished network" for row in out_of_scope(content))


@pytest.mark.parametrize("decides", [True, False])
def test_a_network_that_was_asked_shows_what_came_out(decides: bool) -> None:
    content = document(released(decides=decides), NOWHERE)
    (table,) = [b for b in section(content, "A").blocks if isinstance(b, Table)]
    ((setting, actor, value, verdict),) = table.rows
    assert [words(c.text) for c in (setting, actor)] == ["no defense", "The server"]
    assert "0.61 (0.52 to 0.70)" in words(value.text)
    assert verdict.verdict == ("inconclusive" if decides else None)
    assert not any(words(row[0].text) == "The finished network" for row in out_of_scope(content))


def out_of_scope(content: Document) -> tuple[tuple[object, ...], ...]:
    return next(
        b.rows for b in content.blocks() if isinstance(b, Table) and b.key == "out-of-scope"
    )


def test_screen_and_paper_ask_the_same_of_people(tmp_path: Path) -> None:
    record = released(decides=True)
    page = HtmlReport().render(record, tmp_path).read_text(encoding="utf-8")
    assert page.count(BOX) == 4 * 4
    assert "Release of the network" in page
    assert PdfReport().render(record, tmp_path).is_file()


def test_the_crosswalk_names_what_officers_ask_for(record: m.Record) -> None:
    content = document(record, NOWHERE)
    template, others = (b for b in section(content, "B").blocks if isinstance(b, Table))
    named = " ".join(words(row[0].text) for row in others.rows)
    for framework in (
        "Opinion 28/2024", "article 66", "TEHDAS2 D7.2", "SATRE 2.0.1", "CAF-aligned DSPT",
        "SACRO", "WP216", "27559", "HIPAA", "AI 100-2", "800-226",
    ):  # fmt: skip
        assert framework in named
    sections = {s.number for s in content.sections}
    for row in template.rows:
        assert set(words(row[2].text).split(", ")) <= sections
    assert "0.1, 0.2" in words(template.rows[0][0].text)

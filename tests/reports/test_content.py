"""What the report says: the record's numbers, in words that do not judge."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from example_records import NOISE, NONE, WITHHELD, example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Block, Cell, Document, Gallery, Span, Table, words
from leakaudit.reports._content.evidence_index import Index
from leakaudit.reports._content.frequencies import beaten_blind, picked_out
from leakaudit.reports._content.paired import difference, leakage_difference
from leakaudit.reports._content.picture_files import load_pictures
from leakaudit.reports._content.recommendations import effects
from leakaudit.reports._content.wording import cut, number, signed, size, visible
from scipy import stats

from leakaudit import record as m
from leakaudit.record import Failure, Record
from leakaudit.record.advantage import advantages
from leakaudit.record.estimates import as_array

NOWHERE = Path("/nonexistent")


def table(content: Document, key: str) -> Table:
    return next(b for b in content.blocks() if isinstance(b, Table) and b.key == key)


def told(content: Document) -> str:
    """Everything the report says, in one string."""
    found: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Cell):
            found.append(words(value.text))
            found.append(value.verdict or "")
        elif isinstance(value, tuple) and value and isinstance(value[0], Span):
            found.append(words(value))
        elif isinstance(value, tuple):
            for entry in value:
                collect(entry)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                collect(getattr(value, name))

    collect(content.sections)
    return "\n".join(found)


def test_every_section_is_there(record: Record, run_folder: Path) -> None:
    sections = [s.number for s in document(record, run_folder).sections]
    assert sections == [*map(str, range(13)), "A", "B", "C"]
    compared = document(record, run_folder, before=record)
    assert [s.number for s in compared.sections][13] == "13"


def test_no_judgement_is_printed(record: Record, run_folder: Path) -> None:
    text = told(document(record, run_folder, before=example_record(8))).lower()
    for word in ("anonymous", "compliant", "safe"):
        assert not re.search(rf"\b{word}\b", text), word
    assert "not broken by these attacks" in text


def test_all_estimates_equal_the_record(record: Record) -> None:
    rows = table(document(record, NOWHERE), "all-findings").rows
    assert len(rows) == len(record.findings)
    for row, finding in zip(rows, record.findings, strict=True):
        assert row[6].order == finding.estimate.mean
        assert finding.blind is not None
        assert row[8].order == finding.blind.mean
        if finding.advantage is not None:
            assert words(row[9].text) == number(finding.advantage.mean)


def test_every_question_gets_its_own_answer(record: Record) -> None:
    """One answer per actor and asset, never one number for all."""
    index = Index(record)
    assert [(q.adversary.position, q.asset) for q in index.questions] == [
        ("server", "identity"),
        ("server", "images"),
        ("party", "masks"),
        ("party", "images"),
    ]
    page = told(Document("", "", "", "", "", (document(record, NOWHERE).sections[1],)))
    assert "The server" in page
    assert "Party T1" in page
    worst = index.worst(index.questions[0], NONE)
    assert worst is not None
    finding = index.finding(worst)
    assert finding is not None
    expected = round(100 * finding.estimate.mean)
    assert re.search(rf"of 100 patients, the server could pick out {expected} ", page)
    assert "sends, by another slice of the same scan; guessing gives" in page


def test_whose_image_it_is_names_the_question_and_what_the_truth_would_give(
    record: Record,
) -> None:
    ceiling = m.Estimate(
        mean=0.97, lower=0.912, upper=1.0, patients=30, samples=60, seeds=1, method="t"
    )
    findings = tuple(
        f.model_copy(update={"question": "another study", "ceiling_estimate": ceiling})
        if f.asset == "identity"
        else f
        for f in record.findings
    )
    adversaries = tuple(
        a.model_copy(update={"question": "another study"}) for a in record.adversaries
    )
    changed = record.model_copy(update={"findings": findings, "adversaries": adversaries})
    drawn = document(changed, NOWHERE)
    page = told(Document("", "", "", "", "", (drawn.sections[1],)))
    assert "by an earlier or later scan; guessing gives" in page
    assert "the true images themselves would give 97 (91 to 100)." in page
    assert "Pick out whose image it is, by an earlier or later scan" in page
    evidence = told(drawn)
    assert "From the true images the same picker names 97 (91 to 100) of 100 first" in evidence
    assert "same scan" not in page


def test_verdicts_are_read_from_their_finding(record: Record) -> None:
    index = Index(record)
    for verdict in record.verdicts:
        finding = index.finding(verdict)
        if verdict.attack is None:
            assert finding is None
            continue
        assert finding is not None
        assert finding.advantage == verdict.advantage
        assert (finding.cuts, finding.region) == (verdict.cuts, verdict.region)


def test_natural_frequencies(record: Record) -> None:
    identity = next(f for f in record.findings if f.asset == "identity")
    found = picked_out(identity)
    assert found is not None
    assert found.of_100 == round(100 * identity.estimate.mean)
    assert found.guessing_of_100 == 10  # one of ten candidates
    images = next(f for f in record.findings if f.asset == "images")
    beaten = beaten_blind(images, 0.05)
    assert beaten is not None
    # A count of those attacked: seeds move all of them, and no interval of so many shows that.
    assert (beaten.of_100, beaten.low_of_100, beaten.high_of_100) == (100, None, None)
    assert (found.two_sided, found.low_of_100 is not None) == (
        identity.estimate.lower is not None,
        True,
    )


@pytest.mark.parametrize("asset", ["identity", "images", "masks"])
def test_patient_advantages_average_to_the_recorded_one(record: Record, asset: str) -> None:
    for finding in record.findings:
        table = advantages(finding)
        if finding.asset == asset and finding.advantage is not None:
            assert table is not None
            assert np.nanmean(table) == pytest.approx(finding.advantage.mean, abs=1e-5)


def test_paired_difference_is_students_t_where_seeds_agree() -> None:
    rng = np.random.default_rng(3)
    with_it, without = rng.normal(0.5, 0.1, (1, 40)), rng.normal(0.7, 0.1, (1, 40))
    alone = difference(with_it, without)
    assert alone is not None
    assert alone.lower is None  # one seed does not show how much trainings differ
    found = difference(np.tile(with_it, (3, 1)), np.tile(without, (3, 1)))
    assert found is not None
    known = stats.ttest_rel(with_it[0], without[0]).confidence_interval()
    assert found.mean == pytest.approx((with_it - without).mean())
    # The statistics correct for skewness, so the ends agree only nearly.
    assert found.lower == pytest.approx(known.low, abs=0.01)
    assert found.upper == pytest.approx(known.high, abs=0.01)


def test_a_missing_patient_is_left_out_not_zero() -> None:
    without = np.array([[0.5, 0.6, 0.7, 0.9]])
    with_it = np.array([[0.4, 0.4, 0.4, np.nan]])
    found = difference(with_it, without)
    assert found is not None
    assert found.mean == pytest.approx(-0.2)
    assert found.patients == 3
    assert difference(np.full((1, 2), np.nan), np.ones((1, 2))) is None


def test_recommendations_are_ranked_by_measured_effect(record: Record) -> None:
    index = Index(record)
    images = index.questions[1]
    found = effects(index, images)
    assert [effect.setting for effect in found] == [WITHHELD, NOISE]
    bare = index.finding(next(v for v in index.verdicts(images, NONE) if v.victim == "FLAIR"))
    covered = index.finding(
        next(v for v in index.verdicts(images, WITHHELD) if v.victim == "FLAIR")
    )
    assert bare is not None
    assert covered is not None
    assert leakage_difference(covered, bare) == found[0].leakage
    assert found[0].leakage.mean < found[1].leakage.mean < 0
    masks = effects(index, index.questions[2])
    assert [effect.setting for effect in masks] == [NOISE, WITHHELD]


def test_overlapping_ranks_are_called_unsettled(record: Record) -> None:
    text = told(document(example_record(40, seeds=3), NOWHERE))
    assert "intervals overlap: the order is not settled" in text
    assert "intervals do not overlap" in text
    assert "intervals do not overlap" not in told(document(record, NOWHERE))  # it has none


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "few patients"),
        ({"controls": ()}, "no control was run"),
    ],
)
def test_the_gravest_caveat_leads(changes: dict[str, tuple[()]], first: str) -> None:
    page = document(example_record(changes=changes), NOWHERE).sections[1]
    assert f"The biggest caveat: {first}" in told(Document("", "", "", "", "", (page,)))


def test_what_did_not_finish_is_a_caveat_of_page_one(record: Record) -> None:
    lost = Failure(stage="attack", where="x on none, seed 0", kind="error", reason="out of memory")
    changed = record.model_copy(update={"failures": (lost,)})
    page = document(changed, NOWHERE).sections[1]
    text = told(Document("", "", "", "", "", (page,)))
    assert "The biggest caveat: parts of the audit did not finish" in text
    assert "the attack of x on none, seed 0 (out of memory)" in text


@pytest.mark.parametrize(
    ("needs", "said"), [(("activations", "queries"), True), (("queries", "server-weights"), False)]
)
def test_membership_read_off_messages_is_not_called_memory(
    record: Record, needs: tuple[str, ...], said: bool
) -> None:
    who = record.attacks[0].model_copy(update={"goal": "membership", "needs": needs})
    text = told(document(record.model_copy(update={"attacks": (who,)}), NOWHERE))
    assert ("nothing of what the trained network remembers" in text) == said


def test_a_control_that_finds_artefacts_leads(record: Record) -> None:
    failed = tuple(c.model_copy(update={"passed": False}) for c in record.controls)
    text = told(document(record.model_copy(update={"controls": failed}), NOWHERE))
    assert "The biggest caveat: an attack finds what is not there" in text
    assert "NOT as expected" in text


def galleries(blocks: list[Block]) -> list[Gallery]:
    return [block for block in blocks if isinstance(block, Gallery)]


def test_pictures_only_where_shareable(record: Record, run_folder: Path) -> None:
    assert len(galleries(list(document(record, run_folder).blocks()))) == 2
    cohort = record.cohort.model_copy(update={"shareable": False})
    private = record.model_copy(update={"cohort": cohort})
    content = document(private, run_folder)
    assert not galleries(list(content.blocks()))
    assert load_pictures(private, run_folder) == {}
    assert "not marked as shareable" in told(content)


@pytest.mark.parametrize("harm", ["edited", "absent", "outside"])
def test_a_picture_that_differs_is_left_out(harm: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    record = example_record(pictures_in=run)
    victim = record.pictures[0]
    file = run / victim.file
    if harm == "edited":
        file.write_bytes(file.read_bytes() + b"x")
    elif harm == "absent":
        file.unlink()
    else:
        file.rename(tmp_path / "outside.png")
        moved = victim.model_copy(update={"file": "../outside.png"})
        record = record.model_copy(update={"pictures": (moved, *record.pictures[1:])})
    assert "1 of 28 pictures" in told(document(record, run))


def test_missing_values_are_counted(record: Record) -> None:
    first = record.findings[0]
    holed = first.model_copy(update={"values": ((None, *first.values[0][1:]), *first.values[1:])})
    changed = record.model_copy(update={"findings": (holed, *record.findings[1:])})
    assert "1 per-patient values are missing" in told(document(changed, NOWHERE))
    assert np.isnan(as_array(holed.values)[0, 0])


def test_numbers_in_words() -> None:
    assert number(-0.004) == "0.00"
    assert number(-0.5) == "\u22120.50"
    assert signed(0.25) == "+0.25"
    assert [size(n) for n in (0, 999, 1000, 2.5e9)] == ["0 B", "999 B", "1.0 kB", "2.5 GB"]


def test_invisible_text_becomes_visible() -> None:
    assert visible("a\u202eb\x00c\ud800\n") == "a[U+202E]b[U+0000]c[U+D800] "
    long = [cut(f"{'x' * 10_000}{tail}", 60) for tail in "ab"]
    assert all(len(text) <= 60 for text in long)
    assert long[0] != long[1]


def test_an_estimate_without_interval_says_so() -> None:
    lonely = example_record(patients=1, seeds=1)
    text = told(document(lonely, NOWHERE))
    assert "no interval: one patient" in text
    assert all(v.verdict != "none shown" for v in lonely.verdicts)
    assert m.SERVER in text

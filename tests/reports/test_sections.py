"""What single sections owe their readers, beyond the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_records import NONE, WITHHELD, example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Document, Figure, Form, Panels, Table, Terms, words
from leakaudit.reports._content.nist import RULE, access
from leakaudit.reports._content.reading import range_text

from leakaudit import record as m
from leakaudit.record import Record

NOWHERE = Path("/nonexistent")


def table(content: Document, key: str) -> list[list[str]]:
    found = next(b for b in content.blocks() if isinstance(b, Table) and b.key == key)
    return [[words(cell.text) for cell in row] for row in found.rows]


def test_the_date_is_told_apart_from_what_the_hash_covers(record: Record) -> None:
    identity = document(record, NOWHERE).sections[0]
    (terms,) = [block for block in identity.blocks if isinstance(block, Terms)]
    said = {name: words(text) for name, text in terms.entries}
    assert said["Date"] == f"{record.volatile.created} (no hash covers it)"


def test_the_decision_is_left_to_people(record: Record) -> None:
    """Conditions have an owner and a date; nothing is filled in."""
    section = document(record, NOWHERE).sections[2]
    forms = [block for block in section.blocks if isinstance(block, Form)]
    assert [form.title for form in forms] == ["Conditions", "Signatures"]
    assert [c.title for c in forms[0].columns] == ["Condition", "Owner", "Due"]


def test_settings_that_send_the_same_share_rows(record: Record) -> None:
    rows = table(document(record, NOWHERE), "messages")
    assert [row[:2] for row in rows] == [
        *(["no defense and gaussian-noise 0.5", f"level {level}"] for level in (0, 1, 2)),
        *([WITHHELD, f"level {level}"] for level in (1, 2)),
    ]
    assert rows[0][3:] == ["16\u00d764\u00d764 float32", "1.0 MB", "1.0 MB"]
    assert rows[0][2] == "T1, T1Gd, T2 and FLAIR"


def test_parties_that_send_other_amounts_have_rows_of_their_own(record: Record) -> None:
    costs = list(record.costs)
    routes = list(costs[0].routes)
    routes[0] = routes[0].model_copy(update={"bytes_per_patient": 1.0})
    costs[0] = costs[0].model_copy(update={"routes": tuple(routes)})
    rows = table(document(record.model_copy(update={"costs": tuple(costs)}), NOWHERE), "messages")
    first = [row for row in rows if row[:2] == ["no defense", "level 0"]]
    assert [row[2] for row in first] == ["T1", "T1Gd, T2 and FLAIR"]


def test_what_is_out_of_scope_has_a_reason(record: Record) -> None:
    rows = dict(table(document(record, NOWHERE), "out-of-scope"))
    assert "Someone on the wire" in rows
    assert "The server" not in rows
    assert "Actors who break the protocol" in rows
    assert all(why.endswith(".") and len(why) > 30 for why in rows.values())
    cheats = record.adversaries[0].model_copy(update={"behaviour": "active", "position": "wire"})
    both = record.model_copy(update={"adversaries": (cheats, *record.adversaries[1:])})
    rows = dict(table(document(both, NOWHERE), "out-of-scope"))
    assert "Someone on the wire" not in rows
    assert "The server" in rows
    assert "Actors who break the protocol" not in rows


@pytest.mark.parametrize(
    ("knowledge", "box"),
    [
        (("activations", "queries"), "black-box"),
        (("activations", "architecture"), "grey-box"),
        (("server-weights", "gradients"), "grey-box"),
        (("encoder-weights", "architecture"), "white-box"),
        (("weight-updates",), "white-box"),
    ],
)
def test_knowledge_is_boxed_by_the_printed_rule(
    record: Record, knowledge: tuple[str, ...], box: str
) -> None:
    adversary = record.adversaries[0].model_copy(update={"knowledge": knowledge})
    assert access(adversary) == box
    assert box.capitalize() in RULE


def test_assets_say_who_holds_and_who_attacked_them(record: Record) -> None:
    rows = {row[0]: row[1:] for row in table(document(record, NOWHERE), "assets")}
    assert set(rows) == {"Identity", "Images", "Lesion masks"}
    assert rows["Lesion masks"][1:] == ["the server", "Party T1"]
    assert rows["Images"][2] == "The server"  # the party was not able to mount an attack


def test_an_asset_attacked_in_vain_was_attacked(record: Record) -> None:
    """Re-identification, where the picker cannot tell even the true images apart."""
    verdicts = tuple(
        v.model_copy(update={"attack": None}) if v.asset == "identity" else v
        for v in record.verdicts
    )
    unable = record.model_copy(update={"verdicts": verdicts})
    rows = {row[0]: row[1:] for row in table(document(unable, NOWHERE), "assets")}
    assert rows["Identity"][2] == "The server, without a usable answer"


def test_the_match_curve_stands_over_chance(record: Record) -> None:
    content = document(record, NOWHERE)
    (figure,) = (
        b for b in content.blocks() if isinstance(b, Figure) and b.key.startswith("matching")
    )
    best = max(
        (f for f in record.findings if f.asset == "identity" and f.defense == NONE),
        key=lambda f: f.estimate.mean,
    )
    first, last = 100 * best.match_curve[0], 100 * best.match_curve[-1]
    assert f"{first:.0f} of 100 in 1" in figure.alternative
    assert f"{last:.0f} of 100 in 10" in figure.alternative
    assert "Guessing: 10 of 100" in figure.alternative
    assert "guessing" in figure.svg
    bare = tuple(f.model_copy(update={"match_curve": ()}) for f in record.findings)
    without = document(record.model_copy(update={"findings": bare}), NOWHERE)
    assert not any(getattr(b, "key", "").startswith("matching") for b in without.blocks())


def test_effort_is_drawn_by_steps_and_by_auxiliary_patients(record: Record) -> None:
    people = tuple(
        m.CurvePoint(effort=count, estimate=finding.estimate)
        for count, finding in zip((4, 9), record.findings, strict=False)
    )
    learnt = tuple(
        f.model_copy(update={"curve_auxiliary": people}) if f.asset == "identity" else f
        for f in record.findings
    )
    content = document(record.model_copy(update={"findings": learnt}), NOWHERE)
    panels = [b for b in content.blocks() if isinstance(b, Panels)]
    (by_patients,) = (b for b in panels if b.key.startswith("patients-learnt"))
    assert any(b.key.startswith("effort") for b in panels)
    for figure in by_patients.figures:
        assert "auxiliary patients, log scale" in figure.svg
        assert "after 4 patients" in figure.alternative
        assert "after 9 patients" in figure.svg
    without = document(record, NOWHERE)
    assert not any(getattr(b, "key", "").startswith("patients-learnt") for b in without.blocks())


def test_every_metric_says_how_to_read_it(record: Record) -> None:
    text = "\n".join(
        words(entry)
        for block in document(record, NOWHERE).sections[7].blocks
        for inner in getattr(block, "blocks", ())
        for entry in getattr(inner, "entries", ())
    )
    assert "SSIM: higher is worse; \u22121 to 1; guessing is measured as blind" in text
    assert "What to do: withhold the level that leaks most" in text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (0, 1, "1", "0 to 1"),
        (0, None, "dB", "0 or more, dB"),
        (None, 0, "", "0 or less"),
        (None, None, "bits", "any number, bits"),
    ],
)
def test_ranges_in_words(low: float | None, high: float | None, unit: str, text: str) -> None:
    metric = m.MetricSummary(
        name="x", label="x", unit=unit, lowest=low, highest=high, direction="higher"
    )
    assert range_text(metric) == text


def test_a_pivot_of_proxies_keeps_every_value() -> None:
    proxies = tuple(
        m.Dependence(
            defense=NONE, party=party, cut=f"level {level}", metric=metric, unit=unit,
            value=value + seed / 10, saturation=1.0, pairs=20, seed=seed,
        )
        for party in ("T1", "T2")
        for level in (0, 1)
        for metric, unit, value in (("hsic-cka", "1", 0.5), ("infonce", "bits", 2.0))
        for seed in (0, 1)
    )  # fmt: skip
    rows = table(document(example_record(changes={"dependence": proxies}), NOWHERE),
                 "dependence-table")  # fmt: skip
    assert len(rows) == 4
    assert rows[0][3:] == ["0.55 (0.50 to 0.60)", "2.05 (2.00 to 2.10)"]
    some = document(example_record(changes={"dependence": proxies[:-2]}), NOWHERE)
    assert table(some, "dependence-table")[-1][-1] == "not measured"


def test_a_label_holder_runs_the_last_layers(record: Record) -> None:
    split = record.split.model_copy(update={"labels_at": "T1"})
    base = next(cost for cost in record.costs if cost.setting == NONE)
    given: dict[str, Any] = {
        "cut": "head",
        "shape": (8, 32, 32),
        "dtype": "float32",
        "bytes_per_patient": 65536,
    }
    head = (
        m.Route(sender="T1", receiver="server", direction="gradient", **given),
        m.Route(sender="server", receiver="T1", direction="activation", **given),
    )
    routed = base.model_copy(update={"routes": (*base.routes, *head)})
    content = document(record.model_copy(update={"split": split, "costs": (routed,)}), NOWHERE)
    (figure,) = (b for b in content.blocks() if getattr(b, "key", "") == "data-flow")
    assert isinstance(figure, Figure)
    assert figure.alternative.count("sends features and gradients of the head: ") == 1
    assert figure.alternative.count("is sent gradients and features for the head: ") == 1
    told = " ".join(words(b.text) for b in content.blocks() if b.kind == "paragraph")
    assert "sends the last features to T1. There, beside the labels, the last layers" in told
    assert "which runs the rest" not in told

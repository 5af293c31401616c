"""Sentences of page one that no other test reads, and the map where a setting lies beyond it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from example_records import NONE, example_record
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Card, Paragraph, Table, words
from leakaudit.reports._figures.tradeoff import LEFT, Point, Span, trade_off

from leakaudit import record as m

SERVER = "curious server"


def asked(asset: m.Asset, verdict: m.VerdictValue, mean: float) -> m.Record:
    """The example, and an area under a curve for one more asset."""
    base = example_record()
    estimate = m.Estimate(
        mean=mean, lower=mean - 0.084, upper=mean + 0.081, one_sided_lower=mean - 0.07,
        one_sided_upper=mean + 0.07, patients=10, samples=20, seeds=2, method="rate",
    )  # fmt: skip
    values = tuple(tuple(np.full(10, mean).tolist()) for _ in base.seeds)
    who = {"defense": NONE, "adversary": SERVER, "victim": "T1", "asset": asset}
    what = {"attack": "telling", "cuts": ("level 0",), "metric": "auc", "region": "whole"}
    finding = m.Finding(
        **who, **what, direction="higher", ceiling=1.0, chance=0.5, estimate=estimate,
        values=values, blind_values=values,
    )  # type: ignore[arg-type]  # fmt: skip
    given = m.Verdict(
        **who, **what, verdict=verdict, threshold=0.05, reason="for tests", advantage=estimate
    )  # type: ignore[arg-type]
    changes = {"findings": (*base.findings, finding), "verdicts": (*base.verdicts, given)}
    return base.model_copy(update=changes)


def card(record: m.Record) -> Card:
    found = document(record, Path("/nonexistent")).blocks()
    return next(b for b in found if isinstance(b, Card) and b.actor == SERVER)


@pytest.mark.parametrize(
    ("asset", "differ"),
    [
        ("membership", "one in training and one not"),
        ("attribute", "one with what was asked about and one without"),
    ],
)
def test_pairs_are_told_in_plain_words(asset: m.Asset, differ: str) -> None:
    found = card(asked(asset, "leak shown", 0.7321))
    sentences = [words(b.text) for b in found.blocks if isinstance(b, Paragraph)]
    assert (
        f"Without a defense: of 100 pairs of patients, {differ}, it could say rightly which is "
        "which for 73 (95 % interval 64 to 82) from what T1 sends; guessing gives 50."
    ) in sentences
    (table,) = (b for b in found.blocks if isinstance(b, Table))
    cells = [words(cell.text) for row in table.rows for cell in row]
    assert any(cell.startswith("73 of 100 pairs; advantage at least") for cell in cells)


def test_pairs_that_chance_could_do_say_so() -> None:
    found = card(asked("membership", "inconclusive", 0.55))
    (said,) = (
        words(b.text)
        for b in found.blocks
        if isinstance(b, Paragraph) and "pairs of patients" in words(b.text)
    )
    assert said.endswith("guessing gives 50. Inconclusive: chance could do it.")


def test_a_setting_beyond_the_map_is_marked() -> None:
    inside = Point("inside", Span(0.4, 0.3, 0.5), Span(0.8, 0.7, 0.9), undefended=True)
    beyond = Point("beyond", Span(-1.234, -1.5, -0.9), Span(0.8, 0.7, 0.9), undefended=False)
    drawn = trade_off("map", [inside, beyond], [], "Dice")
    assert ">beyond (\u22121.23)<" in drawn
    assert ">inside<" in drawn
    assert ">beyond<" in trade_off("map", [inside, _at(beyond, -0.25)], [], "Dice")
    # The arrow's head lies left of the frame.
    heads = re.findall(r'<path d="M([\d.]+) [^"]*Z" class="f-c1"', drawn)
    assert heads
    assert float(heads[0]) < LEFT


def _at(point: Point, value: float) -> Point:
    return Point(point.label, Span(value, value - 0.01, value + 0.01), point.dice, False)


def test_the_undefended_split_has_one_name() -> None:
    record = example_record()
    for block in document(record, Path("/nonexistent")).blocks():
        if isinstance(block, Table) and block.key in {"effects", "utility", "policy-rules"}:
            for row in block.rows:
                assert "none" not in [words(cell.text) for cell in row]

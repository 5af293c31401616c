"""What changed between two audits: paired by patient, corrected for many, never guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from example_records import NONE, WITHHELD, estimate, example_record, rows

from leakaudit import record as m
from leakaudit.record import Record, sealed
from leakaudit.record.changes import Shift, changes

Spot = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def before() -> Record:
    return example_record(patients=20)


def moved(record: Record, by: float, *, noise: float = 0.01, **where: Any) -> Record:
    """Every matching finding and its verdict, shifted by so much in the metric."""
    rng = np.random.default_rng(5)
    findings, advantages = [], {}
    for f in record.findings:
        if all(getattr(f, key) == value for key, value in where.items()):
            values = np.array(f.values, dtype=float) + by
            values = values + rng.normal(0, noise, size=values.shape)
            blind = np.array(f.blind_values, dtype=float)
            gained = estimate((values - blind) / (1 - blind.mean()))
            f = f.model_copy(update={"values": rows(values), "advantage": gained})  # noqa: PLW2901
            advantages[f.defense, f.victim, f.asset, f.cuts, f.metric, f.region] = gained
        findings.append(f)
    verdicts = tuple(
        v.model_copy(update={"advantage": advantages[key]})
        if (key := (v.defense, v.victim, v.asset, v.cuts, v.metric, v.region)) in advantages
        else v
        for v in record.verdicts
    )
    return sealed(record.model_copy(update={"findings": tuple(findings), "verdicts": verdicts}))


def spots(record: Record, other: Record, shift: Shift) -> set[Spot]:
    return {
        (v.defense, v.adversary, v.victim, v.asset)
        for answer in changes(record, other).answers
        if answer.shift is shift
        for v in [answer.verdict]
    }


def test_an_audit_does_not_differ_from_itself(before: Record) -> None:
    found = changes(before, before)
    assert found.same_patients
    assert {answer.shift for answer in found.answers} == {Shift.SAME}
    assert len(found.answers) == len(before.verdicts)
    assert len(found.findings) == len(before.findings)
    assert all(pair.difference is not None and pair.difference.mean == 0 for pair in found.findings)


def test_what_leaks_more_is_found_and_nothing_else(before: Record) -> None:
    where = {"defense": WITHHELD, "victim": "T2", "asset": "images", "metric": "ssim"}
    now = moved(before, 0.08, **where)
    assert spots(before, now, Shift.MORE) == {(WITHHELD, "curious server", "T2", "images")}
    assert spots(before, now, Shift.LESS) == set()
    assert spots(now, before, Shift.LESS) == {(WITHHELD, "curious server", "T2", "images")}
    first = changes(before, now).answers[0]
    assert first.shift is Shift.MORE
    finding = next(f for f in before.findings if f.defense == WITHHELD and f.victim == "T2"
                   and f.asset == "images" and f.metric == "ssim" and f.region == "whole"
                   and f.cuts == first.verdict.cuts)  # fmt: skip
    span = 1 - np.mean([v for seed in finding.blind_values or () for v in seed])
    assert first.difference is not None
    assert first.difference.mean == pytest.approx(0.08 / span, abs=0.01)
    assert first.difference.patients == 20


def test_noise_is_not_called_a_change(before: Record) -> None:
    """Every answer moves by chance alone: none of about forty is called a change, at 5 %."""
    now = moved(before, 0.0, noise=0.05, metric="ssim")
    found = changes(before, now)
    assert found.count(Shift.MORE) + found.count(Shift.LESS) == 0
    assert found.count(Shift.OPEN) >= 12


def test_other_patients_are_never_paired(before: Record) -> None:
    cohort = before.cohort.model_copy(update={"fingerprint": "cd" * 32})
    other = before.model_copy(update={"cohort": cohort})
    found = changes(before, other)
    assert not found.same_patients
    assert {a.shift for a in found.answers} == {Shift.UNPAIRED, Shift.SAME}  # same: not tested
    assert all(a.difference is None for a in found.answers)
    assert all(pair.difference is None for pair in (*found.findings, *found.utility))


def test_what_only_one_audit_asked_is_named(before: Record) -> None:
    fewer = before.model_copy(
        update={"verdicts": tuple(v for v in before.verdicts if v.defense != WITHHELD)}
    )
    gone = spots(before, fewer, Shift.GONE)
    assert gone
    assert {spot[0] for spot in gone} == {WITHHELD}
    assert spots(fewer, before, Shift.NEW) == gone


def test_an_attack_without_a_counterpart_is_not_compared(before: Record) -> None:
    renamed = tuple(
        f.model_copy(update={"attack": "another"}) if f.victim == "T1" else f
        for f in before.findings
    )
    found = changes(before.model_copy(update={"findings": renamed}), before)
    lonely = [a for a in found.answers if a.shift is Shift.UNPAIRED]
    assert {a.verdict.victim for a in lonely} == {"T1"}
    assert all("counterpart" in a.reason for a in lonely)


def test_patients_are_paired_by_name_not_by_place(before: Record) -> None:
    order = np.random.default_rng(1).permutation(len(before.cohort.victims))

    def shuffled(
        table: tuple[tuple[float | None, ...], ...],
    ) -> tuple[tuple[float | None, ...], ...]:
        return tuple(tuple(seed[k] for k in order) for seed in table)

    findings = tuple(
        f.model_copy(update={"values": shuffled(f.values),
                             "blind_values": shuffled(f.blind_values or ())})
        for f in before.findings
    )  # fmt: skip
    cohort = before.cohort.model_copy(
        update={"victims": tuple(before.cohort.victims[k] for k in order)}
    )
    now = before.model_copy(update={"findings": findings, "cohort": cohort})
    for pair in changes(before, now).findings:
        assert pair.difference is not None
        assert pair.difference.mean == pytest.approx(0, abs=1e-12)


def test_utility_is_paired_too(before: Record) -> None:
    worse = tuple(
        u.model_copy(update={"values": rows(np.array(u.values, dtype=float) - 0.1)})
        if (u.setting, u.metric) == (NONE, "dice")
        else u
        for u in before.utility
    )
    found = changes(before, before.model_copy(update={"utility": worse}))
    dropped = [
        pair
        for pair in found.utility
        if isinstance(pair.now, m.Utility) and (pair.now.setting, pair.now.metric) == (NONE, "dice")
    ]
    assert len(dropped) == 3
    assert all(p.difference and p.difference.mean == pytest.approx(-0.1) for p in dropped)


def test_one_patient_is_never_called_a_change() -> None:
    lonely = example_record(patients=1, seeds=1)
    now = moved(lonely, 0.2, metric="ssim")
    shifts = {answer.shift for answer in changes(lonely, now).answers}
    assert not shifts & {Shift.MORE, Shift.LESS}

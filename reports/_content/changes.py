"""What changed between two audits: section 13 of a report, and a comparison of its own."""

from __future__ import annotations

from leakaudit.record import Finding, Record, Utility
from leakaudit.record.changes import Answer, Changes, Difference, Shift, changes
from leakaudit.record.cuts import cuts_text

from .blocks import (
    Block,
    Callout,
    Cell,
    Column,
    Document,
    Items,
    Paragraph,
    Rich,
    Section,
    Table,
    Terms,
    code,
    ranged,
    say,
    strong,
)
from .evidence_index import Index, actor, target
from .repeat import flattened
from .wording import bracket, count, cut, displayable, joined, number, signed, span

SETTINGS_SHOWN = 60
TOLD = 12
"""Answers told in sentences; the table below holds all."""


def section_13(index: Index, before: Record) -> Section:
    """For a report: the answers and the settings that moved."""
    found = changes(before, index.record)
    return Section(
        "13",
        "Changes since the last audit",
        (
            Paragraph(say(f"Compared with audit {before.audit_id} of {before.volatile.created}.")),
            *_told(index, found),
            *_settings(before, index.record),
            _answers(index, found),
        ),
    )


def comparison(before: Record, now: Record) -> Document:
    """Two audits side by side, as a document of its own."""
    before, now = displayable(before), displayable(now)
    index, found = Index(now), changes(before, now)
    return Document(
        title=f"{before.title} \u2192 {now.title}" if before.title != now.title else now.title,
        audit_id=f"{before.audit_id} \u2192 {now.audit_id}",
        content_sha256=now.content_sha256,
        created=now.volatile.created,
        subtitle=f"what changed, {count(len(found.answers), 'answer')}",
        sections=(
            Section("1", "What changed, in plain words", tuple(_told(index, found))),
            Section("2", "Every answer, before and now", (_answers(index, found),)),
            Section("3", "What the network can do", (_utility(index, found),)),
            Section("4", "What was set differently", tuple(_settings(before, now))),
            Section("5", "Every estimate, paired", (_estimates(index, found),)),
            Section("6", "The two audits", (_identities(before, now),)),
        ),
        kicker="Comparison of two leakage audits",
    )


def _told(index: Index, found: Changes) -> list[Block]:
    blocks: list[Block] = []
    if not found.same_patients:
        blocks.append(
            Callout(
                "Other patients",
                say(
                    "The data of the two audits differ, so patients cannot be paired: what differs "
                    "below may come from the patients alone."
                ),
                "caution",
            )
        )
    counted = [
        f"{found.count(shift)} {shift.value}" for shift in Shift if found.count(shift)
    ]  # in words, the gravest first
    blocks.append(
        Paragraph(
            say(
                f"Of {count(len(found.answers), 'answer')} (an actor, a victim, an asset, a "
                f"setting): {joined(counted) or 'none in common'}. ",
                "Called more or less only where chance is ruled out: differences are paired on "
                "the same patients and seeds, at an error rate of 5 % over all answers (Holm).",
            ),
            lead=True,
        )
    )
    moved = [a for a in found.answers if a.shift in (Shift.MORE, Shift.LESS)]
    if moved:
        blocks.append(Items(tuple(_sentence(index, answer) for answer in moved[:TOLD])))
    if len(moved) > TOLD:
        blocks.append(Paragraph(say(f"and {len(moved) - TOLD} more in the table.")))
    return blocks


def _sentence(index: Index, answer: Answer) -> Rich:
    verdict, difference = answer.verdict, answer.difference
    return say(
        strong(answer.shift.value),
        f": {_who(index, answer)}, {target(verdict.asset, verdict.victim)}, "
        f"{index.title(verdict.defense)}: leakage {_mean(answer.before)} to {_mean(answer.now)}"
        + ("" if difference is None else f", paired change {bracket(difference)}")
        + ".",
    )


def _who(index: Index, answer: Answer) -> str:
    name = answer.verdict.adversary
    return next((actor(a) for a in index.record.adversaries if a.name == name), name)


def _mean(verdict: object) -> str:
    advantage = getattr(verdict, "advantage", None)
    return "not measured" if advantage is None else number(advantage.mean)


def _cell(found: Difference | None) -> Cell:
    if found is None:
        return Cell(say("not paired"))
    return Cell(say(strong(signed(found.mean)), ranged(f" ({span(found)})")), order=found.mean)


def _answers(index: Index, found: Changes) -> Table:
    rows = []
    for answer in found.answers:
        verdict = answer.verdict
        shown = (Shift.MORE, Shift.LESS, Shift.NEW, Shift.GONE)
        word = answer.shift.value + (f": {answer.reason}" if answer.reason else "")
        rows.append(
            (
                Cell(say(_who(index, answer))),
                Cell(say(target(verdict.asset, verdict.victim))),
                Cell(say(index.title(verdict.defense))),
                _verdict(answer.before, "not audited"),
                _verdict(answer.now, "not audited"),
                _cell(answer.difference),
                Cell(say(strong(word) if answer.shift in shown else word)),
            )
        )
    return Table(
        "changes",
        say(
            "Verdicts and mean advantage before and now, what leaks more first. Change: now minus "
            "before, paired on the same patients and seeds, for the attack that is strongest now; "
            "brackets are 95 % intervals, or bounds from one side where patients or seeds are too "
            "few."
        ),
        (
            Column("Actor", weight=0.9), Column("Asset", weight=1.2),
            Column("Setting", weight=1), Column("Before", weight=1.2),
            Column("Now", weight=1.2), Column("Change", numeric=True, weight=1.2),
            Column("In a word", weight=1.1),
        ),
        tuple(rows),
        sortable=True,
    )  # fmt: skip


def _verdict(verdict: object, otherwise: str) -> Cell:
    value = getattr(verdict, "verdict", None)
    advantage = getattr(verdict, "advantage", None)
    if value is None:
        return Cell(say(otherwise))
    return Cell(say("" if advantage is None else number(advantage.mean)), verdict=value)


def _settings(before: Record, now: Record) -> list[Block]:
    old = dict(flattened(before.configuration_resolved))
    new = dict(flattened(now.configuration_resolved))
    told = [
        say(
            code(cut(key, 120)),
            f": {cut(old.get(key, 'absent'), 200)} \u2192 {cut(new.get(key, 'absent'), 200)}",
        )
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    if not told:
        return [Paragraph(say("Both audits have the same settings."))]
    blocks: list[Block] = [
        Paragraph(say(f"{count(len(told), 'setting')} of the configuration changed:")),
        Items(tuple(told[:SETTINGS_SHOWN])),
    ]
    if len(told) > SETTINGS_SHOWN:
        blocks.append(Paragraph(say(f"and {len(told) - SETTINGS_SHOWN} more, in the records.")))
    return blocks


def _utility(index: Index, found: Changes) -> Table:
    rows = []
    for pair in found.utility:
        was, now = pair.before, pair.now
        if not isinstance(was, Utility) or not isinstance(now, Utility):
            continue
        places = 1 if now.metric == "hd95" else 2
        rows.append(
            (
                Cell(say(strong(index.title(now.setting)))),
                Cell(say(f"{now.metric}, {now.region}")),
                Cell(say(number(was.estimate.mean, places)), order=was.estimate.mean),
                Cell(say(number(now.estimate.mean, places)), order=now.estimate.mean),
                _cell(pair.difference),
            )
        )
    return Table(
        "utility-changes",
        say(
            "Segmentation before and now: higher Dice is better, lower HD95 is better. Change: "
            "paired on the same validation patients and seeds."
        ),
        (
            Column("Setting", weight=1.2), Column("Metric, region", weight=1.2),
            Column("Before", numeric=True), Column("Now", numeric=True),
            Column("Change", numeric=True, weight=1.4),
        ),
        tuple(rows),
        sortable=True,
    )  # fmt: skip


def _estimates(index: Index, found: Changes) -> Table:
    rows = []
    for pair in found.findings:
        was, now = pair.before, pair.now
        if not isinstance(was, Finding) or not isinstance(now, Finding):
            continue
        rows.append(
            (
                Cell(say(index.title(now.defense))),
                Cell(say(now.adversary)),
                Cell(say(target(now.asset, now.victim))),
                Cell(say(now.attack)),
                Cell(say(cuts_text(now.cuts))),
                Cell(say(f"{index.metric_label(now.metric)}, {now.region}")),
                Cell(say(number(was.estimate.mean)), order=was.estimate.mean),
                Cell(say(number(now.estimate.mean)), order=now.estimate.mean),
                _cell(pair.difference),
            )
        )
    return Table(
        "all-findings",
        say(
            f"All {len(rows):,} estimates that both audits have. Change in advantage, or in the "
            "metric towards leakage where no advantage is defined. Not corrected for their number."
        ),
        (
            Column("Setting", facet=True), Column("Actor", facet=True),
            Column("Asset", facet=True), Column("Attack", facet=True),
            Column("Cuts", facet=True), Column("Metric, region", facet=True),
            Column("Before", numeric=True), Column("Now", numeric=True),
            Column("Change", numeric=True),
        ),
        tuple(rows),
        sortable=True,
        filterable=True,
        screen_only=True,
    )  # fmt: skip


def _identities(before: Record, now: Record) -> Terms:
    return Terms(
        tuple(
            (f"{name}: {key}", text)
            for name, record in (("Before", before), ("Now", now))
            for key, text in (
                ("audit", say(code(record.audit_id), f", {record.volatile.created}")),
                ("SHA-256 of the record", say(code(record.content_sha256 or "not sealed"))),
                ("fingerprint of the data", say(code(record.cohort.fingerprint))),
                (
                    "environment",
                    say(
                        f"leakaudit {record.environment.leakaudit}, {record.environment.platform}, "
                        f"{record.environment.device}"
                    ),
                ),
            )
        )
    )

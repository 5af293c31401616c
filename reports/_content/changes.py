"""Section 13: what changed since an earlier audit, where one was given."""

from __future__ import annotations

from leakaudit.record.model import Record

from .blocks import Block, Callout, Cell, Column, Items, Paragraph, Section, Table, say, strong
from .evidence_index import Index, actor, target
from .repeat import flattened
from .wording import WORD, number, signed


def changes(index: Index, before: Record) -> Section:
    """Verdicts and settings side by side. Whether a change counts is the gate's to say."""
    now = index.record
    blocks: list[Block] = [
        Paragraph(say(f"Compared with audit {before.audit_id} of {before.volatile.created}."))
    ]
    if before.cohort.fingerprint != now.cohort.fingerprint:
        blocks.append(
            Callout(
                "Other patients",
                say("The data differ: a difference below may come from the patients alone."),
                "caution",
            )
        )
    old, new = (
        dict(flattened(before.configuration_resolved)),
        dict(flattened(now.configuration_resolved)),
    )
    settings = [
        say(strong(key), f": {old.get(key, 'absent')} \u2192 {new.get(key, 'absent')}")
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    blocks.append(Items(tuple(settings[:60])) if settings else Paragraph(say("Same settings.")))
    earlier = {(v.defense, v.adversary, v.victim, v.asset): v for v in before.verdicts}
    rows = []
    for question in index.questions:
        for verdict in index.verdicts(question):
            was = earlier.get((verdict.defense, verdict.adversary, verdict.victim, verdict.asset))
            shift = None
            if was is not None and was.advantage is not None and verdict.advantage is not None:
                shift = verdict.advantage.mean - was.advantage.mean
            rows.append(
                (
                    Cell(say(actor(question.adversary))),
                    Cell(say(target(question.asset, verdict.victim))),
                    Cell(say(index.title(verdict.defense))),
                    Cell(say("not audited") if was is None else say(""),
                         verdict=None if was is None else was.verdict),
                    Cell(say(""), verdict=verdict.verdict),
                    Cell(say("" if shift is None else signed(shift)), order=shift),
                )
            )  # fmt: skip
    rows.sort(key=lambda row: row[3].verdict == row[4].verdict)
    gone = [v for key, v in earlier.items() if key not in _keys(now)]
    blocks.append(
        Table(
            "changes",
            say("Verdicts before and now, changed ones first; the shift is of the mean advantage."),
            (
                Column("Actor"), Column("Asset", weight=1.2), Column("Setting", weight=1.2),
                Column("Before"), Column("Now"), Column("Shift", numeric=True, weight=0.6),
            ),
            tuple(rows),
            sortable=True,
        )
    )  # fmt: skip
    if gone:
        blocks.append(
            Items(
                tuple(
                    say(
                        f"No longer audited: {v.adversary}, {target(v.asset, v.victim)}, "
                        f"{v.defense} (was {WORD[v.verdict]}"
                        f"{'' if v.advantage is None else ', ' + number(v.advantage.mean)})."
                    )
                    for v in gone
                )
            )
        )  # fmt: skip
    return Section("13", "Changes since the last audit", tuple(blocks))


def _keys(record: Record) -> set[tuple[str, str, str, str]]:
    return {(v.defense, v.adversary, v.victim, v.asset) for v in record.verdicts}

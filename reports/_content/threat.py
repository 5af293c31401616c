"""Section 5: who attacks, knowing what, and which attacks that rules out."""

from __future__ import annotations

from leakaudit.record import AdversarySummary

from .blocks import Block, Cell, Column, Paragraph, Section, Table, say, strong
from .evidence_index import Index, actor
from .nist import OBJECTIVE, RULE, access, in_words, out_of_scope
from .release import through_model
from .wording import count, joined

BEHAVIOUR = {
    "passive": "passive: follows the protocol, looks at what it is sent",
    "active": "active: may deviate from the protocol",
}


def threat(index: Index) -> Section:
    """Actor x goal x knowledge x behaviour, and what is left out."""
    record = index.record
    unmounted = tuple(
        (Cell(say(actor(a), f" ({a.name})")), Cell(say(n.attack)), Cell(say(n.reason)))
        for a in record.adversaries
        for n in a.not_mountable
    )
    blocks: list[Block] = [
        Paragraph(
            say(
                "Terms follow NIST AI 100-2 where it has them. Knowledge is stated, never assumed: "
                f"what is not listed here, the attacks did not get. {RULE}"
            )
        ),
        Table(
            "actors",
            say("Actors in scope. Every objective is a privacy compromise."),
            (
                Column("Actor", weight=1),
                Column("Objective", weight=1.3),
                Column("Knowledge", weight=2),
                Column("Behaviour", weight=1.1),
                Column("Attacks mounted", weight=1.1),
            ),
            tuple(_row(index, adversary) for adversary in record.adversaries),
        ),
    ]
    if unmounted:
        blocks.append(
            Table(
                "not-mountable",
                say(f"{count(len(unmounted), 'attack')} not mountable by these actors, and why."),
                (Column("Actor", weight=1.2), Column("Attack"), Column("Why not", weight=2.2)),
                unmounted,
            )
        )
    blocks.append(
        Table(
            "out-of-scope",
            say("Out of scope: this audit says nothing about these."),
            (Column("What", weight=1), Column("Why", weight=2.4)),
            tuple(
                (Cell(say(strong(what))), Cell(say(f"{why[:1].upper()}{why[1:]}.")))
                for what, why in out_of_scope(
                    record.adversaries, released=bool(through_model(record))
                )
            ),
        )
    )
    return Section("5", "Threat model", tuple(blocks))


def _row(index: Index, adversary: AdversarySummary) -> tuple[Cell, ...]:
    goals = [OBJECTIVE[q.asset] for q in index.questions if q.adversary.name == adversary.name]
    known = "; ".join(in_words(entry) for entry in adversary.knowledge)
    return (
        Cell(say(strong(actor(adversary)), f" ({adversary.name})")),
        Cell(say("; ".join(goals) or "none")),
        Cell(say(strong(access(adversary)), f": {known or 'nothing beyond the protocol'}")),
        Cell(say(BEHAVIOUR[adversary.behaviour])),
        Cell(say(joined(adversary.mounted) or "none")),
    )

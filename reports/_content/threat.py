"""Section 5: who attacks, knowing what, and which attacks that rules out."""

from __future__ import annotations

from .blocks import Block, Cell, Column, Paragraph, Section, Table, say, strong
from .evidence_index import Index, actor
from .wording import ASSET, count, joined


def threat(index: Index) -> Section:
    """Actor x goal x knowledge x behaviour."""
    record = index.record
    rows = []
    for adversary in record.adversaries:
        goals = [ASSET[q.asset] for q in index.questions if q.adversary.name == adversary.name]
        rows.append(
            (
                Cell(say(strong(actor(adversary)), f" ({adversary.name})")),
                Cell(say(joined(goals) or "none")),
                Cell(say("; ".join(adversary.knowledge) or "nothing beyond the protocol")),
                Cell(
                    say(
                        "passive: follows the protocol, looks at what it is sent"
                        if adversary.behaviour == "passive"
                        else "active: may deviate from the protocol"
                    )
                ),
                Cell(say(joined(adversary.mounted) or "none")),
            )
        )
    unmounted = tuple(
        (Cell(say(actor(a), f" ({a.name})")), Cell(say(n.attack)), Cell(say(n.reason)))
        for a in record.adversaries
        for n in a.not_mountable
    )
    blocks: list[Block] = [
        Paragraph(
            say(
                "Terms follow NIST AI 100-2 where it has them. Knowledge is stated, never assumed: "
                "what is not listed here, the attacks did not get."
            )
        ),
        Table(
            "actors",
            say("Actors in scope."),
            (
                Column("Actor", weight=1.2),
                Column("Goal"),
                Column("Knowledge", weight=1.4),
                Column("Behaviour", weight=1.2),
                Column("Attacks mounted", weight=1.2),
            ),
            tuple(rows),
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
    covered = {a.position for a in record.adversaries}
    missing = [
        name
        for position, name in (
            ("server", "the server"),
            ("party", "a curious party"),
            ("wire", "someone on the wire"),
            ("coalition", "parties or server that collude"),
        )
        if position not in covered
    ]
    out = f"Out of scope in this audit: {joined(missing)}; " if missing else "Out of scope: "
    blocks.append(
        Paragraph(
            say(
                out,
                "what the finished model gives away once it is shared, attacks on the computers "
                "themselves, and re-identification through data that no attack here was given.",
            )
        )
    )
    return Section("5", "Threat model", tuple(blocks))

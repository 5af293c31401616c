"""Appendix A: whether the trained network may leave, as far as its memory of patients was tried."""

from __future__ import annotations

from leakaudit.record import AttackSummary, Record
from leakaudit.record.bound import deciding_bound

from .blocks import Blanks, Block, Callout, Cell, Column, Paragraph, Section, Table, code, say
from .evidence_index import Index, actor
from .wording import interval, joined, number

BUCKETS = ("release", "further analysis", "do not release")
"""The three groups into which SACRO sorts outputs: an output checker's choice, never ours."""


def through_model(record: Record) -> tuple[AttackSummary, ...]:
    """Attacks that ask the trained network who was in its training."""
    return tuple(
        attack
        for attack in record.attacks
        if attack.goal == "membership" and "server-weights" in attack.needs
    )


def release(index: Index) -> Section:
    """What was tried on the finished network, and what was not."""
    tried = tuple(attack.label for attack in through_model(index.record))
    blocks: list[Block] = []
    rows = _rows(index, tried)
    if rows:
        blocks += [
            Paragraph(
                say(
                    "Whoever holds the trained network may ask it whether a known patient was in "
                    f"its training. {joined(tried)} did so, knowing the "
                    "server's weights; somebody who also holds the encoders knows more."
                )
            ),
            Table(
                "release",
                say(
                    "Membership through the trained network, with 95 % intervals; guessing is 0.5."
                ),
                (
                    Column("Setting", weight=1.3),
                    Column("By"),
                    Column("Area under the curve", weight=1.6),
                    Column("Verdict", weight=1.4),
                ),
                rows,
            ),
        ]
    else:
        reason = (
            f"{joined(tried)} could not be mounted or came to nothing."
            if tried
            else "no attack of this audit asked the trained network who was in its training."
        )
        blocks.append(
            Callout(
                "Not tested",
                say(
                    f"Releasing the network was not tested: {reason} Nothing in this report "
                    "speaks for letting it leave. ",
                    code("model-membership-inference"),
                    ", by an adversary who holds the server's weights, tests it.",
                ),
                "caution",
            )
        )
    blocks += [
        Paragraph(
            say(
                "Not tested by any attack here: images drawn out of the weights, attributes told "
                "by the network's answers, and weights that repeat what they were trained on. "
                "What the network holds of persons is judged by people, case by case."
            )
        ),
        Blanks(
            (("Output checker, date and reasons", 2),),
            choices=BUCKETS,
            question="Release of the network",
        ),
    ]
    return Section("A", "Releasing the trained network", tuple(blocks))


def _rows(index: Index, tried: tuple[str, ...]) -> tuple[tuple[Cell, ...], ...]:
    """A row for every setting and actor; a verdict where it rests on the trained network."""
    rows = []
    for question in index.questions:
        decided = {(v.defense, v.victim, v.attack): v for v in index.verdicts(question)}
        for finding in index.findings(question):
            if question.asset != "membership" or finding.attack not in tried:
                continue
            verdict = decided.get((finding.defense, finding.victim, finding.attack))
            value = f"{number(finding.estimate.mean)} ({interval(finding.estimate)})"
            rows.append(
                (
                    Cell(say(index.title(finding.defense))),
                    Cell(say(actor(question.adversary))),
                    Cell(say(f"{index.metric_label(finding.metric)} {value}")),
                    Cell(say("a stronger attack decides, see 7"))
                    if verdict is None
                    else Cell(say(deciding_bound(verdict, number)), verdict=verdict.verdict),
                )
            )
    return tuple(rows)

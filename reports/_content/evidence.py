"""Section 7: the estimates, per actor, with everything needed to doubt them."""

from __future__ import annotations

from leakaudit.record import Finding, Verdict
from leakaudit.record.bound import deciding_bound
from leakaudit.record.cuts import cuts_text

from .blocks import (
    Block,
    Cell,
    Column,
    Group,
    Paragraph,
    Rich,
    Section,
    Subheading,
    Table,
    muted,
    ranged,
    say,
    strong,
)
from .claims import limits_of_claims
from .dependence import dependence
from .epochs import epochs_read
from .every_estimate import every_estimate
from .evidence_figures import distributions, efforts
from .evidence_index import Index, Question, actor, owner
from .gallery import gallery
from .interference import interference
from .level_matrix import level_matrix
from .matching import matching
from .portfolio import portfolio
from .presence import presence
from .reading import reading
from .subgroups import subgroups
from .wording import ASSET, interval, joined, number, places_of


def evidence(index: Index, shots: dict[str, bytes]) -> Section:
    """Verdicts and pictures per question, then every estimate."""
    blocks: list[Block] = []
    for question in index.questions:
        blocks.append(Group(question.adversary.name, tuple(_question(index, question))))
    blocks.append(Subheading("Gallery", "gallery"))
    blocks += gallery(index, shots)
    blocks += interference(index)
    blocks += presence(index)
    blocks += portfolio(index)
    blocks += dependence(index)
    blocks += limits_of_claims(index)
    blocks += [
        Subheading("Every estimate", "every-estimate"),
        every_estimate(index),
    ]
    return Section("7", "Evidence", tuple(blocks))


def _question(index: Index, question: Question) -> list[Block]:
    key = f"{question.key}-{index.questions.index(question)}"
    blocks: list[Block] = [
        Subheading(f"{actor(question.adversary)}: {ASSET[question.asset]}", key),
    ]
    found = index.verdicts(question)
    if all(verdict.verdict == "not tested" for verdict in found):
        reasons = joined(list(dict.fromkeys(v.reason.rstrip(".") for v in found)))
        return [*blocks, Paragraph(say(strong("Not tested"), f" under any setting: {reasons}."))]
    read = reading(index, question)
    if read is not None:
        blocks.append(read)
    blocks += own_modality(index, question)
    blocks += epochs_read(index, question)
    blocks.append(_verdicts(index, question, key))
    matched = matching(index, question, key)
    if matched is not None:
        blocks.append(matched)
    drawn = level_matrix(index, question, key)
    if drawn is not None:
        blocks.append(drawn)
    blocks += efforts(index, question, key)
    blocks += distributions(index, question, key)
    table = subgroups(index, question, key)
    if table is not None:
        blocks.append(table)
    return blocks


def own_modality(index: Index, question: Question) -> list[Block]:
    """What the blind guess is for an actor who holds images of the same patients itself."""
    adversary = question.adversary
    if question.asset not in ("images", "masks") or "own-images" not in adversary.knowledge:
        return []
    held = [
        modality
        for party in index.record.split.parties
        if party.name in adversary.members
        for modality in party.modalities
    ]
    return [
        Paragraph(
            say(
                f"{actor(adversary)} holds {joined(held) or 'images'} of the same patients itself. "
                "The blind guess here is the best that its own images tell without any message "
                "(or the mean, where that is better): the advantage is what the messages ",
                strong("add to its own modality"),
                ", and 0 means that they add nothing.",
            )
        )
    ]


def _verdicts(index: Index, question: Question, key: str) -> Table:
    rows = []
    for verdict in index.verdicts(question):
        finding = index.finding(verdict)
        rows.append(
            (
                Cell(say(strong(index.title(verdict.defense)))),
                Cell(say(owner(verdict.victim))),
                Cell(say(_attack(index, verdict, finding))),
                *_values(finding),
                _advantage(verdict),
                _tail(finding),
                Cell(_decided(verdict), verdict=verdict.verdict),
            )
        )
    return Table(
        f"verdicts-{key}",
        say(
            f"{actor(question.adversary)}, {ASSET[question.asset]}: verdicts with the strongest "
            "attack behind each. Value: of the attack; blind: the same actor without the messages; "
            "advantage: 0 is blind, 1 is perfect."
        ),
        (
            Column("Setting", weight=1.05),
            Column("Victim", weight=0.65),
            Column("Strongest attack", weight=1.2),
            Column("Value", numeric=True, weight=1.3),
            Column("Blind", numeric=True, weight=0.55),
            Column("Ceiling", numeric=True, weight=0.65),
            Column("Advantage", numeric=True, weight=1.3),
            Column("Worst", numeric=True, weight=0.7),
            Column("Verdict", weight=2.5),
        ),
        tuple(rows),
        sortable=True,
    )


def _decided(verdict: Verdict) -> Rich:
    """The bound that decided, then why."""
    bound = deciding_bound(verdict, number)
    return say(strong(bound), muted(f". {verdict.reason}")) if bound else say(muted(verdict.reason))


def _attack(index: Index, verdict: Verdict, finding: Finding | None) -> str:
    if verdict.attack is None:
        return "none mounted"
    text = f"{verdict.attack}, {cuts_text(verdict.cuts)}"
    if finding is None:
        return text
    region = "" if finding.region == "whole" else f" in the {finding.region}"
    return f"{text}; {index.metric_label(finding.metric)}{region}"


def _values(finding: Finding | None) -> tuple[Cell, Cell, Cell]:
    if finding is None:
        nothing = Cell(say("not measured"))
        return nothing, nothing, nothing
    places = places_of(finding.metric)
    blind = finding.chance if finding.asset == "identity" else None
    if blind is None and finding.blind is not None:
        blind = finding.blind.mean
    return (
        Cell(
            say(
                strong(number(finding.estimate.mean, places)),
                ranged(f" ({interval(finding.estimate, places)})"),
            ),
            order=finding.estimate.mean,
        ),
        Cell(say("not measured" if blind is None else number(blind, places)), order=blind),
        Cell(
            say(
                "none" if finding.ceiling is None else number(finding.ceiling, places),
                ranged(
                    ""
                    if finding.ceiling_estimate is None
                    else f" ({interval(finding.ceiling_estimate, places)})"
                ),
            ),
            order=finding.ceiling,
        ),
    )


def _advantage(verdict: Verdict) -> Cell:
    if verdict.advantage is None:
        return Cell(say("not measured"))
    return Cell(
        say(strong(number(verdict.advantage.mean)), ranged(f" ({interval(verdict.advantage)})")),
        order=verdict.advantage.mean,
    )


def _tail(finding: Finding | None) -> Cell:
    if finding is None or finding.estimate.worst is None:
        return Cell(say("not measured"))
    worst = finding.estimate.worst
    who = f" ({worst.patient})" if worst.patient else ""
    return Cell(say(f"{number(worst.value, places_of(finding.metric))}{who}"), order=worst.value)

"""Section 7: the estimates, per actor, with everything needed to doubt them."""

from __future__ import annotations

import numpy as np

from leakaudit.record import CurvePoint, Finding, Verdict
from leakaudit.record.bound import deciding_bound
from leakaudit.record.estimates import as_array

from .._figures.distribution import MOST, Row, distribution
from .._figures.effort import Curve, effort_curves
from .blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Group,
    Panels,
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
from .evidence_index import Index, Question, actor, owner, target
from .frequencies import patient_means
from .gallery import gallery
from .interference import interference
from .level_matrix import level_matrix
from .matching import matching
from .presence import presence
from .reading import reading
from .standouts import MANY, told_apart
from .subgroups import subgroups
from .wording import ASSET, interval, joined, levels_text, number, places_of


def evidence(index: Index, shots: dict[str, bytes]) -> Section:
    """Verdicts and pictures per question, then every estimate."""
    blocks: list[Block] = []
    for question in index.questions:
        blocks.append(Group(question.adversary.name, tuple(_question(index, question))))
    blocks.append(Subheading("Gallery", "gallery"))
    blocks += gallery(index, shots)
    blocks += interference(index)
    blocks += presence(index)
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
    blocks += _efforts(index, question, key)
    blocks += _distribution(index, question, key)
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
    text = f"{verdict.attack}, {levels_text(verdict.levels)}"
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


def _efforts(index: Index, question: Question, key: str) -> list[Block]:
    """One row of panels by steps, one by auxiliary patients, where they were measured."""
    told = {
        "effort": "Effort: quality of the attack by the steps it spent (messages it read, where it "
        "optimises nothing), one panel per victim. An attack has converged where twice the effort "
        "gained next to nothing; bands are 95 % intervals, cut at the frame.",
        "patients-learnt": "Auxiliary patients: quality of the attack by how many it learnt from, "
        "one panel per victim. Where a curve still rises, somebody with more patients would read "
        "more.",
    }
    many = (
        f" Of more than {MANY} settings named are the one without a defense, the recommended one, "
        "and those that end least, in the middle and most; the others are grey, without bands."
        if len(index.settings) > MANY
        else ""
    )
    panels = {name: _effort(index, question, f"{name}-{key}", name) for name in told}
    return [
        Panels(f"{name}-{key}", say(told[name] + many), tuple(p)) for name, p in panels.items() if p
    ]


def _effort(index: Index, question: Question, key: str, kind: str) -> list[Figure]:
    def curve_of(finding: Finding) -> tuple[CurvePoint, ...]:
        return finding.curve if kind == "effort" else finding.curve_auxiliary

    along = ("steps spent", "steps") if kind == "effort" else ("auxiliary patients", "patients")
    by_victim: dict[str, list[Finding]] = {}
    for verdict in index.verdicts(question):
        finding = index.finding(verdict)
        if finding is not None and len(curve_of(finding)) > 1:
            by_victim.setdefault(finding.victim, []).append(finding)
    figures: list[Figure] = []
    for victim, findings in by_victim.items():
        label = index.metric_label(findings[0].metric)
        same = [f for f in findings if f.metric == findings[0].metric]
        sign = -1 if same[0].direction == "lower" else 1
        ends = {f.defense: sign * curve_of(f)[-1].estimate.mean for f in same}
        apart, _ = told_apart(index, ends)
        curves = [
            Curve(
                index.title(f.defense) + (" (still rising)" if f.converged is False else ""),
                tuple(
                    (p.effort, p.estimate.mean, p.estimate.lower, p.estimate.upper)
                    for p in curve_of(f)
                ),
                named=f.defense in apart,
            )
            for f in same
        ]
        blind = same[0].blind.mean if same[0].blind is not None else None
        title = target(question.asset, victim)
        told = "; ".join(
            f"{c.label}: {number(c.points[0][1])} after {c.points[0][0]} {along[1]}, "
            f"{number(c.points[-1][1])} after {c.points[-1][0]}"
            for c in curves
        )
        figures.append(
            Figure(
                f"{key}-{len(figures)}", say(title),
                effort_curves(title, curves, blind, label, along), f"{title}. {told}.", title=title,
            )
        )  # fmt: skip
    return figures


def _distribution(index: Index, question: Question, key: str) -> list[Figure]:
    """Every patient under every setting, in as many figures of equal height as paper needs."""
    setting = index.undefended or (index.settings[0] if index.settings else "")
    worst = index.worst(question, setting)
    if worst is None or index.finding(worst) is None or question.asset == "identity":
        return []
    found = [
        finding
        for verdict in index.verdicts(question)
        if verdict.victim == worst.victim and (finding := index.finding(verdict)) is not None
    ]
    found = [f for f in found if (f.metric, f.region) == (found[0].metric, found[0].region)]
    rows = [
        Row(
            index.title(f.defense),
            patient_means(as_array(f.values)),
            f.estimate.mean,
            None if f.estimate.worst is None else f.estimate.worst.value,
            None if f.blind is None else f.blind.mean,
        )
        for f in found
    ]
    label = index.metric_label(found[0].metric)
    title = f"{_first_up(target(question.asset, worst.victim))}, every patient"
    parts = -(-len(rows) // MOST)
    tall = -(-len(rows) // parts)
    figures = []
    for part in range(parts):
        shown = slice(part * tall, (part + 1) * tall)
        told = "; ".join(
            f"{r.label}: median {number(float(np.nanmedian(r.values)))}, worst "
            f"{'unknown' if r.worst is None else number(r.worst)}"
            for r in rows[shown]
        )
        which = f" ({part + 1} of {parts}, all on one axis)" if parts > 1 else ""
        figures.append(
            Figure(
                f"patients-{key}" + (f"-{part + 1}" if part else ""),
                say(
                    f"{title}: {label} by setting{which}. A bar is the mean, a red triangle the "
                    "patient who leaks most, the dashed line the blind mean."
                ),
                distribution(title, rows, f"{label}; {found[0].direction} leaks more", shown),
                f"{title}. {told}.",
            )
        )
    return figures


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]

"""The figures of one question: effort curves, and every patient under every setting."""

from __future__ import annotations

import numpy as np

from leakaudit.record import CurvePoint, Finding
from leakaudit.record.estimates import as_array

from .._figures.distribution import MOST, Row, distribution
from .._figures.effort import Curve, effort_curves
from .blocks import Block, Figure, Panels, say
from .evidence_index import Index, Question, target
from .frequencies import patient_means
from .standouts import MANY, told_apart
from .wording import number


def efforts(index: Index, question: Question, key: str) -> list[Block]:
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


def distributions(index: Index, question: Question, key: str) -> list[Figure]:
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

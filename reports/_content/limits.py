"""Section 11: what was not attacked, what failed, and the smallest leak that could be seen."""

from __future__ import annotations

from leakaudit.record import Estimate
from leakaudit.statistics import clopper_pearson

from .blocks import Block, Cell, Column, Items, Paragraph, Section, Subheading, Table, say, strong
from .caveats import caveats, unconverged
from .evidence_index import Index, actor
from .excluded import excluded_table
from .wording import ASSET, count, number

SHOWN = 40
"""Entries of a list on paper; the record holds the rest."""


def limits(index: Index) -> Section:
    """Everything that stands between the evidence and certainty."""
    record = index.record
    blocks: list[Block] = [
        Items(
            tuple(
                say(strong(f"{title}. "), *text)
                for title, text in (
                    *caveats(index),
                    *(("Odd data", say(warning)) for warning in record.cohort.warnings),
                )
            )
        ),
        Subheading("Smallest leak that could have been seen", "smallest"),
        *(excluded_table(index) if record.power else _smallest(index)),
        Subheading("Attacks that had not converged", "unconverged"),
    ]
    rising = unconverged(index)
    if rising:
        blocks.append(Items(tuple(say(entry) for entry in rising[:SHOWN])))
        if len(rising) > SHOWN:
            blocks.append(Paragraph(say(f"and {len(rising) - SHOWN:,} more, in the record.")))
    else:
        unknown = [f for v in record.verdicts if (f := index.finding(v)) and f.converged is None]
        text = "Every attack behind a verdict had found almost as much with half its effort."
        if unknown:
            text = f"For {count(len(unknown), 'verdict')} convergence was not measured."
        blocks.append(Paragraph(say(text)))
    blocks.append(Subheading("What failed or was not available", "failures"))
    if record.failures or record.not_available:
        rows = [
            (Cell(say(f.stage)), Cell(say(f.where)), Cell(say(f.kind)), Cell(say(f.reason)))
            for f in record.failures
        ]
        rows += [
            (Cell(say("metric")), Cell(say(name)), Cell(say("not available")), Cell(say(how)))
            for name, how in sorted(record.not_available.items())
            if name not in {f.where for f in record.failures}
        ]
        blocks.append(
            Table(
                "failure-list",
                say("A failure is never counted as a number."),
                (
                    Column("Stage", weight=0.7), Column("Where", weight=1.2),
                    Column("Kind", weight=0.9), Column("Reason, and how to mend it", weight=2.4),
                ),
                tuple(rows),
            )
        )  # fmt: skip
    else:
        blocks.append(Paragraph(say("Nothing failed.")))
    missing = sum(value is None for f in record.findings for seed in f.values for value in seed)
    if missing:
        blocks.append(
            Paragraph(say(f"{missing:,} per-patient values are missing; they are left out."))
        )
    return Section("11", "Limits", tuple(blocks))


def _smallest(index: Index) -> list[Block]:
    patients = len(index.record.cohort.victims)
    if not patients:
        return [Paragraph(say("No patient was attacked."))]
    top = clopper_pearson(0, patients, level=0.9).upper or 1.0  # from one side: 95 %
    blocks: list[Block] = [
        Paragraph(
            say(
                f"With {count(patients, 'patient')}, an attack that picks out nobody still leaves "
                f"room for up to {number(100 * top, 1)} of 100 (95 % bound). For advantages, "
                "half the width of the interval (without one, the way from the mean to the "
                "upper bound) is what chance alone can hide:"
            )
        )
    ]
    rows = []
    for question in index.questions:
        for setting in index.settings:
            widths = [
                (half, v)
                for v in index.verdicts(question, setting)
                if v.advantage is not None and (half := _hidden(v.advantage)) is not None
            ]
            if widths:
                half, verdict = max(widths, key=lambda pair: pair[0])
                rows.append(
                    (
                        Cell(say(f"{actor(question.adversary)}, {ASSET[question.asset]}")),
                        Cell(say(index.title(setting))),
                        Cell(say(number(half)), order=half),
                        Cell(say(number(verdict.threshold)), order=verdict.threshold),
                        Cell(say("yes" if half < verdict.threshold else "no: too few patients")),
                    )
                )
    if rows:
        blocks.append(
            Table(
                "smallest-leak",
                say("Smallest advantage that could have been told from none, widest victim."),
                (
                    Column("Actor, asset", weight=1.4), Column("Setting", weight=1.3),
                    Column("Smallest", numeric=True), Column("X", numeric=True, weight=0.6),
                    Column("Could X be seen", weight=1.2),
                ),
                tuple(rows),
            )
        )  # fmt: skip
    return blocks


def _hidden(estimate: Estimate) -> float | None:
    """How much chance alone can hide, from the interval or the upper bound; None without either."""
    if estimate.lower is not None and estimate.upper is not None:
        return (estimate.upper - estimate.lower) / 2
    most = estimate.one_sided_upper
    return None if most is None else most - estimate.mean

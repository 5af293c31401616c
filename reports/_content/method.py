"""Section 6: the attacks, what they were held against, and how verdicts come about."""

from __future__ import annotations

from leakaudit.record import Asset, Control, MetricSummary
from leakaudit.record.cuts import cuts_text

from .blocks import Block, Cell, Column, Items, Paragraph, Section, Subheading, Table, say, strong
from .claims import tested_claims
from .evidence_index import Index, actor, owner
from .reading import ceiling_text, range_text
from .wording import ASSET, count, number

FAMILY: dict[Asset, str] = {
    "images": "data reconstruction",
    "masks": "data reconstruction",
    "identity": "re-identification",
    "membership": "membership inference",
    "attribute": "attribute inference",
}
FAILED_SHOWN = 6
"""Failed controls named in a row; the record holds all."""


def method(index: Index) -> Section:
    """Attacks, metrics, baselines, controls, statistics."""
    record = index.record
    blocks: list[Block] = [_attacks(index), *_defenses(index), *tested_claims(index)]
    if record.metrics:
        blocks += [
            Subheading("How to read the numbers", "reading"),
            _metrics(index),
        ]
    blocks += [
        Subheading("Baselines and controls", "controls"),
        Paragraph(
            say(
                "The ",
                strong("blind baseline"),
                " is the best that the same actor does without the messages: the mean image, the "
                "nearest of its own patients, or its own modality. ",
                strong("Advantage"),
                " is (value \u2212 blind) / (ceiling \u2212 blind): 0 is no better than blind, "
                "1 is "
                "a perfect attack, below 0 is worse than blind. ",
                strong("Controls"),
                " are runs whose answer is known: on the open, undefended split the attack must "
                "leak; on shuffled pairs it must not.",
            )
        ),
        _controls(index),
        Paragraph(say("How a verdict comes about:")),
        Items(
            (
                say(
                    strong("leak shown"),
                    ": the advantage is surely above 0, the blind baseline (one-sided 95 % "
                    "lower bound, "
                    "corrected for having picked the strongest of several attacks), and the attack "
                    "finds nothing on shuffled pairs.",
                ),
                say(
                    strong("not broken by these attacks"),
                    ": the upper bound is within X, from enough patients and seeds; the same "
                    "attack "
                    "leaks on the open split, finds nothing on shuffled pairs, and its effort "
                    "curve is flat.",
                ),
                say(strong("inconclusive"), ": neither; more patients, seeds or effort may tell."),
                say(strong("not tested"), ": no attack could be mounted, so nothing is known."),
                say(strong("attack invalid"), ": a control failed or the attack broke down."),
            )
        ),
        Paragraph(
            say(
                f"X is {_thresholds(index)}. The unit is the patient: slices of one patient are "
                f"not "
                f"independent. {_statistics(index)}"
            )
        ),
    ]
    return Section("6", "Method", tuple(blocks))


def _attacks(index: Index) -> Table:
    return Table(
        "attacks",
        say("Attacks: their family in NIST AI 100-2, and the criterion of WP216 they speak to."),
        (
            Column("Attack", weight=1.2),
            Column("What it does", weight=1.9),
            Column("Family, goal", weight=1.1),
            Column("Criterion", weight=0.8),
            Column("Effort and settings", weight=1.5),
            Column("Source", weight=1),
        ),
        tuple(
            (
                Cell(say(strong(attack.label))),
                Cell(say(attack.summary)),
                Cell(say(f"{FAMILY[attack.goal]}: {ASSET[attack.goal]}")),
                Cell(say(attack.criterion)),
                Cell(say(_effort(index, attack.label), settings_text(attack.settings))),
                Cell(say(attack.source)),
            )
            for attack in index.record.attacks
        ),
    )


def settings_text(settings: dict[str, object]) -> str:
    """`steps 1600, channels 32`."""
    given = {key: value for key, value in sorted(settings.items()) if value is not None}
    return ", ".join(f"{key} {value}" for key, value in given.items()) or "defaults"


def _effort(index: Index, attack: str) -> str:
    """What was spent, as far as effort curves tell."""
    spent = [p.effort for f in index.record.findings if f.attack == attack for p in f.curve]
    seeds = count(len(index.record.seeds), "seed")
    return f"Up to {max(spent):,} optimiser steps, {seeds}. " if spent else f"{seeds}. "


def _defenses(index: Index) -> list[Block]:
    record = index.record
    rows = []
    for defense in record.defenses:
        claims = "; ".join(
            f"{c.mechanism}: epsilon {number(c.epsilon)}, delta {c.delta:.1e} per {c.unit} "
            f"({c.neighbouring}; {c.composition}; {c.accountant}; {c.trust_model}). Not covered: "
            f"{c.not_covered}"
            for c in defense.claims
        )
        rows.append(
            (
                Cell(say(strong(index.title(defense.label)))),
                Cell(say(defense.summary)),
                Cell(say(claims or f"none: {defense.no_claim_because or 'no reason given'}")),
            )
        )
    return [
        Table(
            "defenses",
            say("Defense settings. The attacks are trained through them, knowing what they do."),
            (
                Column("Setting", weight=1.2),
                Column("What it does", weight=1.6),
                Column("Formal guarantee", weight=2),
            ),
            tuple(rows),
        )
    ]


def _metrics(index: Index) -> Table:
    rows = []
    for metric in index.record.metrics:
        rows.append(
            (
                Cell(say(strong(index.metric_label(metric.name)), _long(index, metric))),
                Cell(say(f"{metric.direction} is worse")),
                Cell(say(range_text(metric))),
                Cell(say("blind" if metric.chance is None else number(metric.chance))),
                Cell(say(ceiling_text(index, metric, "none", "measured:"))),
                Cell(say(metric.meaning)),
                Cell(say(metric.remedy)),
            )
        )
    return Table(
        "metrics",
        say(
            "Metrics of leakage: which way is worse, the range, guessing, and a perfect attack. "
            "Where guessing reads \u201cblind\u201d it was measured and stands beside each number."
        ),
        (
            Column("Metric", weight=1.1),
            Column("Direction", weight=0.9),
            Column("Range", weight=1),
            Column("Guessing", weight=0.8),
            Column("Ceiling", weight=0.7),
            Column("What it means for a patient", weight=2),
            Column("What to do about it", weight=2),
        ),
        tuple(rows),
    )


def _long(index: Index, metric: MetricSummary) -> str:
    short = index.metric_label(metric.name)
    return "" if metric.label in {short, metric.name} else f", {metric.label}"


def _controls(index: Index) -> Table:
    groups: dict[tuple[str, str, str, str], list[Control]] = {}
    for control in index.record.controls:
        key = (control.kind, control.adversary, control.asset, control.attack)
        groups.setdefault(key, []).append(control)
    rows = []
    for (kind, adversary, _, attack), runs in groups.items():
        who = next((actor(a) for a in index.record.adversaries if a.name == adversary), adversary)
        failed = [run for run in runs if not run.passed]
        means = [run.advantage.mean for run in runs if run.advantage is not None]
        spread = f"{number(min(means))} to {number(max(means))}" if means else "none measured"
        rows.append(
            (
                Cell(say(kind)),
                Cell(say(f"{who}, {ASSET[runs[0].asset]}: {attack}")),
                Cell(say(spread)),
                Cell(say(strong(f"{len(runs) - len(failed)} of {len(runs)}"))),
                Cell(say(_told(failed) if failed else runs[0].reason)),
            )
        )
    return Table(
        "control-runs",
        say(
            f"{count(len(index.record.controls), 'control')}. The advantage over blind, "
            "smallest to "
            "largest of the runs; how many gave the known answer."
        ),
        (
            Column("Control", weight=0.7),
            Column("Attack", weight=2),
            Column("Advantage", numeric=True, weight=1.1),
            Column("As expected", weight=0.9),
            Column("In words", weight=2.2),
        ),
        tuple(rows),
    )


def _told(failed: list[Control]) -> str:
    places = [f"{owner(run.victim)} {cuts_text(run.cuts)}" for run in failed]
    more = f" and {len(places) - FAILED_SHOWN} more" if len(places) > FAILED_SHOWN else ""
    return f"NOT as expected for {', '.join(places[:FAILED_SHOWN])}{more}: {failed[0].reason}"


def _thresholds(index: Index) -> str:
    values = sorted({verdict.threshold for verdict in index.record.verdicts})
    if not values:
        return "not set"
    return " or ".join(number(value) for value in values) + " (set in the configuration)"


def _statistics(index: Index) -> str:
    record = index.record
    methods = sorted({finding.estimate.method for finding in record.findings})
    seeds = count(len(record.seeds), "seed")
    return f"Intervals: {'; '.join(methods) or 'none'}; {seeds} of training and attack."

"""All estimates in one table, to sort and filter on screen."""

from __future__ import annotations

from leakaudit.record.cuts import cuts_text

from .blocks import Cell, Column, Table, ranged, say
from .evidence_index import Index, target
from .wording import interval, number, percent, places_of


def every_estimate(index: Index) -> Table:
    """One row per finding of the record."""
    rows = []
    level = 0.95
    for f in index.record.findings:
        places = places_of(f.metric)
        level = f.estimate.level
        advantage = f.advantage
        rows.append(
            (
                Cell(say(index.title(f.defense))),
                Cell(say(f.adversary)),
                Cell(say(target(f.asset, f.victim))),
                Cell(say(f.attack)),
                Cell(say(cuts_text(f.cuts))),
                Cell(say(f"{index.metric_label(f.metric)}, {f.region}")),
                Cell(say(number(f.estimate.mean, places)), order=f.estimate.mean),
                Cell(say(ranged(interval(f.estimate, places)))),
                Cell(
                    say("" if f.blind is None else number(f.blind.mean, places)),
                    order=None if f.blind is None else f.blind.mean,
                ),
                Cell(
                    say("" if advantage is None else number(advantage.mean)),
                    order=None if advantage is None else advantage.mean,
                ),
            )
        )
    return Table(
        "all-findings",
        say(
            f"All {len(rows):,} estimates, mean over patients with {percent(level)} intervals. "
            "Sort by a heading; choose or type to filter."
        ),
        (
            Column("Setting", facet=True), Column("Actor", facet=True),
            Column("Asset", facet=True), Column("Attack", facet=True),
            Column("Cuts", facet=True), Column("Metric, region", facet=True),
            Column("Value", numeric=True),
            Column("Interval"), Column("Blind", numeric=True), Column("Advantage", numeric=True),
        ),
        tuple(rows),
        sortable=True,
        filterable=True,
        screen_only=True,
    )  # fmt: skip

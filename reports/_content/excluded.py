"""The smallest leak that an audit could have excluded: first on page one, and in section 11."""

from __future__ import annotations

from leakaudit.record import Power

from .blocks import Block, Callout, Cell, Column, Paragraph, Table, say
from .evidence_index import Index
from .wording import ASSET, count, joined, number

SHARE = 80
"""Of 100 audits of a defense that leaks nothing, those that must say so."""


def excluded_first(index: Index) -> tuple[Callout, ...]:
    """What page one begins with; nothing where an older record does not say."""
    power = index.record.power
    if not power:
        return ()
    found = joined([f"{_named(index, each)} {_excluded(each.smallest)}" for each in power])
    limit = number(power[0].threshold)
    small = [each for each in power if not each.reachable]
    out = ""
    if small:
        names = joined([_named(index, each) for each in small])
        out = (
            f" On {names} this audit was too small for \u201cnot broken by these attacks\u201d: "
            + "; ".join(_too_small(index, each) for each in small)
            + "."
        )
    return (
        Callout(
            "The smallest leak that this audit could have excluded",
            say(
                f"{found[:1].upper()}{found[1:]}: advantage, mean over patients, where 0 is the "
                f"blind guess and 1 a perfect attack. {limit} is what must be excluded.{out}"
            ),
            "caution" if small else "note",
        ),
    )


def excluded_table(index: Index) -> list[Block]:
    """The same with everything it rests on."""
    power = index.record.power
    rows = tuple(
        (
            Cell(say(f"{ASSET[each.asset]}, by {joined(each.adversaries)}")),
            Cell(say(f"{count(each.patients, 'patient')}, {count(each.seeds, 'seed')}")),
            Cell(say(_excluded(each.smallest)), order=each.smallest),
            Cell(say(_excluded(each.smallest_worst)), order=each.smallest_worst),
            Cell(say(f"{100 * each.share:.0f} of 100"), order=each.share),
            Cell(say("this audit" if each.reachable else _enough(each))),
            Cell(say(_spread(each))),
        )
        for each in power
    )
    reasons = [
        Paragraph(say(f"{_named(index, each).capitalize()}: {each.reason}."))
        for each in power
        if each.reason
    ]
    return [
        Paragraph(
            say(
                "Audits of a defense that leaks nothing were simulated, of this audit's patients, "
                "seeds, attacks and cuts, and judged as it was. Smallest: the advantage that "
                f"{SHARE} of 100 of them exclude. Say so: how many end in \u201cnot broken by "
                "these attacks\u201d."
            )
        ),
        Table(
            "excluded",
            say(f"The smallest leak that could have been excluded; X is {_thresholds(index)}."),
            (
                Column("Asset, actor", weight=1.5), Column("Size"),
                Column("Smallest", numeric=True, weight=0.8),
                Column("Of the worst patient", numeric=True, weight=0.9),
                Column("Say so", numeric=True, weight=0.8),
                Column("Would do", weight=1.2), Column("How advantages stray", weight=1.9),
            ),
            rows,
        ),
        *reasons,
    ]  # fmt: skip


def _thresholds(index: Index) -> str:
    return joined(sorted({number(each.threshold) for each in index.record.power}))


def _named(index: Index, each: Power) -> str:
    """The asset, and by whom where that makes a difference."""
    alone = sum(other.asset == each.asset for other in index.record.power) == 1
    name = ASSET[each.asset]
    return name if alone else f"{name} by {joined(each.adversaries)}"


def _excluded(smallest: float | None) -> str:
    return "nothing" if smallest is None else number(smallest)


def _too_small(index: Index, each: Power) -> str:
    why = each.reason or f"{100 * each.share:.0f} of 100 such audits would say so of no leak at all"
    return f"{_named(index, each)}: {why}; {_enough(each)} would do"


def _enough(each: Power) -> str:
    if each.patients_needed is None:
        return "no size that can be audited"
    seeds = "" if each.seeds_needed == each.seeds else f" and {each.seeds_needed} seeds"
    return f"{count(each.patients_needed, 'attacked patient')}{seeds}"


def _spread(each: Power) -> str:
    if each.spread is None:
        found = (
            "" if each.ceiling is None else f"; of the truth {number(100 * each.ceiling, 0)} of 100"
        )
        return f"people are picked at random{found}"
    how = "measured" if each.measured else "assumed"
    return (
        f"{how}: {number(each.spread.patient, 3)} between patients, {number(each.spread.seed, 3)} "
        f"between seeds, {number(each.spread.rest, 3)} beyond both"
    )

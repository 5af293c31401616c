"""By what attacks tried to read messages: a code that was undone, and what the decoders told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leakaudit.record import Portfolio, PortfolioWay
from leakaudit.record.cuts import cuts_text

from .blocks import Block, Cell, Column, Paragraph, Subheading, Table, say, strong
from .evidence_index import Index
from .wording import count, joined, number

_AS_SENT = "as sent"
_MOST_NAMED = 3


def portfolio(index: Index) -> list[Block]:
    """What was looked for and found, in a sentence, and one row per search on screen."""
    entries = index.record.portfolios
    if not entries:
        return []
    return [
        Subheading("How the messages were read", "portfolio"),
        Paragraph(
            say(
                "Several ways to read messages are weighed against each other on auxiliary "
                "patients that they did not learn from, never on victims: first what may undo a "
                "code, then linear decoders and a network. What is said to be told is a share of "
                "the images' variance: 1 is all of it, 0 the mean image. ",
                *_found(index, [entry for entry in entries if entry.kind == "undoing"]),
            )
        ),
        Table(
            "portfolio-table",
            say(
                f"{count(len(entries), 'choice')} among ways to read messages. Undoing is weighed "
                "by a quick regression at the cut's resolution, decoders at the image's: the two "
                "do not compare."
            ),
            (
                Column("Setting", facet=True), Column("Actor", facet=True),
                Column("Attack", facet=True), Column("Party", facet=True),
                Column("Cuts", facet=True), Column("Choice of", facet=True),
                Column("As sent", numeric=True), Column("Best", numeric=True),
                Column("Ways, the best first, and in how many runs they were used"),
            ),
            tuple(_row(index, entry) for entry in entries),
            sortable=True,
            filterable=True,
            screen_only=True,
        ),
    ]  # fmt: skip


def _found(index: Index, searches: Sequence[Portfolio]) -> Iterable[str]:
    """What searches for codes came to, setting by setting."""
    for setting in index.settings:
        mine = [entry for entry in searches if entry.setting == setting]
        if not mine:
            continue
        undone = dict.fromkeys(
            way.way for entry in mine for way in entry.ways if way.used and way.way != _AS_SENT
        )
        tried = max(len(entry.ways) + entry.others for entry in mine) - 1
        if undone:
            named = joined([f"\u201c{each}\u201d" for each in list(undone)[:_MOST_NAMED]])
            more = f" and {len(undone) - _MOST_NAMED} more" if len(undone) > _MOST_NAMED else ""
            yield f"{index.title(setting)}: undone by {named}{more}. "
        elif tried:
            ways = count(tried, "way")
            yield f"{index.title(setting)}: {ways} of undoing told no more than messages as sent. "
        else:
            yield f"{index.title(setting)}: messages are read as sent, so nothing was looked for. "


def _row(index: Index, entry: Portfolio) -> tuple[Cell, ...]:
    sent = next((way for way in entry.ways if way.way == _AS_SENT), None)
    best = entry.ways[0] if entry.ways else None
    return (
        Cell(say(strong(index.title(entry.setting)))),
        Cell(say(entry.adversary)),
        Cell(say(entry.attack)),
        Cell(say(entry.victim)),
        Cell(say(cuts_text(entry.cuts))),
        Cell(say(entry.kind)),
        _told(sent),
        _told(best),
        Cell(say(_listed(entry))),
    )


def _told(way: PortfolioWay | None) -> Cell:
    return Cell(say("")) if way is None else Cell(say(number(way.told)), order=way.told)


def _listed(entry: Portfolio) -> str:
    ways = [
        f"{way.way} {number(way.told)}"
        + (f" (used in {way.used} of {entry.runs})" if way.used else "")
        for way in entry.ways
    ]
    text = "; ".join(ways)
    if entry.others:
        text += f"; {count(entry.others, 'other')} told less"
    for reason, names in entry.skipped.items():
        text += f"; could not be tried ({reason}): {joined(names)}"
    return f"{text}."

"""The presence control: do the messages tell which image was sent, whatever an attack shows?"""

from __future__ import annotations

from collections.abc import Sequence

from leakaudit.record import PresenceControl

from .blocks import Block, Cell, Column, Paragraph, Subheading, Table, muted, ranged, say, strong
from .evidence_index import Index
from .wording import interval, joined, number

_MOST_NAMED = 5


def presence(index: Index) -> list[Block]:
    """One row per setting and party."""
    controls = index.record.presence
    if not controls:
        return []
    return [
        Subheading("Do the messages carry the image", "presence"),
        Paragraph(
            say(
                "A control that knows the images: each is asked about through the defense, and the "
                "answer is compared with what was recorded, under many descriptors, some of which "
                "no permutation, shift, sign, scale, rotation or mixing changes. Where a message "
                "is surely more like its own image's than like the others', it carries the image, "
                "and silence of the attacks does not count. Where the control finds nothing, "
                "nothing is proven."
            )
        ),
        Table(
            "presence-table",
            say(
                "Rate: how often a message is more like its own image than like another patient's, "
                f"by one comparison; {number(controls[0].chance)} by guessing. p: exact, corrected "
                "for all comparisons, epochs and seeds; the control fires at "
                f"{controls[0].level:g} or less."
            ),
            (
                Column("Setting", weight=1.1), Column("Party", weight=0.7),
                Column("Epochs", weight=0.6), Column("Rate", numeric=True, weight=1.2),
                Column("p", numeric=True, weight=0.6), Column("Carries the image", weight=2.6),
            ),
            tuple(_row(index, control) for control in controls),
            sortable=True,
        ),
    ]  # fmt: skip


def _row(index: Index, control: PresenceControl) -> tuple[Cell, ...]:
    rate = control.rate
    by = f" By {control.strongest}." if control.fired else ""
    if control.in_clear:
        by += f" In clear in one channel: {_named(control.in_clear)}."
    if control.unlike:
        by += f" Unlike anything queried, so that no attack learnt it: {_named(control.unlike)}."
    return (
        Cell(say(strong(index.title(control.setting)))),
        Cell(say(control.victim)),
        Cell(say(", ".join(map(str, control.epochs)))),
        Cell(say("not run"))
        if rate is None
        else Cell(say(strong(number(rate.mean)), ranged(f" ({interval(rate)})")), order=rate.mean),
        Cell(say("not run"))
        if control.p is None
        else Cell(say(f"{control.p:.2g}"), order=control.p),
        Cell(
            say(
                strong("yes: ") if control.fired else "",
                muted(f"{control.reason}.{by}"),
            )
        ),
    )


def _named(patients: Sequence[str]) -> str:
    """The first of many: the record names them all."""
    if len(patients) > _MOST_NAMED:
        return f"{', '.join(patients[:_MOST_NAMED])} and {len(patients) - _MOST_NAMED} more"
    return joined(patients)

"""What a cheating server does to the training: what its attack costs, and who could notice."""

from __future__ import annotations

from leakaudit.record import Interference

from .._figures.effort import Curve, effort_curves
from .blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Panels,
    Paragraph,
    Rich,
    Subheading,
    Table,
    ranged,
    say,
    strong,
)
from .evidence_index import Index
from .wording import interval, number, signed


def interference(index: Index) -> list[Block]:
    """Dice and training loss under every active attack, beside the honest training."""
    found = index.record.interferences
    if not found:
        return []
    curves = [figure for each in found if (figure := _losses(index, each)) is not None]
    blocks: list[Block] = [
        Subheading("Where the server cheats", "interference"),
        Paragraph(
            say(
                "An active attack changes what the parties are sent back. It was mounted in "
                "trainings of its own: every other attack, and the Dice of the settings, speak of "
                "a training in which the server is honest. Two things can give a cheating server "
                "away: the Dice of the network that comes out, and the training loss, which "
                "whoever holds the labels sees in every epoch."
            )
        ),
        Table(
            "interference",
            say("Trainings in which the server cheats, beside the same trainings without."),
            (
                Column("Setting", weight=1.1),
                Column("Actor", weight=1.1),
                Column("Attack", weight=1.2),
                Column("Dice after it", numeric=True, weight=1.3),
                Column("Against the honest training", numeric=True, weight=1.3),
                Column("Last training loss", numeric=True),
                Column("Honest", numeric=True, weight=0.7),
            ),
            tuple(_row(index, each) for each in found),
            sortable=True,
            note=say(
                f"Dice of {found[0].region} on validation patients; the difference is paired over "
                "patients and seeds. Losses are means over seeds, of the last epoch."
            ),
        ),
    ]
    if curves:
        blocks.append(
            Panels(
                "interference-losses",
                say(
                    "Training loss per epoch, mean over seeds, with an honest and with a cheating "
                    "server: the curve that a label holder can compare with a rehearsal of its own."
                ),
                tuple(curves),
            )
        )
    return blocks


def price_of_cheating(index: Index, adversary: str) -> Rich:
    """One sentence for page one; empty where the actor took part in no training."""
    mine = [each for each in index.record.interferences if each.adversary == adversary]
    same = [each for each in mine if each.setting == index.undefended] or mine
    told = [each for each in same if each.dice is not None]
    if not told:
        return ()
    one = max(told, key=lambda each: each.dice.mean if each.dice is not None else 0.0)
    dice = number(one.dice.mean) if one.dice is not None else ""
    change = (
        ""
        if one.dice_change is None
        else f" ({signed(one.dice_change.mean)} against an honest server)"
    )
    return say(
        strong("What cheating costs it. "),
        f"{one.attack} changes the training itself: the network that comes out has a Dice of "
        f"{dice}{change}. The smaller the difference, the less "
        "the parties would notice; section 7 shows the loss, too.",
    )


def _row(index: Index, each: Interference) -> tuple[Cell, ...]:
    return (
        Cell(say(strong(index.title(each.setting)))),
        Cell(say(each.adversary)),
        Cell(say(each.attack)),
        Cell(say("not measured"))
        if each.dice is None
        else Cell(
            say(strong(number(each.dice.mean)), ranged(f" ({interval(each.dice)})")),
            order=each.dice.mean,
        ),
        Cell(say("not known"))
        if each.dice_change is None
        else Cell(
            say(strong(signed(each.dice_change.mean)), ranged(f" ({interval(each.dice_change)})")),
            order=each.dice_change.mean,
        ),
        _last(each.losses),
        _last(each.honest_losses),
    )


def _last(losses: tuple[float, ...]) -> Cell:
    if not losses:
        return Cell(say("not measured"))
    return Cell(say(number(losses[-1], 3)), order=losses[-1])


def _losses(index: Index, each: Interference) -> Figure | None:
    if len(each.losses) < 2 or len(each.honest_losses) < 2:
        return None
    title = f"{index.title(each.setting)}: {each.attack} by {each.adversary}"
    both = (("honest server", each.honest_losses), ("cheating server", each.losses))
    curves = [
        Curve(label, tuple((epoch, loss, None, None) for epoch, loss in enumerate(losses, 1)))
        for label, losses in both
    ]
    told = "; ".join(
        f"{label}: {number(losses[0], 3)} in the first epoch, {number(losses[-1], 3)} in the last"
        for label, losses in both
    )
    place = index.record.interferences.index(each)
    return Figure(
        f"interference-losses-{place}",
        say(title),
        effort_curves(title, curves, None, "training loss", ("epoch", "epochs")),
        f"{title}. {told}.",
        title=title,
    )

"""Section 8: what each protection costs in Dice, per actor."""

from __future__ import annotations

from leakaudit.record import Estimate, TradeOff, TradeOffPoint

from .blocks import Block, Cell, Column, Items, Panels, Paragraph, Rich, Section, Table, say, strong
from .evidence_index import Index, Question, actor, owner
from .standouts import MANY
from .trade_off_map import map_of, trade_off_of, unnamed
from .utility_table import utility_table
from .wording import ASSET, count, interval, joined, number, signed


def trade_offs(index: Index) -> Section:
    """One map per actor and asset, the numbers, and the settings that nothing beats."""
    blocks: list[Block] = [
        Paragraph(
            say(
                "Each map sets what an actor gains against what the network keeps: further left "
                "leaks less, further up segments better. Crosses are 95 % intervals over "
                "patients, or bounds from one side where patients or seeds are too few for "
                "intervals."
            )
        )
    ]
    maps = [found for q in index.questions if (found := map_of(index, q)) is not None]
    if maps:
        blocks.append(
            Panels(
                "trade-off",
                say(
                    f"Dice ({index.main_region}) against leakage, one map per actor and asset, for "
                    "the victim that leaks most under each setting. The line at 0 is the blind "
                    "guess; dotted lines are what is possible without a split. What reaches beyond "
                    "the frame is cut there; a setting beyond it has an arrow and its number."
                    + (" What is shaded keeps the target." if index.record.answer else "")
                    + unnamed(index)
                ),
                tuple(maps),
            )
        )
    else:
        blocks.append(Paragraph(say("No setting has both a leakage and a Dice value.")))
    blocks.append(utility_table(index))
    weighed = [(q, both) for q in index.questions if (both := trade_off_of(index, q))]
    if weighed:
        for pair in weighed:
            blocks += _settled(index, *pair)
        blocks.append(_weighed(index, weighed))
    else:
        blocks += [Paragraph(text) for q in index.questions if (text := _front(index, q))]
    return Section("8", "Trade-off", tuple(blocks))


def _settled(index: Index, question: Question, weighed: TradeOff) -> list[Block]:
    """The Pareto front, as far as the evidence settles it: a sentence, or a list of many."""
    kept = [point for point in weighed.points if point.setting not in index.useless]
    front = [point for point in kept if not point.dominated_by]
    beaten, useless = len(kept) - len(front), len(weighed.points) - len(kept)
    text = f" Surely beaten: {count(beaten, 'setting')}, see the table." if beaten else ""
    text += f" Left out for a Dice surely below the floor: {useless}." if useless else ""
    who = strong(f"{actor(question.adversary)}, {ASSET[question.asset]}. ")
    if len(front) > MANY:
        many = f"{len(front)} settings that no other surely beats, the least leaking first."
        ordered = sorted(front, key=lambda point: point.leakage.mean)
        return [
            Paragraph(say(who, many, text)),
            Items(tuple(say(_told(index, point)) for point in ordered)),
        ]
    told = "; ".join(_told(index, point) for point in front) or "none"
    return [Paragraph(say(who, "Settings that no other surely beats: ", told, ".", text))]


def _told(index: Index, point: TradeOffPoint) -> str:
    dice = "not measured" if point.dice is None else number(point.dice.mean)
    leakage = number(point.leakage.mean)
    return (
        f"{index.title(point.setting)} (leakage {leakage} for {owner(point.victim)}, Dice {dice})"
    )


def _weighed(index: Index, weighed: list[tuple[Question, TradeOff]]) -> Table:
    rows = []
    for question, found in weighed:
        for point in found.points:
            change, score = point.dice_change, point.defense_capability
            beaten = joined([index.title(name) for name in point.dominated_by[:3]])
            more = len(point.dominated_by) - 3
            rows.append(
                (
                    Cell(say(f"{actor(question.adversary)}, {ASSET[question.asset]}")),
                    Cell(say(strong(index.title(point.setting)))),
                    Cell(
                        say(number(point.leakage.mean), f" ({interval(point.leakage)})"),
                        order=point.leakage.mean,
                    ),
                    Cell(say("reference" if point.setting == index.undefended else "not measured"))
                    if change is None
                    else Cell(say(signed(change.mean), _ends(change)), order=change.mean),
                    Cell(
                        say("Dice below the floor")
                        if point.setting in index.useless
                        else say("on the front")
                        if not beaten
                        else say("beaten by ", beaten, f" and {more} more" if more > 0 else "")
                    ),
                    Cell(say("not measured" if score is None else number(score)), order=score),
                )
            )
    margin = number(weighed[0][1].margin)
    return Table(
        "trade-offs",
        say(
            "Leakage and price of each setting. The price is Dice with the setting minus Dice "
            "without any defense, paired over validation patients and seeds. A setting is beaten "
            "where another is surely better in leakage or Dice (paired over patients and seeds, "
            "Holm over all pairs) and, by the 95 % bound of that pair alone, not worse in the "
            f"other by more than {margin}."
        ),
        (
            Column("Actor, asset", weight=1.3),
            Column("Setting", weight=1.2),
            Column("Leakage", numeric=True, weight=1.3),
            Column("Price in Dice", numeric=True, weight=1.3),
            Column("Against the others", weight=1.4),
            Column("DCS", numeric=True, weight=0.6),
        ),
        tuple(rows),
        sortable=True,
        note=say(
            "DCS is the Defense Capability Score of VFLAIR (Zou et al., ICLR 2024, equation 1, "
            "beta 0.5): 1 / (1 + distance) to a defense that leaves the attack nothing and costs "
            "no Dice; 1 is best. It is printed for those who compare: it has no interval, and "
            "weighs a little leakage against a little Dice as if they were the same thing. Attack "
            "performance is the leakage above, of the strongest attack."
        ),
    )


def _ends(estimate: Estimate) -> str:
    if estimate.lower is not None and estimate.upper is not None:
        return f" ({signed(estimate.lower)} to {signed(estimate.upper)})"
    bounds = (("at least", estimate.one_sided_lower), ("at most", estimate.one_sided_upper))
    said = [f"{word} {signed(end)}" for word, end in bounds if end is not None]
    return f" ({', '.join(said) or 'no interval'})"


def _front(index: Index, question: Question) -> Rich:
    """For records without trade-offs: settings that no other beats in both, by their means."""
    placed = []
    for setting in index.settings:
        worst, dice = index.worst(question, setting), index.dice(setting)
        if worst is not None and worst.advantage is not None and dice is not None:
            placed.append((setting, worst.advantage.mean, dice.estimate.mean, worst.victim))
    if len(placed) < 2:
        return ()
    front = [
        (name, leak, dice, victim)
        for name, leak, dice, victim in placed
        if not any(
            other_leak <= leak and other_dice >= dice and (other_leak, other_dice) != (leak, dice)
            for _, other_leak, other_dice, _ in placed
        )
    ]
    told = "; ".join(
        f"{index.title(name)} (leakage {number(leak)} for {owner(victim)}, Dice {number(dice)})"
        for name, leak, dice, victim in front
    )
    return say(
        strong(f"{actor(question.adversary)}, {ASSET[question.asset]}. "),
        "Settings that no other beats in both leakage and Dice: ", told, ".",
    )  # fmt: skip

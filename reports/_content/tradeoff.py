"""Section 8: what each protection costs in Dice, per actor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from leakaudit.record import Estimate, TradeOff, TradeOffPoint, Utility

from .._figures.tradeoff import Point, Span, trade_off
from .blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Items,
    Panels,
    Paragraph,
    Rich,
    Section,
    Table,
    ranged,
    say,
    strong,
)
from .evidence_index import Index, Question, actor, owner
from .standouts import MANY, told_apart
from .wording import ASSET, count, interval, joined, number, signed, size


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
    blocks.append(_utility(index))
    weighed = [(q, both) for q in index.questions if (both := trade_off_of(index, q))]
    if weighed:
        for pair in weighed:
            blocks += _settled(index, *pair)
        blocks.append(_weighed(index, weighed))
    else:
        blocks += [Paragraph(text) for q in index.questions if (text := _front(index, q))]
    return Section("8", "Trade-off", tuple(blocks))


def trade_off_of(index: Index, question: Question) -> TradeOff | None:
    """The record's trade-off on a question; None in records that hold none."""
    return next(
        (
            found
            for found in index.record.trade_offs
            if (found.adversary, found.asset) == (question.adversary.name, question.asset)
        ),
        None,
    )


def map_of(index: Index, question: Question) -> Figure | None:
    """The trade-off map of one actor and asset; None where nothing can be placed on it."""
    placed = _placed(index, question)
    if not placed:
        return None
    leaks = {setting: point.leakage.value for setting, point in placed.items()}
    named, _ = told_apart(index, leaks)
    # What leaks least of all is named even where its network segments nothing.
    named.add(min(leaks, key=lambda setting: leaks[setting]))
    points = [replace(point, named=setting in named) for setting, point in placed.items()]
    title = f"{actor(question.adversary)}: {ASSET[question.asset]}"
    told = "; ".join(
        f"{p.label}: leakage {number(p.leakage.value)}, Dice {number(p.dice.value)}" for p in points
    )
    return Figure(
        f"map-{question.key}-{index.questions.index(question)}",
        say(title),
        trade_off(
            title, points, _references(index), f"Dice, {index.main_region}",
            _bound(index, question),
        ),
        f"{title}. {told}. The same numbers stand in the tables of sections 7 and 8.",
        title=title,
    )  # fmt: skip


def unnamed(index: Index) -> str:
    """Which settings the maps name where there are many; nothing where they name all."""
    if len(index.settings) <= MANY:
        return ""
    return (
        " Named are the setting without a defense, the recommended one, and those that leak least, "
        "in the middle and most; the others are small and grey, and stand in the tables "
        "of sections 7 and 8."
    )


def _placed(index: Index, question: Question) -> dict[str, Point]:
    weighed = trade_off_of(index, question)
    if weighed is not None:
        return {
            point.setting: Point(
                index.title(point.setting),
                _span(point.leakage),
                _span(point.dice),
                point.setting == index.undefended,
                beaten=bool(point.dominated_by),
            )
            for point in weighed.points
            if point.dice is not None
        }
    points = {}
    for setting in index.settings:
        worst, dice = index.worst(question, setting), index.dice(setting)
        if worst is not None and worst.advantage is not None and dice is not None:
            points[setting] = Point(
                index.title(setting),
                _span(worst.advantage),
                _span(dice.estimate),
                setting == index.undefended,
            )
    return points


def _bound(index: Index, question: Question) -> float | None:
    """The strictest target on the map's own scale; None where none speaks of the question."""
    answer = index.record.answer
    return min(
        (
            target.max
            for target in (answer.targets if answer is not None else ())
            if target.max is not None
            and (target.measure, target.tail) == ("advantage", "mean")
            and target.asset in (None, question.asset)
            and target.adversary in (None, question.adversary.name)
        ),
        default=None,
    )


def _span(estimate: Estimate) -> Span:
    if estimate.lower is None or estimate.upper is None:
        return Span(estimate.mean, estimate.one_sided_lower, estimate.one_sided_upper)
    return Span(estimate.mean, estimate.lower, estimate.upper)


def _references(index: Index) -> list[tuple[str, float]]:
    """The pooled network and the best of the parties that train alone."""
    found = []
    alone = []
    for label in index.references:
        dice = index.dice(label)
        if dice is None:
            continue
        if label.startswith("alone"):
            alone.append((f"best {label}", dice.estimate.mean))
        else:
            found.append(("all data in one place" if label == "pooled" else label,
                          dice.estimate.mean))  # fmt: skip
    return found + sorted(alone, key=lambda pair: pair[1])[-1:]


def _utility(index: Index) -> Table:
    regions = list(dict.fromkeys(u.region for u in index.record.utility if u.metric == "dice"))
    measured = {u.metric for u in index.record.utility}
    further = [name for name in ("dice over all pixels", "hd95") if name in measured]
    rows = []
    for setting in (*index.settings, *index.references):
        cells = [Cell(say(strong(index.title(setting))))]
        cells += [_number(index.utility(setting, "dice", region)) for region in regions]
        cells += [_number(index.utility(setting, metric)) for metric in further]
        cost = next((c for c in index.record.costs if c.setting == setting), None)
        cells.append(
            Cell(say("nothing crosses"))
            if cost is None
            else Cell(say(size(cost.bytes_per_patient)), order=cost.bytes_per_patient)
        )
        clock = index.record.volatile
        seconds = clock.seconds_per_step.get(setting)
        memory = clock.peak_memory_bytes.get(setting)
        cells.append(_measured(seconds, lambda value: f"{value * 1000:,.0f} ms"))
        cells.append(_measured(memory, size))
        rows.append(tuple(cells))
    hd95 = next((u.unit for u in index.record.utility if u.metric == "hd95"), "")
    titles = {
        "dice over all pixels": f"Dice {index.main_region}, all pixels",
        "hd95": f"HD95 {index.main_region}, {hd95}",
    }
    return Table(
        "utility",
        say(
            "Utility and cost by setting: mean over validation patients and its 95 % interval, or "
            "bounds. "
            "Higher Dice is better, lower HD95 is better. Bytes are per patient and epoch; time is "
            "that of one training step, memory the peak of the whole process, both on the machine "
            "that ran it. A "
            "number "
            "without an interval has none: one patient, or pixels of all patients together."
        ),
        (
            Column("Setting", weight=1.4),
            *(Column(f"Dice {region}", numeric=True) for region in regions),
            *(Column(titles[name], numeric=True) for name in further),
            Column("Sent", numeric=True, weight=0.8),
            Column("Step", numeric=True, weight=0.8),
            Column("Memory", numeric=True, weight=0.8),
        ),
        tuple(rows),
        sortable=True,
        note=_excluded(index),
    )


def _measured(value: float | None, told: Callable[[float], str]) -> Cell:
    if value is None:
        return Cell(say("not measured"))
    return Cell(say(told(value)), order=value)


def _number(utility: Utility | None) -> Cell:
    if utility is None:
        return Cell(say("not measured"))
    places = 1 if utility.metric == "hd95" else 2
    estimate = utility.estimate
    ends = "" if estimate.lower is None else f" ({interval(estimate, places)})"
    return Cell(say(strong(number(estimate.mean, places)), ranged(ends)), order=estimate.mean)


def _excluded(index: Index) -> Rich:
    excluded = sum(u.excluded for u in index.record.utility)
    if not excluded:
        return ()
    return say(
        f"{excluded:,} values are undefined (a region absent from mask and prediction, for "
        f"example) "
        "and are left out, not counted as 0."
    )


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

"""Section 8: what each protection costs in Dice, per actor."""

from __future__ import annotations

from leakaudit.record.model import Estimate, Utility

from .._figures.tradeoff import Point, Span, trade_off
from .blocks import (
    Block,
    Cell,
    Column,
    Figure,
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
from .wording import ASSET, interval, number, size


def trade_offs(index: Index) -> Section:
    """One map per actor and asset, the numbers, and the settings that nothing beats."""
    blocks: list[Block] = [
        Paragraph(
            say(
                "Each map sets what an actor gains against what the network keeps: further left "
                "leaks less, further up segments better. Crosses are 95 % intervals over patients."
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
                    "guess; dotted lines are what is possible without a split."
                ),
                tuple(maps),
            )
        )
    else:
        blocks.append(Paragraph(say("No setting has both a leakage and a Dice value.")))
    blocks.append(_utility(index))
    blocks += [Paragraph(text) for q in index.questions if (text := _front(index, q))]
    return Section("8", "Trade-off", tuple(blocks))


def map_of(index: Index, question: Question) -> Figure | None:
    """The trade-off map of one actor and asset; None where nothing can be placed on it."""
    points = []
    for setting in index.settings:
        worst, dice = index.worst(question, setting), index.dice(setting)
        if worst is None or worst.advantage is None or dice is None:
            continue
        points.append(
            Point(
                index.title(setting),
                _span(worst.advantage),
                _span(dice.estimate),
                setting == index.undefended,
            )
        )
    if not points:
        return None
    title = f"{actor(question.adversary)}: {ASSET[question.asset]}"
    told = "; ".join(
        f"{p.label}: leakage {number(p.leakage.value)}, Dice {number(p.dice.value)}" for p in points
    )
    return Figure(
        f"map-{question.key}-{index.questions.index(question)}",
        say(title),
        trade_off(title, points, _references(index), f"Dice, {index.main_region}"),
        f"{title}. {told}. The same numbers stand in the tables of sections 7 and 8.",
        title=title,
    )


def _span(estimate: Estimate) -> Span:
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
        rows.append(tuple(cells))
    hd95 = next((u.unit for u in index.record.utility if u.metric == "hd95"), "")
    titles = {
        "dice over all pixels": f"Dice {index.main_region}, all pixels",
        "hd95": f"HD95 {index.main_region}, {hd95}",
    }
    return Table(
        "utility",
        say(
            "Utility and cost by setting: mean over validation patients and its 95 % interval. "
            "Higher Dice is better, lower HD95 is better. Bytes are per patient and epoch. A "
            "number "
            "without an interval has none: one patient, or pixels of all patients together."
        ),
        (
            Column("Setting", weight=1.4),
            *(Column(f"Dice {region}", numeric=True) for region in regions),
            *(Column(titles[name], numeric=True) for name in further),
            Column("Sent", numeric=True, weight=0.8),
        ),
        tuple(rows),
        sortable=True,
        note=_excluded(index),
    )


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


def _front(index: Index, question: Question) -> Rich:
    """The settings that no other beats in both leakage and Dice, by their means."""
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
        f"{name} (leakage {number(leak)} for {owner(victim)}, Dice {number(dice)})"
        for name, leak, dice, victim in front
    )
    return say(
        strong(f"{actor(question.adversary)}, {ASSET[question.asset]}. "),
        "Settings that no other beats in both leakage and Dice: ", told, ".",
    )  # fmt: skip

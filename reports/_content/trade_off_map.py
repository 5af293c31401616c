"""The trade-off map of one actor and asset: Dice against leakage."""

from __future__ import annotations

from dataclasses import replace

from leakaudit.record import Estimate, TradeOff

from .._figures.tradeoff import Point, Span, trade_off
from .blocks import Figure, say
from .evidence_index import Index, Question, actor
from .standouts import MANY, told_apart
from .wording import ASSET, number


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

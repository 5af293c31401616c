"""The answer of an audit in a few lines: what beats what, and the least defense that is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakaudit.cli.ends import ends
from leakaudit.cli.terminal import printable, say, table, warn

if TYPE_CHECKING:
    from leakaudit.record import Answer, Estimate, Record, SearchSummary, TargetSummary, TradeOff

_COLUMNS = ("defense", "leakage", "Dice", "price in Dice", "DCS", "surely beaten by")
_MOST_NAMED = 2


def show_answer(record: Record) -> None:
    """Trade-offs where several settings were audited; the answer where somebody asked for one."""
    several = len(record.defenses) > 1
    if several:
        for found in record.trade_offs:
            _show_trade_off(found, record)
    for search in record.searches:
        say(_searched(search))
    if record.answer is not None and several:
        _show(record.answer, _undefended(record))
        _show_uncovered(record.answer)


def _undefended(record: Record) -> str | None:
    return next((defense.label for defense in record.defenses if not defense.stack), None)


def _show_trade_off(found: TradeOff, record: Record) -> None:
    undefended = _undefended(record)
    useless = () if record.answer is None else record.answer.useless
    rows = []
    for point in found.points:
        named = ", ".join(point.dominated_by[:_MOST_NAMED])
        more = len(point.dominated_by) - _MOST_NAMED
        rows.append(
            (
                point.setting,
                _spread(point.leakage),
                "not measured" if point.dice is None else _spread(point.dice),
                "reference" if point.setting == undefended else _signed(point.dice_change),
                "" if point.defense_capability is None else f"{point.defense_capability:.2f}",
                "Dice below the floor"
                if point.setting in useless
                else (f"{named} +{more}" if more > 0 else named),
            )
        )
    table(f"Trade-off, {found.asset} by {found.adversary}: Dice {found.region}", _COLUMNS, rows)


def _show(answer: Answer, undefended: str | None) -> None:
    targets = "; ".join(_target(target) for target in answer.targets)
    by = "" if answer.policy is None else f" (policy {answer.policy!r})"
    say(printable(f"Targets{by}: {targets}."))
    if answer.least is None:
        said = "no setting meets every target"
        why = (
            answer.reason.removeprefix(said)
            if answer.reason.startswith(said)
            else (f": {answer.reason}")
        )
        if answer.nearest is not None and answer.excess is not None:
            why = _nearest(answer, undefended)
        warn(printable(f"No setting meets every target{why}."))
        return
    if answer.least == undefended:
        say("Every target is met without any defense.")
        return
    also = f"; not surely dearer: {', '.join(answer.rivals)}" if answer.rivals else ""
    say(
        printable(
            f"Least defense that meets every target: {answer.least}, "
            f"Dice {_signed(answer.dice_change)}{also}."
        )
    )
    compared = len({each.setting for each in answer.standings})
    say(f"Picked of {compared} settings; each bound is that of one setting, not of the best.")


def _show_uncovered(answer: Answer) -> None:
    """What leaks under that setting for sure, though it meets every target."""
    if answer.uncovered:
        leaks = "; ".join(
            f"{each.asset} of {each.victim} by {each.adversary}"
            + ("" if each.advantage is None else f", leakage {_spread(each.advantage)}")
            for each in answer.uncovered
        )
        setting = answer.nearest if answer.least is None else answer.least
        say(printable(f"Leaks shown under {setting} that no target covers: {leaks}."))


def _target(target: TargetSummary) -> str:
    if target.rule is not None:
        return f"{target.rule!r}: {target.says}"
    return f"{target.asset} by {target.adversary or 'anyone attacked'}: at most {target.max:g}"


def _nearest(answer: Answer, undefended: str | None) -> str:
    """What came nearest where nothing meets every target, and what it misses."""
    name = "no defense" if answer.nearest == undefended else str(answer.nearest)
    if all(target.rule is None for target in answer.targets):
        return f"; nearest came {name} ({answer.excess:+.2f} to the target)"
    missed = [
        f"{answer.targets[each.target].rule!r} is {each.outcome}"
        for each in answer.standings
        if each.setting == answer.nearest and each.outcome != "met"
    ]
    return f"; nearest came {name} ({answer.excess:+.2f} at worst): {', '.join(missed)}"


def _searched(search: SearchSummary) -> str:
    found = "nothing found" if search.found is None else f"found {search.found}"
    return printable(
        f"Search of {search.title}: {found}; {len(search.tried)} of {len(search.strengths)} "
        f"strengths audited, {search.cells_saved} cells saved; {search.reason}."
    )


def _spread(estimate: Estimate) -> str:
    return f"{estimate.mean:.2f} {ends(estimate)}"


def _signed(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not measured"
    return f"{estimate.mean:+.2f} {ends(estimate, signed=True)}"

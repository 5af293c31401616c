"""The least defense that meets the targets, and how every setting stands to them."""

from __future__ import annotations

from leakaudit.record import Answer, Estimate, SearchSummary, TargetSummary, Uncovered
from leakaudit.record.changes import Difference

from .blocks import Block, Callout, Cell, Column, Items, Paragraph, Rich, Table, say, strong
from .evidence_index import Index, actor, owner
from .frequencies import picked_out
from .wording import ASSET, bracket, count, joined, number


def answered(index: Index) -> list[Block]:
    """The least defense that meets the targets, how every setting stands, and what was saved."""
    answer = index.record.answer
    if answer is None:
        return [Paragraph(say("This record names no least defense: it was made without targets."))]
    blocks: list[Block] = [
        Paragraph(_least(index, answer), lead=True),
        *_uncovered(index, answer),
        *_policy(answer),
        Items(tuple(_target(index, target) for target in answer.targets)),
        _standings(index, answer),
    ]
    if index.record.searches:
        blocks.append(Items(tuple(_searched(index, found) for found in index.record.searches)))
    return blocks


def _uncovered(index: Index, answer: Answer) -> list[Block]:
    """What leaks for sure under the named setting, because nobody set a target for it."""
    if not answer.uncovered:
        return []
    setting = answer.nearest if answer.least is None else answer.least
    told = [_leaks(index, setting or "", each) for each in answer.uncovered]
    return [
        Callout(
            "Not covered by any target",
            say(
                f"Under {index.title(setting or '')} a leak is shown that no target speaks of: "
                f"{'; '.join(told)}. Set a target for it and run again, or decide in section 2 "
                "that it may leak.",
            ),
            "caution",
        )
    ]


def _leaks(index: Index, setting: str, each: Uncovered) -> str:
    """Who learns what, in patients of a hundred where it can be counted."""
    by = next((a for a in index.record.adversaries if a.name == each.adversary), None)
    who = each.adversary if by is None else actor(by)
    name = f"{who}, {ASSET[each.asset]} of {owner(each.victim)}"
    verdict = next(
        (
            v
            for v in index.record.verdicts
            if (v.defense, v.adversary, v.victim, v.asset)
            == (setting, each.adversary, each.victim, each.asset)
        ),
        None,
    )
    finding = None if verdict is None else index.finding(verdict)
    counted = None if finding is None else picked_out(finding)
    if counted is not None:
        return f"{name} ({counted.of_100} of 100 patients picked out)"
    return name if each.advantage is None else f"{name} (leakage {number(each.advantage.mean)})"


def _policy(answer: Answer) -> list[Block]:
    """Which policy set the targets, where one did."""
    if answer.policy is None:
        return []
    return [
        Paragraph(
            say(
                "The targets are the budgets and utility floors of the policy ",
                strong(answer.policy),
                f" (SHA-256 {(answer.policy_sha256 or '')[:12]}), held against every setting the "
                "way `leakaudit check` does. A rule that is inconclusive is not met; waivers do "
                "not count; regressions are left to the gate.",
            )
        )
    ]


def _least(index: Index, answer: Answer) -> Rich:
    if answer.least is None:
        said = say(strong("No setting meets every target. "))
        if answer.nearest is not None and answer.excess is not None:
            over = (
                f": its bound exceeds a target by {number(answer.excess)}"
                if answer.excess > 0
                else ": its bound is within, but proof is lacking"
            )
            said = (*said, *say("Nearest came ", strong(index.title(answer.nearest)), over,
                                f"{_price(answer.dice_change, answer.region)}. "))  # fmt: skip
        return (*said, *say(f"{answer.reason[:1].upper()}{answer.reason[1:]}."))
    if answer.least == index.undefended:
        return say(strong("No defense is needed "), "to meet the targets: ", answer.reason, ".")
    also = (
        " Its price does not surely differ from that of "
        f"{joined([index.title(name) for name in answer.rivals])}."
        if answer.rivals
        else ""
    )
    return say(
        "The least defense that meets every target: ", strong(index.title(answer.least)),
        f"{_price(answer.dice_change, answer.region)}.", also,
        f" It was picked of {count(len({each.setting for each in answer.standings}), 'setting')}; "
        "each 95 % bound is that of one setting and is not corrected for the choice, so confirm it "
        "on other patients.",
    )  # fmt: skip


def _price(change: Estimate | None, region: str) -> str:
    if change is None:
        return ""
    told = Difference(
        change.mean, change.lower, change.upper, change.patients, None, change.one_sided_lower,
        change.one_sided_upper,
    )  # fmt: skip
    return f"; Dice {region} {bracket(told)}"


def _target(index: Index, target: TargetSummary) -> Rich:
    if target.rule is not None:
        return say(f"Rule \u201c{target.rule}\u201d: {target.says}. Set by {target.source}.")
    by = next((a for a in index.record.adversaries if a.name == target.adversary), None)
    who = "every actor that was mounted" if by is None else actor(by)
    whose = "everybody" if target.victim is None else owner(target.victim)
    measured = f"{index.metric_label(target.metric or '')}, {target.region}"
    return say(
        f"Target: {_asset(target)} of {whose}, {who}: the advantage ({measured}) is surely at "
        "most ", strong(_figure(target)), ".",
    )  # fmt: skip


def _asset(target: TargetSummary) -> str:
    return "everything" if target.asset is None else ASSET[target.asset]


def _figure(target: TargetSummary) -> str:
    bound = target.min if target.max is None else target.max
    return "undefined" if bound is None else number(bound)


def _short(target: TargetSummary) -> str:
    """A target in a table's cell."""
    side = "at least" if target.max is None else "at most"
    return f"{target.rule or _asset(target)}, {side} {_figure(target)}"


def _standings(index: Index, answer: Answer) -> Table:
    rows = []
    for each in answer.standings:
        target = answer.targets[each.target]
        useless = " (Dice below the floor)" if each.setting in answer.useless else ""
        rows.append(
            (
                Cell(say(strong(index.title(each.setting)), useless)),
                Cell(say(_short(target))),
                Cell(say(each.outcome)),
                Cell(say("undefined"))
                if each.bound is None
                else Cell(say(number(each.bound)), order=each.bound),
                Cell(say(each.reason)),
            )
        )
    return Table(
        "standings",
        say(
            "How every setting stands to every target. Met: the bound keeps to it, the controls "
            "hold, and more effort did not help the attack. Exceeded: surely beyond it. "
            "Unsettled: neither."
        ),
        (
            Column("Setting", weight=1.2),
            Column("Target"),
            Column("Stands", weight=0.8),
            Column("95 % bound", numeric=True, weight=0.8),
            Column("Because", weight=2.0),
        ),
        tuple(rows),
        sortable=True,
        filterable=True,
    )


def _searched(index: Index, found: SearchSummary) -> Rich:
    ended = "nothing found" if found.found is None else f"found {index.title(found.found)}"
    return say(
        strong(f"{found.title}: "),
        f"{ended}; {len(found.tried)} of {len(found.strengths)} strengths audited, "
        f"{count(found.cells_saved, 'cell')} saved. {found.reason[:1].upper()}{found.reason[1:]}.",
    )

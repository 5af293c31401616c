"""A policy beside the evidence: every rule with its bounds, against what people allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakaudit.record import VerdictValue
from leakaudit.record.held import HeldPolicy, HeldRule, RuleStatus

from .._figures.forest import Bar, Panel, forest
from .blocks import (
    Block,
    Callout,
    Cell,
    Column,
    Figure,
    Paragraph,
    Rich,
    Subheading,
    Table,
    code,
    muted,
    ranged,
    say,
    strong,
)
from .wording import NAME_LIMIT, SHORT, TEXT_LIMIT, count, cut, number, places_of, visible

SYMBOL: dict[RuleStatus, VerdictValue] = {
    "fail": "leak shown",
    "invalid": "attack invalid",
    "inconclusive": "inconclusive",
    "waived": "not tested",
    "pass": "none shown",
}
"""The verdict whose sign and colour a rule borrows; worst first."""
WORD: dict[RuleStatus, str] = {
    "fail": "violated",
    "invalid": "no valid verdict",
    "inconclusive": "inconclusive",
    "waived": "waived",
    "pass": "kept",
}
SIGN: dict[RuleStatus, str] = {
    "fail": "\u25b2", "invalid": "\u2715", "inconclusive": "\u25d0", "waived": "\u2013",
    "pass": "\u25cb",
}  # fmt: skip
ROWS_DRAWN = 18
"""Rules in one drawing: more would not fit on a page."""
MOST_DRAWN = 90
"""Rules drawn at all, those that are not kept first; the table has every one."""


def printable(policy: HeldPolicy) -> HeldPolicy:
    """The policy with every string made fit to print: nothing invisible, nothing endless."""
    return replace(
        policy,
        title=_text(policy.title, 160),
        file_name=_text(policy.file_name, NAME_LIMIT),
        headline=_text(policy.headline, TEXT_LIMIT),
        rules=tuple(
            replace(
                rule,
                name=_text(rule.name, NAME_LIMIT),
                subject=_text(rule.subject, TEXT_LIMIT),
                scale=_text(rule.scale, NAME_LIMIT),
                reason=_text(rule.reason, TEXT_LIMIT),
                remedy=_text(rule.remedy, TEXT_LIMIT),
                source=_text(rule.source, TEXT_LIMIT),
                notes=tuple(_text(note, TEXT_LIMIT) for note in rule.notes),
            )
            for rule in policy.rules
        ),
    )


def in_short(policy: HeldPolicy) -> Callout:
    """For the page that is signed: the answer, by whose file and on what day."""
    return Callout(
        policy.headline.rstrip("."),
        say(
            "This is what ", code(policy.file_name), f" allows, judged on {policy.day}; section 9 "
            "has every rule. A rule is kept only where the evidence surely keeps it. Whether the "
            "rules are right is for people to say.",
        ),
        "note" if policy.kept else "caution",
    )  # fmt: skip


def held_against(policy: HeldPolicy) -> list[Block]:
    """For section 9: the forest plot and the table of rules."""
    file = say(
        strong(policy.title), " (", code(policy.file_name), ", SHA-256 ",
        code(policy.sha256[:16]), f"\u2026), judged on {policy.day}", _compared(policy), ". ",
        policy.headline,
    )  # fmt: skip
    ordered = sorted(policy.rules, key=lambda rule: list(SYMBOL).index(rule.status))
    return [
        Subheading("Against the policy", "policy"),
        Paragraph(file),
        *_drawn(ordered[:MOST_DRAWN]),
        _table(ordered),
    ]


def _text(text: str, limit: int) -> str:
    return cut(visible(text), limit)


def _compared(policy: HeldPolicy) -> str:
    if not policy.baseline_sha256:
        return ""
    return f", compared with the baseline {policy.baseline_sha256[:16]}\u2026"


def _drawn(rules: Sequence[HeldRule]) -> list[Block]:
    by_scale: dict[str, list[HeldRule]] = {}
    for rule in rules:
        by_scale.setdefault(rule.scale, []).append(rule)
    sheets: list[list[Panel]] = [[]]
    room = ROWS_DRAWN
    for scale, members in by_scale.items():
        left = members
        while left:
            if room < min(len(left), 3):
                sheets.append([])
                room = ROWS_DRAWN
            bars, left = left[:room], left[room:]
            sheets[-1].append(Panel(_axis(scale), [_bar(rule) for rule in bars], _from_zero(scale)))
            # An axis takes the room of two rules.
            room -= len(bars) + 2
    return [_figure(place, panels, len(sheets)) for place, panels in enumerate(sheets)]


def _figure(place: int, panels: Sequence[Panel], sheets: int) -> Figure:
    told = "; ".join(f"{bar.label}: {bar.word}, {bar.told}" for p in panels for bar in p.bars)
    of = f" ({place + 1} of {sheets})" if sheets > 1 else ""
    return Figure(
        f"policy-forest-{place}",
        say(
            f"Rules against their budgets{of}. Square: the figure of the strongest finding; line: "
            "its one-sided 95 % bounds, an arrow where a bound is open or beyond the frame. The "
            "bracket closes what is allowed; what is shaded is not. Kept: the whole line lies on "
            "the allowed side."
        ),
        forest(f"Rules against their budgets{of}", panels),
        f"{told}. The table below has the same figures.",
    )


def _bar(rule: HeldRule) -> Bar:
    return Bar(
        label=rule.name,
        about=rule.subject or "nothing could be held against it",
        value=rule.value,
        low=rule.at_least,
        high=rule.at_most,
        bound=rule.bound,
        higher_is_worse=rule.higher_is_worse,
        symbol=SYMBOL[rule.status],
        word=WORD[rule.status],
        told=f"{_ends(rule)}; {_allowed(rule)}",
    )


def _table(rules: Sequence[HeldRule]) -> Table:
    rows = tuple(
        (
            Cell(say(strong(rule.name), muted(f" (line {rule.line})"))),
            Cell(say(strong(f"{SIGN[rule.status]} {WORD[rule.status]}"))),
            Cell(
                say("not measured")
                if rule.value is None
                else say(strong(_number(rule, rule.value)), ranged(f" ({_ends(rule)})")),
                order=rule.value,
            ),
            Cell(say(_allowed(rule)), order=rule.bound),
            Cell(_why(rule)),
        )
        for rule in rules
    )
    return Table(
        "policy-rules",
        say(
            f"{count(len(rules), 'rule')} of the policy, those that are not kept first. Bounds are "
            "one-sided, at 95 %, over patients and seeds, corrected for having picked the "
            "strongest of several findings."
        ),
        (
            Column("Rule", weight=1.2),
            Column("Outcome", weight=1.1),
            Column("Figure", numeric=True, weight=1.3),
            Column("Allowed", numeric=True, weight=1.1),
            Column("Why, what to do, and who set it", weight=3.0),
        ),
        rows,
        sortable=True,
    )


def _why(rule: HeldRule) -> Rich:
    parts: list[str] = [f"{rule.reason.rstrip('.')}.", *(f" {n.rstrip('.')}." for n in rule.notes)]
    if rule.remedy:
        parts.append(f" Do: {rule.remedy.rstrip('.')}.")
    return say(*parts, muted(f" Set by: {rule.source.rstrip('.')}."))


def _ends(rule: HeldRule) -> str:
    if rule.value is None:
        return "not measured"
    low, high = (
        "open" if end is None else _number(rule, end) for end in (rule.at_least, rule.at_most)
    )
    return f"{low} to {high}"


def _allowed(rule: HeldRule) -> str:
    return f"at {'most' if rule.higher_is_worse else 'least'} {_number(rule, rule.bound)}"


def _number(rule: HeldRule, value: float) -> str:
    """Three places at least: a figure close to its budget must not read as equal to it."""
    return number(value, max(places_of(rule.scale), 3))


def _axis(scale: str) -> str:
    if scale == "advantage":
        return "advantage: 0 is the blind guess, 1 a perfect attack"
    growth, _, metric = scale.rpartition(" of ")
    name = SHORT.get(metric, metric)
    return f"{growth} of {name}" if growth else name


def _from_zero(scale: str) -> bool:
    return scale == "advantage" or scale.startswith("growth of ")

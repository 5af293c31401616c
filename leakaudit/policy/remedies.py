"""What to do about a violated budget: what this very audit measured to help, first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Budget
from leakaudit.policy.reading import Placed
from leakaudit.policy.result import Result, Status
from leakaudit.policy.wording import number
from leakaudit.record import Finding
from leakaudit.record.cuts import cuts_text
from leakaudit.statistics.ends import LEVEL

Judge = Callable[[Evidence, Placed, Budget], Result]


def remedy(evidence: Evidence, placed: Placed, budget: Budget, judge: Judge) -> str:
    """What to do, in one or more sentences.

    Args:
        evidence: the record.
        placed: the rule that failed.
        budget: the same.
        judge: holds a budget against a setting.
    """
    parts = [_loudest_cut(evidence, placed, budget), _kept_by(evidence, placed, budget, judge)]
    if budget.metric is not None:
        parts += [m.remedy for m in evidence.record.metrics if m.name == budget.metric]
    text = " ".join(part for part in parts if part)
    return text or "Send less: withhold a cut, send fewer channels, or add noise."


def _loudest_cut(evidence: Evidence, placed: Placed, budget: Budget) -> str:
    """Which cut leaks most by itself, where single cuts were attacked."""
    scope = budget.model_copy(update={"cuts": None})
    single = [f for f in evidence.selected(scope, placed.setting) if len(f.cuts) == 1]
    leaks = {id(f): _leak(evidence, budget, f) for f in single}
    known = [finding for finding in single if leaks[id(finding)] is not None]
    if len({finding.cuts for finding in known}) < 2:
        return ""
    sign = evidence.direction(known[0], budget.on).sign
    ours = evidence.record.split.network is None
    what, how, instead = (
        ("Withhold", " (skip-withholding)", ", or protect it") if ours else ("Protect", "", "")
    )
    top = max(known, key=lambda f: sign * (leaks[id(f)] or 0.0))
    return (
        f"{what} {cuts_text(top.cuts)}{how}, which leaks most by itself "
        f"({number(leaks[id(top)] or 0.0)}){instead}."
    )


def _leak(evidence: Evidence, budget: Budget, finding: Finding) -> float | None:
    figure = evidence.figure(finding, budget.on, "mean", LEVEL)
    return None if figure is None else figure.mean


def _kept_by(evidence: Evidence, placed: Placed, budget: Budget, judge: Judge) -> str:
    """Other settings of this audit that keep the budget, the best Dice first."""
    dice = {
        setting: sum(values) / len(values)
        for setting in {u.setting for u in evidence.record.utility}
        if (
            values := [
                u.estimate.mean
                for u in evidence.record.utility
                if u.setting == setting and u.metric == "dice"
            ]
        )
    }
    kept = []
    for defense in evidence.record.defenses:
        if defense.label == placed.setting:
            continue
        other = judge(evidence, replace(placed, setting=defense.label), budget)
        if other.status is Status.PASS and other.measured is not None:
            kept.append((dice.get(defense.label, 0.0), defense.label, other.measured))
    if not kept:
        return ""
    words = []
    for score, label, measured in sorted(kept, reverse=True, key=lambda entry: entry[0])[:3]:
        end = measured.at_most if measured.higher_is_worse else measured.at_least
        words.append(
            f"`{label}` ({'at most' if measured.higher_is_worse else 'at least'} "
            f"{number(end if end is not None else measured.value)}"
            + (f", Dice {number(score)})" if score else ")")
        )
    return f"Measured in this audit to keep the budget: {'; '.join(words)}."

"""One budget against a record: the strongest finding, its bounds, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Budget
from leakaudit.policy.reading import Placed
from leakaudit.policy.remedies import remedy
from leakaudit.policy.result import Measured, Result, Status
from leakaudit.policy.validity import (
    finding_problem,
    rule_problems,
    silence_doubts,
    single_doubts,
    too_few,
    unsettled,
)
from leakaudit.policy.wording import limited, measured, number, sentences, subject
from leakaudit.record import Finding
from leakaudit.statistics import (
    Figure,
    Outcome,
    against_budget,
    corrected_level,
    strongest_figure,
)
from leakaudit.statistics.ends import LEVEL

ASK_AGAIN = (
    "mend the audit so that it answers this rule, or narrow the rule to what was attacked: "
    "a silence without controls is no all-clear"
)
LEARN_MORE = (
    "attack more patients, run more seeds or give the attacks more effort, then check again; "
    "repeating the same audit until it is green proves nothing"
)


def judge_budget(evidence: Evidence, placed: Placed, budget: Budget) -> Result:
    """Hold a budget against the findings it speaks of, and say what to do where it is broken.

    A finding that is itself sound and surely over the budget fails the rule, whatever else is
    missing. A pass asks for everything: every question answered, every attack known to work, every
    control silent where it must be, effort that no longer helps, and every upper bound within.
    """
    result = budget_outcome(evidence, placed, budget)
    if result.status is not Status.FAIL:
        return result
    return replace(result, remedy=remedy(evidence, placed, budget, budget_outcome))


def budget_outcome(evidence: Evidence, placed: Placed, budget: Budget) -> Result:
    """The same without saying what to do about it."""
    candidates = evidence.selected(budget, placed.setting)
    problems = {id(f): finding_problem(evidence, f, budget) for f in candidates}
    sound = [finding for finding in candidates if not problems[id(finding)]]
    obstacles = [
        *(problems[id(f)] for f in candidates if problems[id(f)]),
        *rule_problems(evidence, budget, placed.setting, candidates),
    ]
    result = _decided(evidence, placed, budget, sound, len(candidates)) if sound else None
    if result is not None and result.status is Status.FAIL:
        return replace(result, notes=(*result.notes, *limited(obstacles)))
    if obstacles or result is None:
        return Result(
            placed=placed,
            status=Status.INVALID,
            reason=sentences(limited(obstacles)),
            subject="" if result is None else result.subject,
            measured=None if result is None else result.measured,
            remedy=ASK_AGAIN,
        )
    return result


def _decided(
    evidence: Evidence, placed: Placed, budget: Budget, sound: Sequence[Finding], considered: int
) -> Result | None:
    """From the bounds alone; None where no finding gives a figure."""
    strict = corrected_level(LEVEL, considered)
    named = {str(index): finding for index, finding in enumerate(sound)}
    plain = _figures(evidence, budget, named, LEVEL)
    corrected = _figures(evidence, budget, named, strict)
    if not any(figure.mean is not None for figure in plain.values()):
        return None
    direction = evidence.direction(sound[0], budget.on)
    top = strongest_figure(plain, corrected, direction=direction)
    finding = named[top.name]
    low, high = sorted_ends(top.at_least, top.at_most, direction.sign)
    outcome = against_budget(replace(top.figure, at_least=low, at_most=high), budget.bound)
    if _over(top.at_least, budget.bound, direction.sign):
        outcome = Outcome.OVER
    deciding = Measured(
        label=measured(finding, budget, budget.tail),
        value=top.figure.mean if top.figure.mean is not None else float("nan"),
        at_least=low,
        at_most=high,
        bound=budget.bound,
        higher_is_worse=direction.sign > 0,
    )
    doubts = [
        *_doubts(evidence, sound, top.unmeasured, plain),
        *silence_doubts(
            evidence,
            budget,
            placed.setting,
            allowed=budget.bound if budget.on == "advantage" else None,
        ),
        *single_doubts(evidence, budget, placed.setting, sound),
    ]
    status = {
        Outcome.OVER: Status.FAIL,
        Outcome.WITHIN: Status.INCONCLUSIVE if doubts else Status.PASS,
        Outcome.INCONCLUSIVE: Status.INCONCLUSIVE,
    }[outcome]
    return Result(
        placed=placed,
        status=status,
        reason=_reason(status, finding, deciding, considered, doubts),
        subject=subject(finding),
        measured=deciding,
        remedy=LEARN_MORE if status is Status.INCONCLUSIVE else "",
    )


def sorted_ends(
    at_least: float | None, at_most: float | None, sign: int
) -> tuple[float | None, float | None]:
    """Bounds of a leak as lower and upper ends of a number that may leak downwards."""
    return (at_least, at_most) if sign > 0 else (at_most, at_least)


def _over(at_least: float | None, bound: float, sign: int) -> bool:
    """Surely over, even where the other bound is open."""
    return at_least is not None and sign * at_least > sign * bound


def _figures(
    evidence: Evidence, budget: Budget, named: dict[str, Finding], level: float
) -> dict[str, Figure]:
    figures = {
        name: evidence.figure(finding, budget.on, budget.tail, level)
        for name, finding in named.items()
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _doubts(
    evidence: Evidence,
    sound: Sequence[Finding],
    unmeasured: Sequence[str],
    figures: dict[str, Figure],
) -> list[str]:
    """What keeps bounds within the budget from being a pass."""
    doubts = [f"{subject(sound[int(name)])}: {figures[name].undefined}" for name in unmeasured]
    doubts += too_few(
        min(figure.n_patients for figure in figures.values()),
        min(figure.n_seeds for figure in figures.values()),
    )
    return doubts + unsettled(evidence, sound)


def _reason(
    status: Status, finding: Finding, deciding: Measured, considered: int, doubts: Sequence[str]
) -> str:
    allowed = f"{'at most' if deciding.higher_is_worse else 'at least'} {number(deciding.bound)}"
    strongest = f", the strongest of {considered} findings" if considered > 1 else ""
    start = f"{subject(finding)}{strongest}: {deciding.label} {number(deciding.value)}"
    parts = [f"{start}{sure(deciding)}", f"{allowed} is allowed"]
    if status is Status.INCONCLUSIVE:
        parts += limited(doubts) or ["the bounds lie on both sides of it"]
    return sentences(parts)


def sure(deciding: Measured) -> str:
    """The bounds, in brackets."""
    ends = [
        f"{word} {number(end)}"
        for word, end in (("at least", deciding.at_least), ("at most", deciding.at_most))
        if end is not None
    ]
    return f" (95 % sure: {', '.join(ends)})" if ends else " (no bounds)"

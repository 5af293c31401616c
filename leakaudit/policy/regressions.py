"""One regression rule: does any finding leak more than in the baseline, beyond the margin?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakaudit.policy.baseline import Baseline
from leakaudit.policy.budgets import ASK_AGAIN, LEARN_MORE, sure
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Regression
from leakaudit.policy.pairs import Pair, pairs_of, unanswered
from leakaudit.policy.reading import Placed
from leakaudit.policy.result import Measured, Result, Status
from leakaudit.policy.validity import (
    finding_problem,
    rule_problems,
    silence_doubts,
    too_few,
    too_few_seeds,
    unsettled,
)
from leakaudit.policy.wording import counted, limited, measured, number, sentences, subject
from leakaudit.record.cuts import cuts_text
from leakaudit.statistics import Outcome, against_baseline, corrected_level, holm
from leakaudit.statistics.ends import LEVEL, MIN_SEEDS


def judge_regression(
    evidence: Evidence, placed: Placed, rule: Regression, baseline: Baseline
) -> Result:
    """Hold today's findings against the baseline's, patient by patient and seed by seed.

    Fails where Holm's procedure over all pairs finds one that surely grew by more than the margin.
    A pass asks that every pair surely grew by no more. A finding without a counterpart, such as a
    level that did not cross before, is never a pass, nor is one of the baseline's that today's
    audit did not look for again: an audit that looks less closely finds less growth.
    """
    candidates = evidence.selected(rule, placed.setting)
    problems = {id(f): finding_problem(evidence, f, rule) for f in candidates}
    sound = [finding for finding in candidates if not problems[id(finding)]]
    pairs, lonely = pairs_of(evidence, rule, placed.setting, sound, candidates, baseline)
    lost = unanswered(evidence, rule, placed.setting, candidates, baseline)
    obstacles = [
        *(problem for problem in problems.values() if problem),
        *rule_problems(evidence, rule, placed.setting, candidates),
        *lonely,
        *lost,
    ]
    result = _decided(evidence, placed, rule, pairs) if pairs else None
    if result is not None and result.status is Status.FAIL:
        return replace(result, notes=tuple(limited(obstacles)))
    if obstacles or result is None:
        return Result(
            placed,
            Status.INVALID,
            sentences(limited(obstacles or ["there is nothing to compare"])),
            subject="" if result is None else result.subject,
            measured=None if result is None else result.measured,
            remedy=_remedy(lonely, lost),
        )
    return result


def _remedy(lonely: Sequence[str], lost: Sequence[str]) -> str:
    again = (
        "record the baseline again once the change is accepted: "
        "`leakaudit baseline RUN -o privacy-baseline.json`"
    )
    if lost:
        return f"look again as the baseline's audit did; or {again}"
    return again if lonely else ASK_AGAIN


def _decided(evidence: Evidence, placed: Placed, rule: Regression, pairs: Sequence[Pair]) -> Result:
    grown = [pair.growth() for pair in pairs]
    worst = max(range(len(pairs)), key=lambda index: grown[index][0])
    surprises = holm([pair.surprise(rule.margin) for pair in pairs])
    over = [index for index, p_value in enumerate(surprises) if p_value < 1 - LEVEL]
    outcomes = [against_baseline(pair.comparison(), rule.margin) for pair in pairs]
    doubts = []
    if over:
        status = Status.FAIL
        worst = max(over, key=lambda index: grown[index][0])
    elif all(outcome is Outcome.WITHIN for outcome in outcomes):
        status = Status.PASS
        doubts = _doubts(evidence, pairs) + silence_doubts(evidence, rule, placed.setting)
    else:
        status = Status.INCONCLUSIVE
        open_ones = sum(outcome is not Outcome.WITHIN for outcome in outcomes)
        doubts = too_few_seeds(min(len(pair.today.seeds) for pair in pairs)) or [
            f"{counted(open_ones, 'finding')} of {len(pairs)} may have grown by more than the "
            "margin, or not"
        ]
    if doubts:
        status = Status.INCONCLUSIVE
    pair = pairs[worst]
    value, _, most = grown[worst]
    least = pair.growth(corrected_level(LEVEL, len(pairs)))[1]
    deciding = Measured(
        label=f"growth of {measured(pair.now, rule)}",
        value=value, at_least=least, at_most=most, bound=rule.margin, higher_is_worse=True,
    )  # fmt: skip
    others = f", the most of {len(pairs)} findings" if len(pairs) > 1 else ""
    then = "" if pair.then.cuts == pair.now.cuts else f" ({cuts_text(pair.then.cuts)} then)"
    parts = [
        f"{subject(pair.now)}{then}{others}: {deciding.label} {number(value)}{sure(deciding)}",
        f"at most {number(rule.margin)} is allowed",
        *limited(doubts),
    ]
    remedies = {
        Status.FAIL: "Take the change back, protect what it added, or have the new leak decided "
        "and record the baseline again.",
        Status.INCONCLUSIVE: LEARN_MORE,
    }
    return Result(
        placed, status, sentences(parts), subject(pair.now), deciding, remedies.get(status, "")
    )


def _doubts(evidence: Evidence, pairs: Sequence[Pair]) -> list[str]:
    patients = min(len(pair.today.patients) for pair in pairs)
    # Values that are exactly those of the baseline need no seeds.
    return too_few(patients, MIN_SEEDS) + unsettled(evidence, [pair.now for pair in pairs])

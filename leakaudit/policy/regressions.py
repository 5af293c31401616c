"""One regression rule: does any finding leak more than in the baseline, beyond the margin?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.policy.baseline import Baseline
from leakaudit.policy.budgets import ASK_AGAIN, LEARN_MORE, sure
from leakaudit.policy.evidence import Evidence, measure
from leakaudit.policy.model import Regression
from leakaudit.policy.reading import Placed
from leakaudit.policy.result import Measured, Result, Status
from leakaudit.policy.validity import finding_problem, rule_problems, too_few, unsettled
from leakaudit.policy.wording import counted, levels, limited, measured, number, sentences, subject
from leakaudit.record.advantage import arrays
from leakaudit.record.estimates import cells
from leakaudit.record.model import Finding
from leakaudit.statistics import (
    Cells,
    Comparison,
    Direction,
    Outcome,
    against_baseline,
    compare,
    corrected_level,
    holm,
    seeds_margin,
)
from leakaudit.statistics.estimate import LEVEL

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """One finding then and now.

    Attributes:
        now: today's finding.
        then: its counterpart.
        direction: which way the measure leaks.
        today: its cells.
        baseline: those of the counterpart.
    """

    now: Finding
    then: Finding
    direction: Direction
    today: Cells
    baseline: Cells

    def comparison(self, level: float = LEVEL) -> Comparison:
        """Today minus baseline."""
        return compare(self.today, self.baseline, direction=self.direction, level=level)

    def growth(self, level: float = LEVEL) -> tuple[float, float | None, float | None]:
        """How much more leaks: estimate, at least, at most."""
        difference = self.comparison(level).difference
        sign = self.direction.sign
        low, high = difference.at_least, difference.at_most
        ends = (low, high) if sign > 0 else (high, low)
        least, most = (None if end is None else sign * end for end in ends)
        value = sign * (difference.mean if difference.mean is not None else 0.0)
        if least is not None:
            least = min(least, value - seeds_margin(self._by_seed(), level))
        return value, least, most

    def surprise(self, margin: float) -> float:
        """The one-sided p-value of "grew by no more than the margin".

        The larger of two. Where many findings are tested at once, the seeds' part of the paired
        comparison's error is now and then estimated near 0 from two or three seeds, and Holm looks
        for just those: Student's test over the seeds' own growth holds whatever that part is.
        """
        shifted = replace(self.today, values=self.today.values - self.direction.sign * margin)
        p_value = compare(shifted, self.baseline, direction=self.direction).p_worse
        grown = self._by_seed() - margin
        error = float(grown.std(ddof=1)) / len(grown) ** 0.5
        if p_value is None:
            return 1.0
        if error == 0:
            return p_value
        return max(p_value, float(special.stdtr(len(grown) - 1, -grown.mean() / error)))

    def _by_seed(self) -> Doubles:
        """(seeds,) growth of the mean over patients."""
        grown: Doubles = self.direction.sign * np.nanmean(
            self.today.values - self.baseline.values, axis=1
        )
        return grown


def judge_regression(
    evidence: Evidence, placed: Placed, rule: Regression, baseline: Baseline
) -> Result:
    """Hold today's findings against the baseline's, patient by patient and seed by seed.

    Fails where Holm's procedure over all pairs finds one that surely grew by more than the margin.
    A pass asks that every pair surely grew by no more. A finding without a counterpart, such as a
    level that did not cross before, is never a pass; all levels that cross are compared with all
    that crossed.
    """
    candidates = evidence.selected(rule, placed.setting)
    problems = {id(f): finding_problem(evidence, f, rule) for f in candidates}
    pairs, lonely = _pairs(evidence, rule, placed.setting, candidates, problems, baseline)
    obstacles = [
        *(problem for problem in problems.values() if problem),
        *rule_problems(evidence, rule, placed.setting, candidates),
        *lonely,
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
            remedy=ASK_AGAIN
            if not lonely
            else "record the baseline again once the change is "
            "accepted: `leakaudit baseline RUN -o privacy-baseline.json`",
        )
    return result


def _pairs(
    evidence: Evidence,
    rule: Regression,
    setting: str,
    candidates: Sequence[Finding],
    problems: dict[int, str],
    baseline: Baseline,
) -> tuple[list[Pair], list[str]]:
    """Today's findings with their counterparts, and what has none."""
    before = [finding for finding in baseline.findings if finding.defense == setting]
    if not before:
        known = ", ".join(sorted({finding.defense for finding in baseline.findings}))
        return [], [f"the baseline has no setting `{setting}`; it has {known}"]
    exact = {(_kind(finding), finding.levels): finding for finding in before}
    whole_then, whole_now = _whole(before), _whole(candidates)
    pairs, lonely = [], []
    for finding in candidates:
        if problems[id(finding)]:
            continue
        kind = _kind(finding)
        whole = rule.levels is None and whole_now[kind] == finding.levels
        then = whole_then.get(kind) if whole else finding.levels
        other = None if then is None else exact.get((kind, then))
        if other is None:
            lonely.append(
                f"{subject(finding)} ({finding.metric}, {finding.region}): "
                f"{levels(finding.levels)} has no counterpart in the baseline"
            )
            continue
        today = evidence.cells(finding, rule.on)
        values = measure(other, rule.on, *arrays(other))
        if today is None or values is None or len(values) != len(baseline.seeds):
            lonely.append(f"{subject(finding)}: the baseline's own finding is incomplete")
            continue
        earlier = cells(values, baseline.cohort.victims)
        pairs.append(Pair(finding, other, evidence.direction(finding, rule.on), today, earlier))
    return pairs, lonely


def _kind(finding: Finding) -> tuple[str, ...]:
    return (
        finding.adversary, finding.victim, finding.asset, finding.attack, finding.metric,
        finding.region,
    )  # fmt: skip


def _whole(findings: Iterable[Finding]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """For each kind of finding, all the levels that cross."""
    found: dict[tuple[str, ...], list[tuple[int, ...]]] = defaultdict(list)
    for finding in findings:
        found[_kind(finding)].append(finding.levels)
    return {kind: max(each, key=len) for kind, each in found.items()}


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
        doubts = _doubts(evidence, rule, pairs)
    else:
        status = Status.INCONCLUSIVE
        open_ones = sum(outcome is not Outcome.WITHIN for outcome in outcomes)
        doubts = [
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
    then = "" if pair.then.levels == pair.now.levels else f" ({levels(pair.then.levels)} then)"
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


def _doubts(evidence: Evidence, rule: Regression, pairs: Sequence[Pair]) -> list[str]:
    sign = {id(pair.now): pair.direction.sign for pair in pairs}

    def leak(finding: Finding) -> float:
        figure = evidence.figure(finding, rule.on, "mean", LEVEL)
        if figure is None or figure.mean is None:
            return float("-inf")
        return sign[id(finding)] * figure.mean

    patients = min(len(pair.today.patients) for pair in pairs)
    return too_few(patients) + unsettled(evidence, [pair.now for pair in pairs], leak)

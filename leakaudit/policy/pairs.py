"""Today's findings beside the baseline's: which is compared with which, and what has no partner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.policy.baseline import Baseline
from leakaudit.policy.evidence import Evidence, in_scope, measure
from leakaudit.policy.model import Regression
from leakaudit.policy.wording import subject
from leakaudit.record import Finding, Record
from leakaudit.record.advantage import arrays
from leakaudit.record.cuts import cuts_text
from leakaudit.record.estimates import cells
from leakaudit.statistics import Cells, Comparison, Direction, compare, seeds_margin
from leakaudit.statistics.ends import LEVEL

Doubles = npt.NDArray[np.float64]
Kind = tuple[str, ...]
Cuts = frozenset[str]


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
            least = min(least, value - float(seeds_margin(self._by_seed()[:, None], level)))
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


def pairs_of(
    evidence: Evidence,
    rule: Regression,
    setting: str,
    sound: Iterable[Finding],
    candidates: Sequence[Finding],
    baseline: Baseline,
) -> tuple[list[Pair], list[str]]:
    """Today's sound findings with their counterparts, and what has none.

    A finding is compared with that of the same cuts. What all cuts give together is compared with
    what all gave, too: the cuts may have changed.

    Args:
        evidence: today's record.
        rule: says which findings count, and by which measure.
        setting: it judges.
        sound: those of the candidates that can be compared.
        candidates: all of today's that the rule speaks of.
        baseline: the earlier audit.
    """
    before = [finding for finding in baseline.findings if finding.defense == setting]
    if not before:
        known = ", ".join(sorted({finding.defense for finding in baseline.findings}))
        return [], [f"the baseline has no setting `{setting}`; it has {known}"]
    exact = {(_kind(finding), frozenset(finding.cuts)): finding for finding in before}
    whole_then, whole_now = _whole(before), _whole(candidates)
    pairs, lonely = [], []
    for finding in sound:
        kind = _kind(finding)
        cuts = frozenset(finding.cuts)
        wanted = [cuts]
        if rule.cuts is None and whole_now.get(kind) == cuts and kind in whole_then:
            wanted.append(whole_then[kind])
        partners = [exact[kind, then] for then in dict.fromkeys(wanted) if (kind, then) in exact]
        if not partners:
            lonely.append(
                f"{subject(finding)} ({finding.metric}, {finding.region}): "
                f"{cuts_text(finding.cuts)} has no counterpart in the baseline"
            )
        today = evidence.cells(finding, rule.on)
        for other in partners:
            values = measure(other, rule.on, *arrays(other))
            if today is None or values is None or len(values) != len(baseline.seeds):
                lonely.append(f"{subject(finding)}: the baseline's own finding is incomplete")
                continue
            earlier = cells(values, baseline.cohort.victims)
            pairs.append(Pair(finding, other, evidence.direction(finding, rule.on), today, earlier))
    return pairs, lonely


def unanswered(
    evidence: Evidence,
    rule: Regression,
    setting: str,
    candidates: Iterable[Finding],
    baseline: Baseline,
) -> list[str]:
    """What the baseline's audit found and today's did not look for.

    Nothing is owed for a cut that is no longer sent; what was found in several cuts together is
    owed for those of them that still are.
    """
    cuts = evidence.record.split.cut_names
    then = [f for f in baseline.findings if f.defense == setting and in_scope(f, rule, cuts)]
    now = {(_kind(finding), frozenset(finding.cuts)) for finding in candidates}
    whole_then, whole_now = _whole(then), _whole(candidates)
    sent = _sent(evidence.record, setting)
    lost = []
    for finding in then:
        kind = _kind(finding)
        owed = frozenset(n for n in finding.cuts if sent is None or n in sent)
        together = rule.cuts is None and kind in whole_now
        if (
            owed
            and (kind, owed) not in now
            and not (together and whole_then.get(kind) == frozenset(finding.cuts))
        ):
            lost.append(
                f"{subject(finding)} ({finding.metric}, {finding.region}) is in the baseline, and "
                "today's audit has no such finding"
            )
    return lost


def _kind(finding: Finding) -> Kind:
    return (
        finding.adversary, finding.victim, finding.asset, finding.attack, finding.metric,
        finding.region,
    )  # fmt: skip


def _whole(findings: Iterable[Finding]) -> dict[Kind, Cuts]:
    """For each kind of finding, all the cuts, where they were attacked together."""
    found: dict[Kind, set[Cuts]] = defaultdict(set)
    for finding in findings:
        found[_kind(finding)].add(frozenset(finding.cuts))
    every = {kind: frozenset[str]().union(*sets) for kind, sets in found.items()}
    return {kind: whole for kind, whole in every.items() if whole in found[kind]}


def _sent(record: Record, setting: str) -> Cuts | None:
    """Cuts whose messages cross today; None where the record does not tell."""
    for cost in record.costs:
        if cost.setting == setting and cost.routes:
            return frozenset(route.cut for route in cost.routes if not route.at_head)
    return None

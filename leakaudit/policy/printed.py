"""An evaluation as reports print it."""

from __future__ import annotations

import datetime
import math

from leakaudit.errors import EXIT_OK
from leakaudit.policy.model import Budget, Regression, UtilityFloor
from leakaudit.policy.result import Evaluation, Measured, Result, Status
from leakaudit.record.held import HeldPolicy, HeldRule, RuleStatus

_STATUS: dict[Status, RuleStatus] = {
    Status.FAIL: "fail",
    Status.INVALID: "invalid",
    Status.INCONCLUSIVE: "inconclusive",
    Status.WAIVED: "waived",
    Status.PASS: "pass",
}


def printed(evaluation: Evaluation, today: datetime.date) -> HeldPolicy:
    """What a report needs of an evaluation, in words that every room knows.

    Args:
        evaluation: how the policy came out.
        today: the day it was judged on.
    """
    return HeldPolicy(
        title=evaluation.file.policy.title,
        file_name=evaluation.file.path.name,
        sha256=evaluation.file.sha256,
        day=today.isoformat(),
        headline=evaluation.headline,
        kept=evaluation.exit_code == EXIT_OK,
        baseline_sha256=evaluation.baseline_sha256,
        rules=tuple(_rule(result) for result in evaluation.results),
    )


def _rule(result: Result) -> HeldRule:
    rule = result.placed.rule
    measured = result.measured or _nothing(rule)
    waived = (f"waived {result.waived}",) if result.waived else ()
    return HeldRule(
        name=result.placed.name,
        line=result.placed.line,
        status=_STATUS[result.status],
        subject=result.subject,
        scale=_scale(rule),
        value=None if math.isnan(measured.value) else measured.value,
        at_least=measured.at_least,
        at_most=measured.at_most,
        bound=measured.bound,
        higher_is_worse=measured.higher_is_worse,
        reason=result.reason,
        remedy=result.remedy,
        source=rule.source,
        notes=(*waived, *result.notes),
    )


def _nothing(rule: Budget | Regression | UtilityFloor) -> Measured:
    """What a rule allows, where nothing could be held against it."""
    upwards = isinstance(rule, Regression) or (isinstance(rule, Budget) and rule.max is not None)
    bound = rule.margin if isinstance(rule, Regression) else _bound(rule)
    return Measured("", float("nan"), None, None, bound, upwards)


def _bound(rule: Budget | UtilityFloor) -> float:
    return rule.bound if isinstance(rule, Budget) else rule.min


def _scale(rule: Budget | Regression | UtilityFloor) -> str:
    if isinstance(rule, UtilityFloor):
        return "Dice of the segmentation"
    what = "advantage" if rule.on == "advantage" else str(rule.metric)
    return f"growth of {what}" if isinstance(rule, Regression) else what

"""A record against a policy: one result for each rule."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace

from leakaudit.errors import ConfigurationError, NothingToEvaluateError
from leakaudit.policy.baseline import Baseline
from leakaudit.policy.budgets import budget_outcome, judge_budget
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.floors import judge_floor, no_floor
from leakaudit.policy.looking import check_looked
from leakaudit.policy.model import Budget, Regression, UtilityFloor
from leakaudit.policy.names import Known, check_names
from leakaudit.policy.reading import Placed, PolicyFile
from leakaudit.policy.regressions import judge_regression
from leakaudit.policy.result import Evaluation, Result, Status
from leakaudit.record import Record

_LONGEST_WAIVER = datetime.timedelta(days=2 * 366)


def evaluate(
    file: PolicyFile,
    record: Record,
    *,
    today: datetime.date,
    baseline: Baseline | None = None,
) -> Evaluation:
    """Hold a record against a policy.

    Args:
        file: the policy.
        record: the audit.
        today: waivers that ended before it are refused.
        baseline: an earlier audit, where the policy has regression rules.

    Raises:
        NothingToEvaluateError: the policy has no rule on leakage, or the audit no finding.
        ConfigurationError: a name the audit does not know, a bound on the wrong side, a
            waiver that has expired or ends in more than two years, regression rules without a
            baseline or a baseline without them.
        NoValidVerdictError: the audit falls short of the policy's floors, or the baseline is of
            another environment, cohort or attack.
    """
    if all(isinstance(placed.rule, UtilityFloor) for placed in file.rules):
        raise NothingToEvaluateError(
            "a policy needs at least one rule on leakage: a [[budget]] or a [[regression]]",
            found=f"{len(file.rules)} rules, none of them on leakage, in {file.path}",
            remedy="write a [[budget]]: see docs/gate.md",
        )
    if not record.findings:
        raise NothingToEvaluateError(
            "an audit needs at least one finding",
            found=f"audit {record.audit_id} has none",
            remedy="let an adversary mount an attack, then run it again",
        )
    check_looked(file, record)
    _check_waivers(file, today)
    _check_baseline(file, baseline)
    evidence = Evidence(record)
    check_names(file, Known.of(evidence))
    if baseline is not None:
        baseline.check_comparable(record)
        baseline = baseline.named_for(record.split)
    results = tuple(_waived(_judged(evidence, placed, baseline), file) for placed in file.rules)
    return Evaluation(
        file=file,
        results=tuple(_warned(results, evidence)),
        audit_id=record.audit_id,
        record_sha256=record.content_sha256,
        record_title=record.title,
        baseline_sha256="" if baseline is None else baseline.content_sha256,
        weaknesses=record.weaknesses,
    )


def stands(evidence: Evidence, placed: Placed, setting: str) -> Result:
    """Hold one budget or utility floor against any setting of an audit.

    Args:
        evidence: the record.
        placed: the rule; the setting it names is not looked at, nor are waivers.
        setting: label of the one it is held against.
    """
    rule = placed.rule
    here = replace(placed, setting=setting)
    if isinstance(rule, Budget):
        return budget_outcome(evidence, here, rule)
    if isinstance(rule, Regression):
        raise ConfigurationError("a regression rule needs a baseline")
    return judge_floor(evidence, here, rule)


def _judged(evidence: Evidence, placed: Placed, baseline: Baseline | None) -> Result:
    rule = placed.rule
    if isinstance(rule, Budget):
        return judge_budget(evidence, placed, rule)
    if isinstance(rule, Regression):
        if baseline is None:
            raise ConfigurationError("a regression rule needs a baseline")
        return judge_regression(evidence, placed, rule, baseline)
    return judge_floor(evidence, placed, rule)


def _waived(result: Result, file: PolicyFile) -> Result:
    """Let go what a waiver lets go: a violation or a doubt, never a rule that was not judged."""
    found = file.waivers.get(result.placed.name)
    if found is None:
        return result
    waiver, line = found
    until = f"until {waiver.expires.isoformat()}: {waiver.reason}"
    if result.status in (Status.FAIL, Status.INCONCLUSIVE):
        return replace(result, status=Status.WAIVED, waived=until)
    said = {
        Status.PASS: f"the waiver on line {line} is not needed",
        Status.INVALID: f"the waiver on line {line} does not help: what was not judged cannot be "
        "waived",
    }[result.status]
    return replace(result, notes=(*result.notes, said))


def _warned(results: Sequence[Result], evidence: Evidence) -> Iterator[Result]:
    """Say once for each protected setting that no floor speaks of it."""
    told = {r.placed.setting for r in results if isinstance(r.placed.rule, UtilityFloor)}
    told.add(evidence.undefended)
    for result in results:
        setting = result.placed.setting
        if setting in told:
            yield result
        else:
            told.add(setting)
            yield replace(result, notes=(*result.notes, no_floor(evidence, setting)))


def _check_waivers(file: PolicyFile, today: datetime.date) -> None:
    for waiver, line in file.waivers.values():
        if waiver.expires < today:
            raise ConfigurationError(
                f"{file.path.name}:{line}: a waiver holds until its day",
                found=f"that of {waiver.rule!r} expired on {waiver.expires.isoformat()}",
                remedy="remove it and mend what it let go, or have it decided again",
            )
        if waiver.expires - today > _LONGEST_WAIVER:
            raise ConfigurationError(
                f"{file.path.name}:{line}: a waiver ends within two years",
                found=f"that of {waiver.rule!r} holds until {waiver.expires.isoformat()}",
                remedy="write a day on which it is to be decided again, or change the rule",
            )


def _check_baseline(file: PolicyFile, baseline: Baseline | None) -> None:
    regressions = list(_regressions(file))
    if regressions and baseline is None:
        raise ConfigurationError(
            f"{file.path.name}:{regressions[0].line}: a regression rule needs a baseline",
            found="none was given",
            remedy="pass --baseline FILE; `leakaudit baseline RUN -o FILE` writes one",
        )
    if baseline is not None and not regressions:
        raise ConfigurationError(
            "a baseline is compared by the policy's [[regression]] rules",
            found=f"none in {file.path}",
            remedy="add one with the margin that is tolerated, or leave --baseline out",
        )


def _regressions(file: PolicyFile) -> Iterator[Placed]:
    return (placed for placed in file.rules if isinstance(placed.rule, Regression))

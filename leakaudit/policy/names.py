"""Whether what a policy names is in the audit: a rule about nobody would always be kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Budget, Scope, UtilityFloor
from leakaudit.policy.reading import Placed, PolicyFile
from leakaudit.record.model import SERVER
from leakaudit.statistics import Direction


def check_names(file: PolicyFile, evidence: Evidence) -> None:
    """Refuse names that the audit does not know, and bounds on the wrong side.

    Raises:
        UnknownNameError: no such adversary, victim, attack, level, metric, region or setting; the
            nearest one is suggested.
        ConfigurationError: `max` for a metric that leaks downwards, `min` for one that leaks
            upwards, or a bound that no value can break.
    """
    known = _known(evidence)
    for placed in file.rules:
        where = f"{file.path.name}:{placed.line}"
        _check("setting", placed.setting, known["setting"], where, placed)
        rule = placed.rule
        if isinstance(rule, UtilityFloor):
            regions = evidence.record.cohort.regions
            if rule.region is not None:
                _check("region", rule.region, regions, where, placed)
            continue
        for field in ("adversary", "victim", "attack", "metric"):
            value = getattr(rule, field)
            if value is not None:
                _check(field, value, known[field], where, placed)
        _check_levels(rule, evidence, where)
        if isinstance(rule, Budget) and rule.on == "value":
            _check_direction(rule, evidence, where)


def _known(evidence: Evidence) -> Mapping[str, set[str]]:
    record = evidence.record
    return {
        "setting": {d.label for d in record.defenses} | {f.defense for f in record.findings},
        "adversary": {adversary.name for adversary in record.adversaries},
        "victim": {party.name for party in record.split.parties} | {SERVER},
        "attack": {attack.label for attack in record.attacks},
        "metric": {metric.name for metric in record.metrics}
        | {finding.metric for finding in record.findings}
        | set(record.not_available),
    }


def _check(what: str, name: str, known: Iterable[str], where: str, placed: Placed) -> None:
    if name not in set(known):
        raise UnknownNameError.of(f"{what} of {placed.name!r} at {where}", name, known)


def _check_levels(rule: Scope, evidence: Evidence, where: str) -> None:
    depth = len(evidence.record.split.channels)
    for level in rule.levels or ():
        if level >= depth:
            raise ConfigurationError(
                f"{where}: levels of this split are 0 to {depth - 1}",
                found=level,
                remedy="level 0 is full resolution",
            )


def _check_direction(rule: Budget, evidence: Evidence, where: str) -> None:
    metric = rule.metric or ""
    direction = evidence.directions.get(metric)
    if direction is None:
        return  # not measured in this audit: there is nothing to pass
    right, wrong = ("max", "min") if direction is Direction.HIGHER else ("min", "max")
    if getattr(rule, right) is None:
        raise ConfigurationError(
            f"{where}: {metric} leaks where it is {direction.value}, so its budget is a `{right}`",
            found=f"{wrong} = {rule.bound:g}",
            remedy=f"write {right} = ...",
        )
    ends = next((m for m in evidence.record.metrics if m.name == metric), None)
    end = None if ends is None else ends.highest if right == "max" else ends.lowest
    if end is not None and direction.sign * rule.bound >= direction.sign * end:
        raise ConfigurationError(
            f"{where}: a budget must be one that can be broken",
            found=f"{right} = {rule.bound:g}, and {metric} never goes beyond {end:g}",
            remedy="write the figure that was agreed",
        )

"""Whether what a policy names is in the audit: a rule about nobody would always be kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Budget, Scope, UtilityFloor
from leakaudit.policy.reading import Placed, PolicyFile
from leakaudit.record import SERVER
from leakaudit.statistics import Direction

Ends = tuple[float | None, float | None]
"""Lowest and highest value of a metric; None: it has no such end."""


@dataclass(frozen=True)
class Known:
    """What rules may speak of.

    Attributes:
        settings: labels of defense settings; None: whatever a rule names is not looked at.
        adversaries: names.
        victims: parties, and the server.
        attacks: labels.
        metrics: names.
        regions: whose Dice is measured.
        cuts: names of the split's cuts, by their numbers.
        directions: which way metrics leak, as far as it is known.
        ends: of metrics, as far as they are known.
    """

    settings: Collection[str] | None
    adversaries: Collection[str]
    victims: Collection[str]
    attacks: Collection[str]
    metrics: Collection[str]
    regions: Collection[str]
    cuts: Sequence[str]
    directions: Mapping[str, Direction]
    ends: Mapping[str, Ends]

    @staticmethod
    def of(evidence: Evidence) -> Known:
        """What an audit that was made knows."""
        record = evidence.record
        return Known(
            settings={d.label for d in record.defenses} | {f.defense for f in record.findings},
            adversaries={adversary.name for adversary in record.adversaries},
            victims={party.name for party in record.split.parties} | {SERVER},
            attacks={attack.label for attack in record.attacks},
            metrics={metric.name for metric in record.metrics}
            | {finding.metric for finding in record.findings}
            | set(record.not_available),
            regions=record.cohort.regions,
            cuts=record.split.cut_names,
            directions=evidence.directions,
            ends={metric.name: (metric.lowest, metric.highest) for metric in record.metrics},
        )


def check_names(file: PolicyFile, known: Known) -> None:
    """Refuse names that the audit does not know, and bounds on the wrong side.

    Raises:
        UnknownNameError: no such adversary, victim, attack, cut, metric, region or setting; the
            nearest one is suggested.
        ConfigurationError: `max` for a metric that leaks downwards, `min` for one that leaks
            upwards, or a bound that no value can break.
    """
    for placed in file.rules:
        where = f"{file.path.name}:{placed.line}"
        if known.settings is not None:
            _check("setting", placed.setting, known.settings, where, placed)
        rule = placed.rule
        if isinstance(rule, UtilityFloor):
            if rule.region is not None:
                _check("region", rule.region, known.regions, where, placed)
            continue
        for field, names in (
            ("adversary", known.adversaries),
            ("victim", known.victims),
            ("attack", known.attacks),
            ("metric", known.metrics),
        ):
            value = getattr(rule, field)
            if value is not None:
                _check(field, value, names, where, placed)
        _check_cuts(rule, known.cuts, where, placed)
        if isinstance(rule, Budget) and rule.on == "value":
            _check_direction(rule, known, where)


def _check(what: str, name: str, known: Collection[str], where: str, placed: Placed) -> None:
    if name not in known:
        raise UnknownNameError.of(f"{what} of {placed.name!r} at {where}", name, known)


def _check_cuts(rule: Scope, known: Sequence[str], where: str, placed: Placed) -> None:
    for cut in rule.cuts or ():
        if isinstance(cut, str):
            _check("cut", cut, known, where, placed)
        elif cut >= len(known):
            raise UnknownNameError.of(f"cut of {placed.name!r} at {where}", f"number {cut}", known)


def _check_direction(rule: Budget, known: Known, where: str) -> None:
    metric = rule.metric or ""
    direction = known.directions.get(metric)
    if direction is None:
        return  # not measured in this audit: there is nothing to pass
    right, wrong = ("max", "min") if direction is Direction.HIGHER else ("min", "max")
    if getattr(rule, right) is None:
        raise ConfigurationError(
            f"{where}: {metric} leaks where it is {direction.value}, so its budget is a `{right}`",
            found=f"{wrong} = {rule.bound:g}",
            remedy=f"write {right} = ...",
        )
    lowest, highest = known.ends.get(metric, (None, None))
    end = highest if right == "max" else lowest
    if end is not None and direction.sign * rule.bound >= direction.sign * end:
        raise ConfigurationError(
            f"{where}: a budget must be one that can be broken",
            found=f"{right} = {rule.bound:g}, and {metric} never goes beyond {end:g}",
            remedy="write the figure that was agreed",
        )

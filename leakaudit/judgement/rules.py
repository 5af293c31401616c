"""A policy's rules as the targets of an audit, held by the same judge as the gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leakaudit.errors import ConfigurationError
from leakaudit.judgement.findings import direction_of
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plugins import Kind, load, names
from leakaudit.policy import (
    Budget,
    Evidence,
    Known,
    Placed,
    PolicyFile,
    Regression,
    Status,
    UtilityFloor,
    check_names,
    read_policy,
    stands,
)
from leakaudit.policy.wording import TAILS, named, number
from leakaudit.record import SERVER, Record, Standing, TargetSummary

_OUTCOMES = {
    Status.PASS: "met",
    Status.FAIL: "exceeded",
    Status.INCONCLUSIVE: "unsettled",
    Status.INVALID: "not judged",
}


def policy_of(configuration: AuditConfiguration, regions: Sequence[str]) -> PolicyFile | None:
    """The policy that sets the targets, read and checked; None where none does.

    Args:
        configuration: who attacks with what, and where the policy lies.
        regions: of the cohort.

    Raises:
        ConfigurationError: not a valid policy, without any budget, or with a bound on the wrong
            side.
        UnknownNameError: it names what this audit does not have.
    """
    if configuration.policy is None:
        return None
    file = read_policy(Path(configuration.policy))
    if not any(isinstance(placed.rule, Budget) for placed in file.rules):
        raise ConfigurationError(
            "a policy that sets the targets of an audit has at least one [[budget]]",
            found=f"none in {file.path.name}",
            remedy="write one (docs/gate.md), or take `policy` out of the configuration",
        )
    metrics = names(Kind.METRIC)
    check_names(
        file,
        Known(
            # Which setting is to be deployed is what the audit is asked.
            settings=None,
            adversaries=[adversary.name for adversary in configuration.adversaries],
            victims=[*configuration.split.party_names, SERVER],
            attacks=[attack.title for attack in configuration.attacks],
            metrics=metrics,
            regions=regions,
            cuts=configuration.split.every_cut,
            directions={name: direction_of(name) for name in metrics},
            ends={name: load(Kind.METRIC, name).range for name in metrics},
        ),
    )
    return file


def rule_targets(file: PolicyFile, cuts: Sequence[str]) -> tuple[TargetSummary, ...]:
    """Budgets and utility floors as targets, in the order of the file.

    Regressions compare with an earlier audit and are left to the gate.

    Args:
        file: the policy.
        cuts: names of the split's cuts, by their numbers.
    """
    return tuple(_target(placed, cuts) for placed in _held(file))


def standings_to_rules(
    file: PolicyFile, record: Record, settings: Sequence[str]
) -> tuple[Standing, ...]:
    """How settings stand to every rule, whatever setting the policy names.

    Met is what the gate passes: an inconclusive rule is not met, and no waiver helps.

    Args:
        file: the policy.
        record: with the findings of all of them.
        settings: labels.
    """
    evidence = Evidence(record)
    return tuple(
        _standing(evidence, placed, number, setting)
        for setting in settings
        for number, placed in enumerate(_held(file))
    )


def _held(file: PolicyFile) -> list[Placed]:
    return [placed for placed in file.rules if not isinstance(placed.rule, Regression)]


def _target(placed: Placed, cuts: Sequence[str]) -> TargetSummary:
    rule = placed.rule
    if isinstance(rule, UtilityFloor):
        where = rule.region or "every region"
        return TargetSummary(
            kind="utility", measure="value", asset=None, adversary=None, victim=None,
            metric=rule.metric, region=rule.region, max=None, min=rule.min, rule=placed.name,
            source=rule.source,
            says=f"Dice of {where}, mean, at least {number(rule.min)}",
        )  # fmt: skip
    if not isinstance(rule, Budget):
        raise ConfigurationError("a regression rule needs a baseline")
    return TargetSummary(
        asset=rule.asset, adversary=rule.adversary, victim=rule.victim, metric=rule.metric,
        region=rule.region, max=rule.max, min=rule.min, measure=rule.on, tail=rule.tail,
        rule=placed.name, source=rule.source,
        says=_says(rule, cuts),
    )  # fmt: skip


def _says(rule: Budget, cuts: Sequence[str]) -> str:
    measured = rule.metric or "any metric"
    parts = [
        f"advantage in {measured}" if rule.on == "advantage" else measured,
        "" if rule.asset is None else f"on {rule.asset}",
        "" if rule.victim is None else f"of {rule.victim}",
        f"by {rule.adversary or 'anyone attacked'}",
        "" if rule.attack is None else f"with {rule.attack}",
        "" if rule.cuts is None else f"from {', '.join(named(rule.cuts, cuts))}",
        "" if rule.region is None else f"in the {rule.region}",
    ]
    side = "at least" if rule.max is None else "at most"
    return f"{' '.join(filter(None, parts))}, {TAILS[rule.tail]}, {side} {number(rule.bound)}"


def _standing(evidence: Evidence, placed: Placed, place: int, setting: str) -> Standing:
    result = stands(evidence, placed, setting)
    rule, measured = placed.rule, result.measured
    bound = None
    if measured is not None:
        bound = measured.at_most if measured.higher_is_worse else measured.at_least
    return Standing(
        setting=setting,
        target=place,
        outcome=_OUTCOMES[result.status],
        bound=bound,
        adversary=rule.adversary if isinstance(rule, Budget) else None,
        victim=rule.victim if isinstance(rule, Budget) else None,
        reason=result.reason,
    )

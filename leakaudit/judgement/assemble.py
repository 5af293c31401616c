"""From finished cells to the record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leakaudit.cells.finished import Finished
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import EXIT_USAGE, EnvironmentProblemError, NothingToEvaluateError
from leakaudit.judgement.answer import answer
from leakaudit.judgement.bounds import bounds
from leakaudit.judgement.claims import claim_checks
from leakaudit.judgement.findings import finding
from leakaudit.judgement.foreseen import foresee, measured_ceiling, measured_spreads
from leakaudit.judgement.gallery import draw_gallery
from leakaudit.judgement.gathering import gather
from leakaudit.judgement.interferences import interferences
from leakaudit.judgement.portfolios import portfolios
from leakaudit.judgement.presences import presences
from leakaudit.judgement.price import dice_cells, idle_cells, main_region
from leakaudit.judgement.questions import failures, questions
from leakaudit.judgement.recorded import recorded
from leakaudit.judgement.rules import rule_targets, standings_to_rules
from leakaudit.judgement.standing import Findings, standings, targets_of
from leakaudit.judgement.summary import (
    adversary_summaries,
    attack_summaries,
    cohort_summary,
    defense_summaries,
    environment,
    metric_summaries,
    split_summary,
)
from leakaudit.judgement.tradeoff import trade_offs
from leakaudit.judgement.uncovered import with_uncovered
from leakaudit.judgement.unfinished import planned
from leakaudit.judgement.utility import by_setting, costs, dependence, utility
from leakaudit.judgement.verdicts import controls, verdicts
from leakaudit.judgement.weaknesses import weaknesses
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials
from leakaudit.plan.sizes import sizes_of
from leakaudit.policy import PolicyFile
from leakaudit.record import (
    Record,
    SearchSummary,
    Standing,
    TargetSummary,
    Volatile,
    canonical,
    sealed,
)


@dataclass(frozen=True, eq=False)
class Frame:
    """What stays the same while an audit runs.

    Attributes:
        asked: the configuration as resolved, sweeps as they were written.
        as_given: the file's own content.
        given: the cohort.
        fingerprint: of the cohort.
        command: how to run it again.
        not_available: metrics that could not be measured, and how to get them.
        policy: whose rules are the targets; None where the configuration sets them.
        elsewhere: tables of the resolved configuration that tell of a training that this audit did
            not do, in place of its own.
    """

    asked: AuditConfiguration
    as_given: Mapping[str, Any]
    given: Materials
    fingerprint: str
    command: str
    not_available: Mapping[str, str]
    policy: PolicyFile | None = None
    elsewhere: Mapping[str, Any] = field(default_factory=dict)


def findings_of(configuration: AuditConfiguration, done: Finished) -> Findings:
    """What all attacks came to, and their controls."""
    gathered = gather(done.attacks.items(), configuration.split)
    label = configuration.undefended
    return Findings(
        gathered, controls(gathered, label), label, configuration.judgement.threshold,
        planned(configuration, done), configuration.judgement.patient_threshold,
    )  # fmt: skip


def measured(
    frame: Frame, configuration: AuditConfiguration, done: Finished, found: Findings
) -> Record:
    """What was measured so far: a record without trade-offs, answer and pictures.

    Args:
        frame: what stays the same.
        configuration: every setting that was audited listed under its defenses.
        done: finished cells.
        found: the same, as findings.

    Raises:
        NothingToEvaluateError: no training finished.
    """
    representative = {
        setting: done.trainings[seeds[0]] for setting, seeds in by_setting(done.trainings).items()
    }
    trained = representative.get(found.undefended) or next(iter(representative.values()), None)
    if trained is None:
        broken = done.failures
        reason = broken[0].reason if broken else "no cell"
        others = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        mendable = bool(broken) and all(each.exit_code == EXIT_USAGE for each in broken)
        kind = EnvironmentProblemError if mendable else NothingToEvaluateError
        raise kind(
            "at least one training must finish",
            found=f"{reason}{others}",
            remedy="mend it, then run the same command again",
        )
    given = frame.given
    resolved = recorded(frame.asked.model_dump(mode="json")) | dict(frame.elsewhere)
    victims = given.victims(configuration.victims)
    findings = tuple(
        entry
        for key, series in sorted(found.gathered.items())
        if not key.shuffled and (entry := finding(key, series)) is not None
    )
    proxies = dependence(done.trainings, configuration.split)
    defenses = defense_summaries(configuration, representative)
    digest = hashlib.sha256(canonical(resolved).encode()).hexdigest()
    return Record(
        audit_id=hashlib.sha256(f"{digest}{frame.fingerprint}".encode()).hexdigest()[:12],
        title=configuration.title,
        command=frame.command,
        configuration_given=recorded(frame.as_given),
        configuration_resolved=resolved,
        configuration_sha256=digest,
        environment=environment(configuration.training.device),
        seeds=configuration.seeds,
        governance=configuration.governance,
        cohort=cohort_summary(configuration, given, victims, frame.fingerprint),
        split=split_summary(configuration, given.cohort.space, trained),
        adversaries=adversary_summaries(configuration, done.attacks),
        attacks=attack_summaries(configuration),
        defenses=defenses,
        claim_checks=claim_checks(done.trainings),
        findings=findings,
        bounds=bounds(defenses, findings, proxies),
        controls=tuple(control for _, control in sorted(found.known.items(), key=_control_order)),
        verdicts=verdicts(
            found.gathered,
            found.known,
            questions(configuration, done),
            found.planned,
            undefended=found.undefended,
            threshold=found.threshold,
            patient_threshold=found.patient_threshold,
        ),
        utility=utility(done.trainings, given.groups.patients[Group.VALIDATION]),
        costs=costs(done.trainings, configuration.split),
        dependence=proxies,
        portfolios=portfolios(done.attacks.items(), configuration.split),
        presence=presences(done.trainings, configuration.split),
        metrics=metric_summaries(findings, proxies, len(victims)),
        failures=tuple(failures(done)),
        not_available=dict(frame.not_available),
        volatile=Volatile(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds_per_step={
                setting: result.seconds_per_step
                for setting, result in representative.items()
                if result.seconds_per_step is not None
            },
            peak_memory_bytes={
                setting: result.peak_memory_bytes
                for setting, result in representative.items()
                if result.peak_memory_bytes is not None
            },
        ),
    )


def held(
    frame: Frame, record: Record, found: Findings
) -> tuple[tuple[TargetSummary, ...], tuple[Standing, ...]]:
    """The targets in effect, and how every setting stands to them."""
    settings = [defense.label for defense in record.defenses]
    if frame.policy is not None:
        targets = rule_targets(frame.policy, record.split.cut_names)
        return targets, standings_to_rules(frame.policy, record, settings)
    limits = targets_of(frame.asked, found)
    return tuple(limit.summary for limit in limits), standings(settings, limits, found)


def assemble(
    frame: Frame,
    configuration: AuditConfiguration,
    done: Finished,
    out: Path,
    *,
    seconds: float,
    searches: tuple[SearchSummary, ...] = (),
) -> Record:
    """The record of an audit.

    Args:
        frame: what stays the same.
        configuration: every setting that was audited listed under its defenses.
        done: finished cells.
        out: run folder, for pictures.
        seconds: wall time of this run.
        searches: what was searched for, and how it went.

    Raises:
        NothingToEvaluateError: no training finished.
    """
    found = findings_of(configuration, done)
    record = measured(frame, configuration, done, found)
    given = frame.given
    settings = [stack.label for stack in configuration.defenses]
    region = main_region(done.trainings, tuple(given.cohort.regions))
    patients = given.groups.patients[Group.VALIDATION]
    dice = dice_cells(done.trainings, region, patients)
    targets, stand = held(frame, record, found)
    answered = (
        answer(
            settings, targets, stand, dice, record.utility, undefended=found.undefended,
            region=region, least_dice=configuration.judgement.least_dice, policy=frame.policy,
            idle=idle_cells(done.trainings, region, patients),
        )
        if found.gathered
        else None
    )  # fmt: skip
    added = {
        "trade_offs": trade_offs(settings, found, dice, record.utility, region),
        "power": foresee(
            frame.asked, sizes_of(given.groups), measured_spreads(found.gathered, found.undefended),
            measured_ceiling(found.gathered),
        ),
        "answer": None if answered is None else with_uncovered(answered, record),
        "searches": searches,
        "weaknesses": weaknesses(configuration, given, done),
        "interferences": interferences(done.trainings, done.interfered, region, patients),
        "pictures": draw_gallery(
            done.attacks, done.folders, given, configuration.split, out, configuration.victims
        ),
        "volatile": record.volatile.model_copy(update={"seconds_total": seconds}),
    }  # fmt: skip
    return sealed(record.model_copy(update=added))


def _control_order(item: tuple[tuple[Any, str], Any]) -> tuple[Any, str]:
    return item[0]

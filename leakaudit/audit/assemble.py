"""From finished cells to the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leakaudit.audit.answer import answer
from leakaudit.audit.attack_cell import AttackResult
from leakaudit.audit.configuration import AuditConfiguration
from leakaudit.audit.findings import finding, gather
from leakaudit.audit.gallery import draw_gallery
from leakaudit.audit.materials import Materials
from leakaudit.audit.plan import AttackId, Plan, TrainingId
from leakaudit.audit.price import dice_cells, main_region
from leakaudit.audit.runner import CellFailure
from leakaudit.audit.standing import Findings, targets_of
from leakaudit.audit.summary import (
    adversary_summaries,
    attack_summaries,
    cohort_summary,
    defense_summaries,
    environment,
    metric_summaries,
    split_summary,
)
from leakaudit.audit.tradeoff import trade_offs
from leakaudit.audit.training_cell import TrainingResult
from leakaudit.audit.utility import by_setting, costs, dependence, utility
from leakaudit.audit.verdicts import controls, verdicts
from leakaudit.audit.views import victims_of
from leakaudit.audit.work import RESULT_FILE, finished
from leakaudit.cohorts.cohort import Group
from leakaudit.errors import NothingToEvaluateError
from leakaudit.plugins import Kind, build
from leakaudit.record import Record, canonical, sealed
from leakaudit.record.model import Asset, Failure, SearchSummary, Utility, Volatile

_ALWAYS: tuple[Asset, ...] = ("images", "identity")
_WHERE_TRIED: tuple[Asset, ...] = ("attribute", "membership")


@dataclass(frozen=True)
class Finished:
    """What the cells of a plan left behind.

    Attributes:
        trainings: finished trainings.
        attacks: finished attacks.
        folders: where each attack stands.
        failures: what did not finish.
    """

    trainings: dict[TrainingId, TrainingResult]
    attacks: dict[AttackId, AttackResult]
    folders: dict[AttackId, Path]
    failures: Sequence[CellFailure]


def collect(plan: Plan, cells: Path, failures: Sequence[CellFailure]) -> Finished:
    """Read every finished cell of a plan."""
    trainings, attacks, folders = {}, {}, {}
    for identity, cell in plan.trainings.items():
        folder = plan.folder(cells, cell)
        if finished(folder):
            text = (folder / RESULT_FILE).read_text(encoding="utf-8")
            trainings[identity] = TrainingResult.model_validate_json(text)
    for attack_id, attack in plan.attacks.items():
        folder = plan.folder(cells, attack)
        if finished(folder):
            text = (folder / RESULT_FILE).read_text(encoding="utf-8")
            attacks[attack_id] = AttackResult.model_validate_json(text)
            folders[attack_id] = folder
    return Finished(trainings, attacks, folders, failures)


def assemble(
    asked: AuditConfiguration,
    configuration: AuditConfiguration,
    as_given: Mapping[str, Any],
    given: Materials,
    done: Finished,
    out: Path,
    *,
    fingerprint: str,
    command: str,
    not_available: Mapping[str, str],
    seconds: float,
    searches: tuple[SearchSummary, ...] = (),
) -> Record:
    """The record of an audit.

    Args:
        asked: as resolved, sweeps as they were written.
        configuration: the same with every setting that was audited listed under its defenses.
        as_given: the file's own content.
        given: the cohort.
        done: finished cells.
        out: run folder, for pictures.
        fingerprint: of the cohort.
        command: how to run it again.
        not_available: metrics that could not be measured, and how to get them.
        seconds: wall time of this run.
        searches: what was searched for, and how it went.

    Raises:
        NothingToEvaluateError: no training finished.
    """
    representative = {
        setting: done.trainings[seeds[0]] for setting, seeds in by_setting(done.trainings).items()
    }
    label = configuration.undefended
    trained = representative.get(label) or next(iter(representative.values()), None)
    if trained is None:
        reason = done.failures[0].reason if done.failures else "no cell"
        raise NothingToEvaluateError(
            "at least one training must finish", found=reason, remedy="mend it, then run again"
        )
    resolved = asked.model_dump(mode="json")
    gathered = gather(done.attacks.items())
    victims = given.victims(configuration.victims)
    findings = tuple(
        entry
        for key, series in sorted(gathered.items())
        if not key.shuffled and (entry := finding(key, series)) is not None
    )
    found = Findings(gathered, controls(gathered, label), label, configuration.judgement.threshold)
    known = found.known
    used = utility(done.trainings, given.groups.patients[Group.VALIDATION])
    proxies = dependence(done.trainings)
    cohort = cohort_summary(configuration, given, victims, fingerprint)
    digest = hashlib.sha256(canonical(resolved).encode()).hexdigest()
    return sealed(
        Record(
            audit_id=hashlib.sha256(f"{digest}{fingerprint}".encode()).hexdigest()[:12],
            title=configuration.title,
            command=command,
            configuration_given=dict(as_given),
            configuration_resolved=resolved,
            configuration_sha256=digest,
            environment=environment(configuration.training.device),
            seeds=configuration.seeds,
            cohort=cohort,
            split=split_summary(configuration, trained),
            adversaries=adversary_summaries(configuration, done.attacks),
            attacks=attack_summaries(configuration),
            defenses=defense_summaries(configuration, representative),
            findings=findings,
            controls=tuple(control for _, control in sorted(known.items(), key=_control_order)),
            verdicts=verdicts(
                gathered,
                known,
                _questions(configuration, done),
                undefended=label,
                threshold=configuration.judgement.threshold,
            ),
            utility=used,
            costs=costs(done.trainings, configuration.split),
            dependence=proxies,
            metrics=metric_summaries(findings, proxies, len(victims)),
            **_judged(configuration, given, done, found, used),
            searches=searches,
            pictures=draw_gallery(
                done.attacks, done.folders, given, configuration.split, out, configuration.victims
            ),
            failures=tuple(_failures(done)),
            not_available=dict(not_available),
            volatile=Volatile(
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds_total=seconds,
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
    )


def _judged(
    configuration: AuditConfiguration,
    given: Materials,
    done: Finished,
    found: Findings,
    used: tuple[Utility, ...],
) -> dict[str, Any]:
    """The record's fields that weigh leakage against Dice."""
    settings = [stack.label for stack in configuration.defenses]
    region = main_region(done.trainings, tuple(given.cohort.regions))
    dice = dice_cells(done.trainings, region, given.groups.patients[Group.VALIDATION])
    return {
        "trade_offs": trade_offs(settings, found, done.attacks, dice, used, region),
        "answer": answer(
            settings, targets_of(configuration, found), found, dice, used, region=region,
            least_dice=configuration.judgement.least_dice,
        ),
    }  # fmt: skip


def _control_order(item: tuple[tuple[Any, str], Any]) -> tuple[Any, str]:
    return item[0]


def _questions(
    configuration: AuditConfiguration, done: Finished
) -> Iterator[tuple[str, str, str, Asset, str]]:
    """Every (setting, adversary, victim, asset) that somebody may ask about."""
    split = configuration.split
    goals = _goals(configuration)
    asked = (*_ALWAYS, "masks", *(a for a in _WHERE_TRIED if a in goals.values()))
    for stack in configuration.defenses:
        for adversary in configuration.adversaries:
            others = [name for name in split.party_names if name not in adversary.members]
            for asset in asked:
                absent = _why_absent(done, stack.label, adversary.name, goals, asset)
                # A wire tap is asked about every link, whichever it taps.
                holders = others if asset in _ALWAYS else victims_of(asset, adversary, split)
                for victim in holders:
                    yield stack.label, adversary.name, victim, asset, absent


def _goals(configuration: AuditConfiguration) -> dict[str, Asset]:
    """What each attack of the configuration recovers."""
    return {
        use.title: build(Kind.ATTACK, use.use, use.settings).goal for use in configuration.attacks
    }


def _why_absent(
    done: Finished, setting: str, adversary: str, goals: Mapping[str, Asset], asset: Asset
) -> str:
    wanted = {asset, "images"} if asset == "identity" else {asset}  # read off images too
    reasons = [
        f"{attack.attack}: {result.reason}"
        for attack, result in done.attacks.items()
        if (attack.training.setting, attack.adversary) == (setting, adversary)
        and goals.get(attack.attack) in wanted
        and result.status != "done"
        and not attack.shuffled
    ]
    return "; ".join(dict.fromkeys(reasons)) or "no attack of this audit goes for it"


def _failures(done: Finished) -> Iterator[Failure]:
    for attack, result in done.attacks.items():
        if result.status == "attack invalid":
            yield Failure(
                stage="control" if attack.shuffled else "attack",
                where=_where(attack),
                kind="attack invalid",
                reason=result.reason,
            )
    for failure in done.failures:
        training = isinstance(failure.cell, TrainingId)
        yield Failure(
            stage="training" if training else "attack",
            where=_where(failure.cell),
            kind="error",
            reason=failure.reason,
        )


def _where(cell: TrainingId | AttackId) -> str:
    if isinstance(cell, TrainingId):
        return f"{cell.setting}, seed {cell.seed}"
    return (
        f"{cell.attack} by {cell.adversary} on {cell.training.setting}, seed {cell.training.seed}"
    )

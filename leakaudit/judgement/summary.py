"""The record's descriptive parts: cohort, split, adversaries, attacks, defenses, environment."""

from __future__ import annotations

import inspect
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import leakaudit
from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.cohorts.cohort import Group
from leakaudit.judgement.burden import unexplained
from leakaudit.judgement.findings import ceiling_of, direction_of
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials
from leakaudit.plan.plan import AttackId
from leakaudit.plugins import Kind, build, load
from leakaudit.record import (
    AdversarySummary,
    AttackSummary,
    CohortSummary,
    CutSummary,
    DefenseSummary,
    Dependence,
    Environment,
    Finding,
    GroupSummary,
    MetricSummary,
    NotMountable,
    PartySummary,
    SplitSummary,
)
from leakaudit.statistics import Direction
from leakaudit.threat.positions import seen_from

_NOT_TRAINED = "no training under it finished"
_PACKAGES = (
    "torch", "torchvision", "monai", "numpy", "scipy", "scikit-image", "lpips", "opacus",
    "pandas", "dask", "distributed", "pydantic", "safetensors", "typst",
)  # fmt: skip


def cohort_summary(
    configuration: AuditConfiguration, given: Materials, victims: tuple[str, ...], fingerprint: str
) -> CohortSummary:
    """The people behind the numbers, by pseudonym."""
    cohort = given.cohort
    lesion = (cohort.labels > 0).reshape(len(cohort.labels), -1).mean(axis=1)
    return CohortSummary(
        name=cohort.name,
        source=configuration.cohort.use,
        modalities=cohort.modalities,
        regions=tuple(cohort.regions),
        space=cohort.space,
        scaling=cohort.scaling,
        shareable=cohort.shareable,
        fingerprint=fingerprint,
        warnings=cohort.warnings,
        training=_group(given, Group.TRAINING),
        auxiliary=_group(given, Group.AUXILIARY),
        validation=_group(given, Group.VALIDATION),
        victims=victims,
        lesion_fraction=tuple(float(lesion[cohort.patients == name].mean()) for name in victims),
        validation_patients=given.groups.patients[Group.VALIDATION],
    )


def _group(given: Materials, group: Group) -> GroupSummary:
    rows = given.groups.indices[group]
    ill = given.cohort.labels[rows].reshape(len(rows), -1).any(axis=1) if len(rows) else rows > 0
    return GroupSummary(
        patients=len(given.groups.patients[group]),
        samples=len(rows),
        with_lesion=len(np.unique(given.cohort.patients[rows][ill])),
    )


def split_summary(
    configuration: AuditConfiguration, space: tuple[int, ...], trained: TrainingResult
) -> SplitSummary:
    """Who holds what, and what crosses when nothing is defended."""
    split = configuration.split
    return SplitSummary(
        orientation=split.orientation,
        dimensions=split.dimensions,
        model=split.model.use,
        network=None if split.is_reference else split.network_name,
        cuts=tuple(
            CutSummary(
                name=split.cut_name(number),
                shapes={name: split.shape(number, space, name) for name in split.party_names},
            )
            for number in trained.crossing
        ),
        mixes=split.mixes,
        channels=split.widths,
        party_levels=split.party_levels if split.cuts is None else len(split.cuts),
        labels_at=split.labels_at,
        parties=tuple(
            PartySummary(
                name=party.name,
                modalities=party.modalities,
                parameters=trained.parameters.get(party.name),
            )
            for party in split.parties
        ),
        server_parameters=trained.parameters.get("server"),
        epochs=configuration.training.epochs,
        recorded_epochs=trained.recorded_epochs,
    )


def adversary_summaries(
    configuration: AuditConfiguration, results: Mapping[AttackId, AttackResult]
) -> tuple[AdversarySummary, ...]:
    """Who attacked, knowing what, with which attacks, and which could not be mounted and why."""
    summaries = []
    for adversary in configuration.adversaries:
        mine = {
            attack: result
            for attack, result in results.items()
            if attack.adversary == adversary.name and not attack.shuffled
        }
        knowledge = seen_from(adversary, configuration.split) | adversary.granted
        summaries.append(
            AdversarySummary(
                name=adversary.name,
                position=adversary.position.value,
                members=adversary.members,
                knowledge=knowledge.words,
                behaviour=adversary.behaviour,
                question=adversary.question,
                linked=adversary.linked,
                mounted=_unique(a.attack for a, r in mine.items() if r.status == "done"),
                not_mountable=tuple(_refused(mine)),
            )
        )
    return tuple(summaries)


def _refused(results: Mapping[AttackId, AttackResult]) -> Iterator[NotMountable]:
    """Each attack and reason once; under which settings, where it was mounted under others."""
    settings: dict[tuple[str, str], list[str]] = {}
    for attack, result in results.items():
        if result.status == "not mountable":
            where = settings.setdefault((attack.attack, result.reason), [])
            where.append(attack.training.setting)
    mounted = {attack.attack for attack, result in results.items() if result.status == "done"}
    for (name, reason), where in settings.items():
        under = f"under {', '.join(_unique(where))}: " if name in mounted else ""
        yield NotMountable(attack=name, reason=under + reason)


def attack_summaries(configuration: AuditConfiguration) -> tuple[AttackSummary, ...]:
    """Every attack as configured."""
    summaries = []
    for use in configuration.attacks:
        attack = build(Kind.ATTACK, use.use, use.settings)
        summaries.append(
            AttackSummary(
                label=use.title,
                name=use.use,
                summary=type(attack).summary(),
                goal=attack.asset,
                criterion=attack.criterion,
                needs=attack.required.words,
                source=attack.source,
                settings=attack.model_dump(mode="json"),
            )
        )
    return tuple(summaries)


def defense_summaries(
    configuration: AuditConfiguration, trained: Mapping[str, TrainingResult]
) -> tuple[DefenseSummary, ...]:
    """Every defense setting, with its settings in effect and its claims.

    Args:
        configuration: what was asked for.
        trained: label to any one finished training of that setting.
    """
    summaries = []
    for stack in configuration.defenses:
        result = trained.get(stack.label)
        applied: list[dict[str, Any]] = (
            [{"name": use.use, **use.settings} for use in stack.stack]
            if result is None
            else [{"name": each.name, **_in_effect(each.settings)} for each in result.stack]
        )
        claims = tuple(claim for claim in (result.claims if result else ()) if claim is not None)
        lines = [load(Kind.DEFENSE, use.use).summary() for use in stack.stack]
        summaries.append(
            DefenseSummary(
                label=stack.label,
                stack=tuple(applied),
                summary=" ".join(lines) or "Nothing: features are sent as they are.",
                claims=claims,
                no_claim_because=_NOT_TRAINED if result is None else result.no_claim_because,
                unattacked="; ".join(unexplained(stack)),
            )
        )
    return tuple(summaries)


def _in_effect(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}


def metric_summaries(
    findings: Iterable[Finding], proxies: Iterable[Dependence], patients: int
) -> tuple[MetricSummary, ...]:
    """How to read every metric that the findings and the dependence proxies use."""
    names = {finding.metric for finding in findings} | {proxy.metric for proxy in proxies}
    return tuple(_metric(name, patients) for name in sorted(names))


def _metric(name: str, patients: int) -> MetricSummary:
    direction = direction_of(name)
    metric = load(Kind.METRIC, name)()
    lowest, highest = metric.range
    return MetricSummary(
        name=name,
        label=metric.title,
        unit=metric.unit or "1",
        lowest=float(lowest) if np.isfinite(lowest) else None,
        highest=float(highest) if np.isfinite(highest) else None,
        direction="higher" if direction is Direction.HIGHER else "lower",
        chance=metric.chance(patients),
        ceiling=ceiling_of(name, patients),
        meaning=metric.meaning,
        remedy=metric.remedy,
        source=metric.source,
    )


def environment(device: str) -> Environment:
    """What this audit runs on."""
    commit, dirty = _git()
    return Environment(
        leakaudit=leakaudit.__version__,
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _version(name))},
        platform=f"{platform.system()} {platform.machine()}",
        device=_device(device),
        git_commit=commit,
        git_dirty=dirty,
    )


def _device(device: str) -> str:
    """The GPU's name, where it is in this machine and not in a worker's."""
    if device == "cpu" or not torch.cuda.is_available():
        return device
    return str(torch.cuda.get_device_name(device))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> tuple[str | None, bool | None]:
    """Commit of the checkout this code runs from, if it is one."""
    folder = Path(inspect.getfile(sys.modules[__name__])).parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False,
                timeout=10,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    status = git("status", "--porcelain", "--untracked-files=no") if commit else None
    return commit, None if status is None else bool(status)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))

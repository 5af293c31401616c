"""Run an audit from configuration to record; what is finished is never done twice."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakaudit.audit.assemble import assemble, collect
from leakaudit.audit.cells import AttackCell, CohortChoice, TrainingCell
from leakaudit.audit.configuration import (
    UNDEFENDED,
    AuditConfiguration,
    DefenseStack,
    Judgement,
    Use,
)
from leakaudit.audit.engine import CellFailure, Tick, Watch, engine, run_plan
from leakaudit.audit.materials import Materials, load_cohort
from leakaudit.audit.plan import Plan, TrainingId, foreign_plan, make_plan
from leakaudit.audit.training_cell import result_of_trace
from leakaudit.audit.work import clear_partial, finished
from leakaudit.cohorts.cohort import Group
from leakaudit.cohorts.groups import split_patients
from leakaudit.errors import EnvironmentProblemError, RecordError, TraceError
from leakaudit.metrics import PerceptualDistance
from leakaudit.record import Record, content_sha256, read_record, write_record
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.size import check_disk, estimate_bytes
from leakaudit.training.loop import checked_device

CELLS = "cells"
# Patients below which no verdict may be given, whatever the numbers look like.
LEAST_PATIENTS = 2


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: the audit's result, as written to ``audit.json``.
        folder: the run folder.
        computed: cells that ran now.
        reused: cells that were finished before.
        failures: cells that did not finish.
        refusal: why no verdict can be given; None where verdicts stand.
    """

    record: Record
    folder: Path
    computed: int
    reused: int
    failures: tuple[CellFailure, ...]
    refusal: str | None


def run_audit(
    configuration: AuditConfiguration,
    given: Mapping[str, Any],
    out: Path,
    *,
    scheduler: str | None = None,
    watch: Watch,
    command: str,
) -> Outcome:
    """Train, record, attack, measure; write ``audit.json``.

    Args:
        configuration: as resolved.
        given: the file's own content, kept in the record.
        out: run folder; made where absent.
        scheduler: address of a Dask scheduler; None for a local engine.
        watch: told of progress.
        command: how to run it again, for the record.

    Raises:
        ConfigurationError: a plug-in or setting is wrong.
        DataError: the cohort breaks a rule.
        EnvironmentProblemError: disk, device or scheduler is missing.
    """
    started = time.monotonic()
    checked_device(configuration.training.device)
    choice, loaded = _choice(configuration)
    lpips, not_available = _lpips(configuration.judgement)
    plan = make_plan(configuration, choice, loaded, lpips)
    case = _Case(configuration, given, out, plan, loaded, choice, not_available, command, started)
    _check_room(case)
    return _finish(case, scheduler, watch)


def attack_trace(
    trace: Path,
    configuration: AuditConfiguration,
    given: Mapping[str, Any],
    out: Path,
    *,
    scheduler: str | None = None,
    watch: Watch,
    command: str,
) -> Outcome:
    """Audit a trace that was recorded elsewhere, without retraining.

    Args:
        trace: its folder.
        configuration: cohort, groups, adversaries and attacks; the split is the trace's own.
        given: the file's own content, kept in the record.
        out: run folder; made where absent.
        scheduler: address of a Dask scheduler; None for a local engine.
        watch: told of progress.
        command: how to run it again, for the record.

    Raises:
        TraceError: damaged, of another schema version, or recorded on another cohort.
    """
    started = time.monotonic()
    reader = TraceReader(trace)
    description = reader.description
    choice, loaded = _choice(configuration)
    if description.cohort_fingerprint != choice.fingerprint:
        raise TraceError(
            "a trace can only be judged against the cohort it was recorded on",
            found=f"fingerprint {choice.fingerprint[:12]}, the trace has "
            f"{description.cohort_fingerprint[:12]}",
            remedy="name that cohort in the configuration",
        )
    lpips, not_available = _lpips(configuration.judgement)
    uses = tuple(Use.model_validate({"use": d.name, **d.settings}) for d in description.defenses)
    stack = DefenseStack(label="as recorded" if uses else UNDEFENDED, stack=uses)
    configuration = configuration.model_copy(
        update={"split": description.split, "seeds": (description.seed,), "defenses": (stack,)}
    )
    plan = foreign_plan(
        configuration, choice, loaded, lpips, setting=stack.label, seed=description.seed,
        digest=reader.content_sha256,
    )  # fmt: skip
    recorded = Recorded(TrainingId(stack.label, description.seed), trace.resolve(), reader)
    case = _Case(configuration, given, out, plan, loaded, choice, not_available, command, started)
    return _finish(case, scheduler, watch, recorded)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A training that was recorded elsewhere."""

    identity: TrainingId
    folder: Path
    reader: TraceReader


@dataclass(frozen=True, eq=False)
class _Case:
    """What both ways into an audit have in common."""

    configuration: AuditConfiguration
    given: Mapping[str, Any]
    out: Path
    plan: Plan
    loaded: Materials
    choice: CohortChoice
    not_available: Mapping[str, str]
    command: str
    started: float


def _finish(
    case: _Case, scheduler: str | None, watch: Watch, recorded: Recorded | None = None
) -> Outcome:
    """Run what is missing, then read every cell and write the record."""
    cells = _cells_folder(case.out)
    plan = case.plan
    everything: list[TrainingCell | AttackCell] = [
        *plan.trainings.values(),
        *plan.attacks.values(),
    ]
    missing = {cell.key() for cell in everything if not finished(plan.folder(cells, cell))}
    failures: list[CellFailure] = []
    if missing:
        clear_partial(cells)
        settings = case.configuration.engine
        traces = {} if recorded is None else {recorded.identity: recorded.folder}
        with engine(settings, scheduler) as client:
            failures = run_plan(plan, cells, client, settings.threads, watch, traces)
    else:
        watch(Tick(len(everything), len(everything), 1.0, 0.0, {}))
    done = collect(plan, cells, failures)
    if recorded is not None:
        done.trainings[recorded.identity] = result_of_trace(recorded.reader)
    record = assemble(
        case.configuration, case.given, case.loaded, done, case.out,
        fingerprint=case.choice.fingerprint, command=case.command,
        not_available=case.not_available, seconds=time.monotonic() - case.started,
    )  # fmt: skip
    if not missing:
        record = _kept(record, case.out)
    write_record(record, case.out)
    return Outcome(
        record=record,
        folder=case.out,
        computed=len(missing),
        reused=len({cell.key() for cell in everything}) - len(missing),
        failures=tuple(failures),
        refusal=_refusal(case.loaded, case.configuration),
    )


def _kept(record: Record, out: Path) -> Record:
    """The record that stands already, where it says the same.

    Where it ran and by which command belongs to the run that computed it, not to a later one that
    found everything finished.
    """
    try:
        before = read_record(out)
    except RecordError:
        return record
    same = {"environment": before.environment, "command": before.command}
    return (
        before
        if content_sha256(record.model_copy(update=same)) == before.content_sha256
        else record
    )


def _refusal(loaded: Materials, configuration: AuditConfiguration) -> str | None:
    """Why this audit can give no verdict at all."""
    victims = len(loaded.victims(configuration.victims))
    if victims < LEAST_PATIENTS:
        return (
            f"no verdict can be given from {victims} patient: nothing tells a leak about this "
            "patient from what all patients have in common; add patients"
        )
    if not loaded.groups.patients[Group.AUXILIARY]:
        return (
            "no verdict can be given without auxiliary patients: no attack can be trained and no "
            "blind baseline made; give some patients to the auxiliary group"
        )
    return None


def _choice(configuration: AuditConfiguration) -> tuple[CohortChoice, Materials]:
    """The cohort, loaded and pinned by its fingerprint."""
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    choice = CohortChoice(
        cohort=configuration.cohort,
        groups=configuration.groups,
        fingerprint=cohort.fingerprint(),
    )
    groups = split_patients(cohort, configuration.groups)
    return choice, Materials(cohort, groups, cohort.masks())


def _lpips(judgement: Judgement) -> tuple[str | None, dict[str, str]]:
    """The backbone's file, or why LPIPS is not measured."""
    if judgement.lpips == "off":
        return None, {"lpips": "switched off in the configuration (judgement.lpips)"}
    metric = PerceptualDistance(weights=judgement.lpips_weights)
    missing = metric.available()
    if missing is not None:
        return None, {"lpips": missing}
    return str(metric.backbone()), {}


def _cells_folder(out: Path) -> Path:
    """Where finished cells stand.

    Raises:
        EnvironmentProblemError: the run folder cannot be made or written.
    """
    cells = out / CELLS
    try:
        cells.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cells):
            pass
    except OSError as problem:
        raise EnvironmentProblemError(
            f"the run folder must be writable ({problem.strerror})",
            found=str(out),
            remedy="name another folder with --out, or change its permissions",
        ) from None
    return cells


def _check_room(case: _Case) -> None:
    """Foresee a full disk before the first training starts.

    Raises:
        EnvironmentProblemError: the traces to be recorded do not fit.
    """
    cells = _cells_folder(case.out)
    wanted = 0
    for cell in case.plan.trainings.values():
        if cell.recording is not None and not finished(case.plan.folder(cells, cell)):
            wanted += estimate_bytes(
                cell.split,
                case.loaded.cohort.space,
                len(case.loaded.groups.indices[Group.TRAINING]),
                len(cell.recording.chosen(cell.training.epochs)),
                regions=len(case.loaded.cohort.regions),
                weight_updates=cell.recording.weight_updates,
            )
    check_disk(cells, wanted)

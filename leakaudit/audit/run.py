"""Run an audit from configuration to record; what is finished is never done twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakaudit.audit.preflight import check_same_model, fitted, lpips_backbone
from leakaudit.audit.room import COHORT, check_room, run_folder
from leakaudit.audit.runner import Runner, Watch
from leakaudit.audit.searching import search
from leakaudit.audit.traced import as_recorded, stated, training_of_trace, with_filters
from leakaudit.cells.finished import CellFailure, Finished, collect
from leakaudit.cells.folder import finished
from leakaudit.cells.training_cell import result_of_trace
from leakaudit.cohorts.cohort import Group
from leakaudit.cohorts.groups import check_nobody_twice, split_patients
from leakaudit.errors import RecordError, TraceError
from leakaudit.judgement.assemble import Frame, assemble
from leakaudit.judgement.foreseen import foresee
from leakaudit.judgement.rules import policy_of
from leakaudit.judgement.standing import check_targets
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import UNDEFENDED, AuditConfiguration
from leakaudit.plan.defending import check_defenses
from leakaudit.plan.materials import Materials, load_cohort
from leakaudit.plan.plan import (
    Plan,
    TrainingId,
    foreign_plan,
    make_plan,
)
from leakaudit.plan.prepared import Store
from leakaudit.plan.sizes import sizes_of
from leakaudit.plan.tables import DefenseStack, Use
from leakaudit.record import Power, Record, content_sha256, read_record, write_record
from leakaudit.trace.reader import TraceReader
from leakaudit.training.loop import checked_device

Foreseen = Callable[[tuple[Power, ...]], None]

# Patients below which no verdict may be given, whatever the numbers look like.
LEAST_PATIENTS = 2


def _nobody(power: tuple[Power, ...]) -> None:
    del power


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
    foreseen: Foreseen = _nobody,
    command: str,
) -> Outcome:
    """Train, record, attack, measure; write ``audit.json``.

    Args:
        configuration: as resolved.
        given: the file's own content, kept in the record.
        out: run folder; made where absent.
        scheduler: address of a Dask scheduler; None for a local engine.
        watch: told of progress.
        foreseen: told before anything runs what the plan can exclude.
        command: how to run it again, for the record.

    Raises:
        ConfigurationError: a plug-in or setting is wrong.
        DataError: the cohort breaks a rule.
        EnvironmentProblemError: disk, device or scheduler is missing.
    """
    started = time.monotonic()
    if scheduler is None:
        checked_device(configuration.training.device)
    choice, loaded = _choice(configuration)
    configuration = fitted(configuration, loaded.cohort)
    check_defenses(configuration.swept, choice, loaded)
    check_targets(configuration.targets)
    policy = policy_of(configuration, tuple(loaded.cohort.regions))
    lpips, not_available = lpips_backbone(configuration.judgement)
    frame = Frame(configuration, given, loaded, choice.fingerprint, command, not_available, policy)
    return _finish(
        frame, lambda listed: make_plan(listed, choice, loaded, lpips), scheduler, watch, foreseen,
        out, started,
    )  # fmt: skip


def attack_trace(
    trace: Path,
    configuration: AuditConfiguration,
    given: Mapping[str, Any],
    out: Path,
    *,
    scheduler: str | None = None,
    watch: Watch,
    foreseen: Foreseen = _nobody,
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
        foreseen: told before anything runs what the plan can exclude.
        command: how to run it again, for the record.

    Raises:
        TraceError: damaged, of another schema version, or recorded on another cohort.
    """
    started = time.monotonic()
    # Its model is built only once the configuration is known to name the same.
    reader = TraceReader(trace, trusted=True)
    description = reader.description
    choice, loaded = _choice(configuration)
    if description.cohort_fingerprint != choice.fingerprint:
        raise TraceError(
            "a trace can only be judged against the cohort it was recorded on",
            found=f"fingerprint {choice.fingerprint[:12]}, the trace has "
            f"{description.cohort_fingerprint[:12]}",
            remedy="name that cohort in the configuration",
        )
    check_same_model(description, configuration)
    loaded = as_recorded(reader, loaded)
    lpips, not_available = lpips_backbone(configuration.judgement)
    uses = tuple(Use.model_validate({"use": d.name, **d.settings}) for d in description.defenses)
    stack = DefenseStack(label="as recorded" if uses else UNDEFENDED, stack=uses)
    configuration = configuration.model_copy(
        update={"split": reader.split, "seeds": (description.seed,), "defenses": (stack,),
                "sweep": (), "training": training_of_trace(description, configuration.training),
                "governance": with_filters(configuration.governance, description)}
    )  # fmt: skip
    check_targets(configuration.targets)
    recorded = Recorded(TrainingId(stack.label, description.seed), trace.resolve(), reader)
    policy = policy_of(configuration, tuple(loaded.cohort.regions))
    frame = Frame(
        configuration, given, loaded, choice.fingerprint, command, not_available, policy,
        {"training": stated(description), "recording": {"epochs": list(reader.epochs)}},
    )  # fmt: skip

    def planned(listed: AuditConfiguration) -> Plan:
        return foreign_plan(
            listed, choice, loaded, lpips, setting=stack.label, seed=description.seed,
            digest=reader.content_sha256,
        )  # fmt: skip

    return _finish(frame, planned, scheduler, watch, foreseen, out, started, recorded)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A training that was recorded elsewhere."""

    identity: TrainingId
    folder: Path
    reader: TraceReader


def _finish(
    frame: Frame,
    planned: Callable[[AuditConfiguration], Plan],
    scheduler: str | None,
    watch: Watch,
    foreseen: Foreseen,
    out: Path,
    started: float,
    recorded: Recorded | None = None,
) -> Outcome:
    """Run what is missing, round by round, then write the record."""
    traces = {} if recorded is None else {recorded.identity: recorded.folder}
    asked = frame.asked
    foreseen(foresee(asked, sizes_of(frame.given.groups)))
    with run_folder(out) as cells:
        with (
            Store(cells / COHORT, frame.given.cohort, frame.fingerprint) as store,
            Runner(
                cells, asked.engine, scheduler, watch, traces, store, device=asked.training.device
            ) as runner,
        ):

            def one_round(configuration: AuditConfiguration) -> Finished:
                plan = planned(configuration)
                check_room(plan, cells, frame.given, asked.engine if scheduler is None else None)
                if recorded is not None and not all(
                    finished(plan.folder(cells, attack)) for attack in plan.attacks.values()
                ):
                    recorded.reader.verify()
                runner.run(plan)
                done = collect(plan, cells, runner.failures)
                if recorded is not None:
                    done.trainings[recorded.identity] = result_of_trace(
                        recorded.reader, frame.given
                    )
                return done

            searched = search(frame, one_round)
        record = assemble(
            frame, searched.configuration, searched.done, out, seconds=time.monotonic() - started,
            searches=searched.searches,
        )  # fmt: skip
        if not runner.computed:
            record = _kept(record, out)
        write_record(record, out)
    return Outcome(
        record=record,
        folder=out,
        computed=len(runner.computed),
        reused=len(runner.seen - runner.computed),
        failures=tuple(runner.failures),
        refusal=_refusal(frame.given, asked),
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
    check_nobody_twice(cohort, groups)
    return choice, Materials(cohort, groups, cohort.masks())

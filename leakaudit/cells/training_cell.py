"""Run a training cell: train, record, measure how well it segments and what it sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from leakaudit.cells.asking import ask_about_images
from leakaudit.cells.claim_checks import check_claims
from leakaudit.cells.claim_summary import summary_of
from leakaudit.cells.dependence import Proxy, measure_dependence
from leakaudit.cells.interference import begin, keep, said_of
from leakaudit.cells.memory import measured
from leakaudit.cells.presence import Presence
from leakaudit.cohorts.cohort import Group
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import claims, no_claim_because, resolve, wire_share
from leakaudit.plan.cells import TrainingCell
from leakaudit.plan.materials import Materials, exposure_of, materials
from leakaudit.plan.tables import Section
from leakaudit.plugins import Kind, build
from leakaudit.record import ClaimCheck, ClaimSummary, Route
from leakaudit.split.spec import SplitSpec
from leakaudit.trace.description import AppliedDefense, TraceDescription, TracedSample
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.rebuilt import build_defenses
from leakaudit.trace.writer import TraceWriter
from leakaudit.training.data import Holdings, hold
from leakaudit.training.evaluation import evaluate
from leakaudit.training.federated import deal
from leakaudit.training.loop import predictor, train

TRACE_FOLDER = "trace"

Report = Callable[[str, float], None]
"""Told what a cell is doing, and the fraction done, 0 to 1."""


class RegionUtility(Section):
    """Segmentation of one region by one seed; null is undefined."""

    dice: dict[str, float | None]
    hd95: dict[str, float | None]
    dice_over_all_pixels: float | None
    idle: dict[str, float | None] = Field(default_factory=dict)


class TrainingResult(Section):
    """What a training cell leaves behind besides its trace."""

    utility: dict[str, RegionUtility]
    losses: tuple[float, ...]
    seconds_per_step: float | None
    peak_memory_bytes: int | None
    routes: tuple[Route, ...]
    parameters: dict[str, int]
    stack: tuple[AppliedDefense, ...]
    claims: tuple[ClaimSummary | None, ...]
    no_claim_because: str | None
    crossing: tuple[int, ...]
    recorded_epochs: tuple[int, ...]
    dependence: tuple[Proxy, ...] = ()
    foreign_network: bool = False
    claim_checks: tuple[ClaimCheck, ...] = ()
    presence: tuple[Presence, ...] = ()


def run_training(
    cell: TrainingCell, folder: Path, report: Report, store: Path | None = None
) -> TrainingResult:
    """Train and record into ``folder``.

    Args:
        cell: what to train.
        folder: of its own.
        report: told of progress.
        store: of prepared cohorts.

    Raises:
        ConfigurationError: a defense cannot stand in this split.
        EnvironmentProblemError: the device or the disk is not there.
        NotMountableError: an active attack cannot take part.
        AttackInvalidError: it diverged.
    """
    given = materials(cell.choice, store)
    rows = given.rows(Group.TRAINING)
    defenses = tuple(build(Kind.DEFENSE, use.use, use.settings) for use in cell.defenses)
    exposure = exposure_of(given, cell.training)
    defenses = resolve(defenses, cell.split, exposure)
    holdings = hold(given.cohort, cell.split)
    if cell.dealt_by is not None:
        rows = deal(holdings.patients, rows, cell.dealt_by)[cell.split.party_names[0]]
    interference = begin(cell, given, holdings, defenses, exposure)
    recorder: TraceWriter | None = None
    probes: tuple[int, ...] = ()
    if cell.recording is not None:
        description = _description(cell, given, defenses, holdings)
        recorder = TraceWriter(folder / TRACE_FOLDER, description, restart=True)
        probes = _probes(given, cell.recording.weight_updates)
    try:
        with measured(cell.training.device) as peak:
            trained = train(
                holdings, rows, cell.split, defenses, cell.training, seed=cell.seed,
                recorder=recorder, probes=probes,
                progress=lambda done, total, _: report("training", done / total),
                interference=interference,
            )  # fmt: skip
    except BaseException:
        if recorder is not None:
            recorder.abandon()
        raise
    if recorder is not None:
        recorder.close()
    if interference is not None:
        keep(interference, folder)
    device = cell.training.device
    scores = evaluate(
        predictor(trained.network, holdings, seed=cell.seed, device=device),
        given.rows(Group.VALIDATION), given.masks, given.cohort.patients,
        tuple(given.cohort.regions),
    )  # fmt: skip
    reader = None if recorder is None else TraceReader(folder / TRACE_FOLDER, trusted=True)
    claimed = claims(defenses, cell.split, exposure)
    return TrainingResult(
        utility={
            region: RegionUtility(
                dice=score.dice, hd95=score.hd95,
                dice_over_all_pixels=score.dice_over_all_pixels, idle=score.idle,
            )
            for region, score in scores.items()
        },
        losses=trained.losses,
        seconds_per_step=trained.seconds_per_step,
        peak_memory_bytes=peak.bytes,
        routes=_routes(reader, len(rows) / exposure.patients, defenses),
        parameters=_parameters(trained.network),
        stack=tuple(_applied(defense, use.use)
                    for defense, use in zip(defenses, cell.defenses, strict=True)),
        claims=tuple(
            None if claim is None else summary_of(claim) for claim in claimed
        ),
        no_claim_because=no_claim_because(defenses, cell.split, exposure),
        crossing=trained.network.split.crossing,
        recorded_epochs=reader.epochs if reader is not None else (),
        dependence=_dependence(cell, reader, given, holdings, trained.network.split, report),
        claim_checks=check_claims(
            trained.network, defenses, claimed, exposure, cell.seed, device
        ),
        presence=() if reader is None or cell.interfering is not None
        else ask_about_images(reader, given, holdings),
    )  # fmt: skip


def result_of_trace(reader: TraceReader, given: Materials) -> TrainingResult:
    """What a trace recorded elsewhere tells of its training; nothing about utility or clocks.

    Args:
        reader: the trace.
        given: the cohort that it was recorded on.
    """
    network = reader.rebuilt().network(reader.epochs[-1]) if reader.can_be_rebuilt else None
    split = reader.split if network is None else network.split
    return TrainingResult(
        utility={},
        losses=(),
        seconds_per_step=None,
        peak_memory_bytes=None,
        routes=_routes(
            reader,
            len(reader.samples) / len(set(reader.patients)),
            build_defenses(reader.description),
        ),
        parameters={} if network is None else _parameters(network),
        stack=reader.description.defenses,
        claims=(),
        no_claim_because="this audit did not see how often each patient was released: a claim "
        "stands only in the audit that trained",
        crossing=split.crossing,
        recorded_epochs=reader.epochs,
        foreign_network=reader.description.network == "own",
        presence=ask_about_images(reader, given, hold(given.cohort, split)),
    )


def _description(
    cell: TrainingCell, given: Materials, defenses: tuple[Defense, ...], holdings: Holdings
) -> TraceDescription:
    if cell.recording is None:
        raise ValueError("a cell without recording has no trace")
    rows = given.groups.indices[Group.TRAINING]
    holders: dict[int, str] = {}
    if cell.split.orientation == "horizontal":
        dealt = deal(holdings.patients, given.rows(Group.TRAINING), cell.split)
        holders = {row: name for name, own in dealt.items() for row in own.tolist()}
    return TraceDescription(
        split=cell.split,
        regions=tuple(given.cohort.regions),
        space=given.cohort.space,
        defenses=tuple(
            _applied(defense, use.use) for defense, use in zip(defenses, cell.defenses, strict=True)
        ),
        seed=cell.seed,
        cohort_fingerprint=cell.choice.fingerprint,
        training=cell.training.model_dump(mode="json") | said_of(cell),
        epochs_trained=cell.training.epochs,
        epochs_recorded=cell.recording.chosen(cell.training.epochs),
        samples=tuple(
            TracedSample(
                sample=int(row),
                patient=str(given.cohort.patients[row]),
                party=holders.get(int(row)),
            )
            for row in rows
        ),
    )


def _applied(defense: Defense, name: str) -> AppliedDefense:
    return AppliedDefense(name=name, settings=defense.model_dump(mode="json", exclude_unset=False))


def _probes(given: Materials, count: int) -> tuple[int, ...]:
    """Samples for probed updates: patient after patient, so that few probes cover many patients."""
    rows = given.groups.indices[Group.TRAINING]
    owners = given.cohort.patients[rows]
    rank = np.zeros(len(rows), dtype=np.int64)
    for owner in np.unique(owners):
        mine = np.flatnonzero(owners == owner)
        # The middle sample of a patient first: it shows more brain than the ends.
        rank[mine] = np.argsort(np.argsort(np.abs(np.arange(len(mine)) - len(mine) // 2)))
    return tuple(int(row) for row in rows[np.argsort(rank, kind="stable")][:count])


def _routes(
    reader: TraceReader | None, samples_per_patient: float, defenses: Sequence[Defense]
) -> tuple[Route, ...]:
    """What crossed, and its bytes as encoded for the wire."""
    if reader is None:
        return ()
    shares = [
        wire_share(defenses, reader.split, route, recorded.shape[0])
        for route, recorded in zip(reader.routes, reader.description.routes, strict=True)
    ]
    return tuple(
        Route(
            sender=route.sender,
            receiver=route.receiver,
            direction=route.direction,
            cut=route.cut if route.at_head else reader.split.cut_name(route.number),
            shape=route.shape,
            dtype=route.dtype,
            bytes_per_patient=samples_per_patient
            * math.prod(route.shape)
            * getattr(torch, route.dtype).itemsize
            * share,
        )
        for route, share in zip(reader.description.routes, shares, strict=True)
    )


def _parameters(network: Network) -> dict[str, int]:
    counts = {
        name: sum(p.numel() for p in network.party(name).parameters())
        for name in network.split.party_names
    }
    server = (*network.server.parameters(), *network.head.parameters())
    return counts | {"server": sum(parameter.numel() for parameter in server)}


def _dependence(
    cell: TrainingCell,
    reader: TraceReader | None,
    given: Materials,
    holdings: Holdings,
    split: SplitSpec,
    report: Report,
) -> tuple[Proxy, ...]:
    if reader is None or not cell.dependence:
        return ()
    report("dependence", 1.0)
    rows = given.victim_rows(None)
    return measure_dependence(reader, rows, holdings, split, cell.seed)

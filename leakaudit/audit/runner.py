"""Running plans: what is missing is sent to the engine, followed, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

import leakaudit
from leakaudit.audit.engine import dashboard_of, engine, resources_for
from leakaudit.audit.traces import Readers
from leakaudit.cells.finished import CellFailure
from leakaudit.cells.folder import clear_partial, finished
from leakaudit.cells.training_cell import TRACE_FOLDER
from leakaudit.cells.work import (
    PROGRESS_TOPIC,
    work_attack,
    work_training,
)
from leakaudit.errors import EXIT_INTERNAL, EnvironmentProblemError, LeakauditError
from leakaudit.plan.configuration import EngineSettings
from leakaudit.plan.plan import CellId, Plan, SourceId, TrainingId
from leakaudit.plan.prepared import Store


@dataclass(frozen=True)
class Tick:
    """Where the run stands.

    Attributes:
        done: finished cells, those of earlier runs included.
        total: all cells; a search adds to them as it goes.
        fraction: share of the work under way that is done, 0 to 1.
        seconds_left: estimate; None until something finished.
        doing: stage of the cells under way, by cell.
        dashboard: address of the Dask dashboard; None where there is none.
        waiting: what the run waits for before anything can be done; empty: nothing.
    """

    done: int
    total: int
    fraction: float
    seconds_left: float | None
    doing: dict[str, str]
    dashboard: str | None = None
    waiting: str = ""


Watch = Callable[[Tick], None]
Work = dict[Future[None], CellId]


class Runner:
    """Runs one plan after another; starts its engine when the first cell is missing.

    Attributes:
        computed: keys of the cells that ran, or were tried.
        seen: keys of all cells of all plans.
        failures: cells that did not finish; they are not tried again in later plans.
    """

    def __init__(
        self,
        cells: Path,
        settings: EngineSettings,
        scheduler: str | None,
        watch: Watch,
        traces: Mapping[TrainingId, Path],
        store: Store,
        *,
        device: str,
    ) -> None:
        """Nothing starts yet.

        Args:
            cells: folder of the finished ones.
            settings: of a local engine.
            scheduler: address of the user's own; None for a local one.
            watch: told of every change.
            traces: trainings that were recorded elsewhere, and where.
            store: where workers find the cohort.
            device: where cells compute.
        """
        # Workers may stand in another folder than this process.
        self._cells = cells.resolve()
        self._settings, self._scheduler, self._device = settings, scheduler, device
        self._watch, self._traces, self._store = watch, traces, store
        self._open = ExitStack()
        self._client: Client | None = None
        self._dashboard: str | None = None
        self._failed: set[str] = set()
        self.computed: set[str] = set()
        self.seen: set[str] = set()
        self.failures: list[CellFailure] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, problem, trace)

    def run(self, plan: Plan) -> None:
        """Run what is not finished yet; each training once, its attacks as soon as it is done.

        Raises:
            EnvironmentProblemError: the engine cannot start, or its scheduler went away.
        """
        cells, readers = plan.cells(), Readers(plan, self._cells)
        readers.train_again()
        keys = {cell.key() for cell in cells.values()}
        self.seen |= keys
        missing = {key for key in keys if not finished(self._cells / key)} - self._failed
        if not missing:
            self._watch(Tick(len(cells), len(cells), 1.0, 0.0, {}, self._dashboard))
            return
        self.computed |= missing
        done = sum(cell.key() not in missing for cell in cells.values())
        client = self._started(
            lambda said: self._watch(Tick(done, len(cells), 0.0, None, {}, waiting=said))
        )
        work = self._submitted(plan, client, missing)
        thinning = not self._settings.keep_traces
        failures = _follow(
            len(cells), work, client, self._told, self._cells,
            readers.done if thinning else _nothing,
        )  # fmt: skip
        if thinning:
            readers.thin()
        for key in missing:
            # A worker that died left its part behind; another one finished the cell.
            if finished(self._cells / key):
                clear_partial(self._cells, key)
        self.failures += failures
        self._failed |= {cells[failure.cell].key() for failure in failures}

    def _started(self, waiting: Callable[[str], None]) -> Client:
        if self._client is None:
            clear_partial(self._cells)
            self._client = self._open.enter_context(
                engine(self._settings, self._scheduler, device=self._device, waiting=waiting)
            )
            self._dashboard = dashboard_of(self._client)
        return self._client

    def _told(self, done: int, total: int, fraction: float, left: float | None,
              doing: dict[str, str]) -> None:  # fmt: skip
        self._watch(Tick(done, total, fraction, left, doing, self._dashboard))

    def _submitted(self, plan: Plan, client: Client, missing: set[str]) -> Work:
        threads, version = self._settings.threads, leakaudit.__version__
        store = str(self._store.prepared())
        work: Work = {}
        sources, trainings = plan.every_training(), dict[SourceId, Future[None]]()
        for identity, cell in sources.items():
            key = cell.key()
            if key in missing:
                # Named by content: two labels for the same setting are one piece of work.
                future = client.submit(
                    work_training, cell.model_dump_json(), str(self._cells / key), threads,
                    version, store, key=f"training-{key}", priority=0,
                    resources=resources_for(self._device),
                )  # fmt: skip
                trainings[identity] = future
                work[future] = identity
        for attack_id, attack in plan.attacks.items():
            key, source = attack.key(), plan.source(attack_id)
            trace = self._traces.get(attack_id.training)
            if key not in missing:
                continue
            if trace is None:
                training = sources[source].key()
                if training in self._failed:
                    continue
                trace = self._cells / training / TRACE_FOLDER
            future = client.submit(
                work_attack, attack.model_dump_json(), str(trace), str(self._cells / key), threads,
                version, store, trainings.get(source), key=f"attack-{key}", priority=1,
                resources=resources_for(self._device),
            )  # fmt: skip
            work[future] = attack_id
        return work


def _nothing(attack: str) -> None:
    del attack


def _follow(
    total: int,
    work: Work,
    client: Client,
    told: Callable[[int, int, float, float | None, dict[str, str]], None],
    cells: Path,
    done: Callable[[str], None],
) -> list[CellFailure]:
    pending = {future.key: 0.0 for future in work}
    doing: dict[str, str] = {}
    started = time.monotonic()
    failures = []

    def tick() -> None:
        fraction = sum(pending.values()) / len(pending) if pending else 1.0
        spent = time.monotonic() - started
        left = spent * (1 - fraction) / fraction if fraction > 0.02 else None
        told(total - sum(share < 1 for share in pending.values()), total, fraction, left,
             dict(doing))  # fmt: skip

    def heard(event: tuple[float, dict[str, object]]) -> None:
        message = event[1]
        cell = str(message["cell"])
        for key in (f"training-{cell}", f"attack-{cell}"):
            if pending.get(key, 1.0) < 1:
                pending[key] = min(0.99, float(str(message["fraction"])))
                doing[cell] = str(message["stage"])
        tick()

    tick()
    address = str(client.scheduler.address) if client.scheduler is not None else "it"
    client.subscribe_topic(PROGRESS_TOPIC, heard)
    try:
        for future in as_completed(list(work)):
            key = future.key.partition("-")[2]
            problem = _problem(future, address)
            if problem is None and not finished(cells / key):
                problem = EnvironmentProblemError(
                    "workers and this process share the run folder",
                    found=f"a finished cell that is not in {cells}",
                    remedy="name a folder with --out that every worker can write",
                )
            if problem is not None:
                failures.append(CellFailure(work[future], _said(problem), _exit_code(problem)))
            else:
                done(key)
            pending[future.key] = 1.0
            doing.pop(key, None)
            tick()
    finally:
        if client.status == "running":
            client.unsubscribe_topic(PROGRESS_TOPIC)
    return failures


def _problem(future: Future[None], address: str) -> BaseException | None:
    """What a cell failed of; None where it finished.

    Raises:
        EnvironmentProblemError: the scheduler went away.
    """
    problem: BaseException | None = future.exception()
    # Nobody here cancels: Dask does, when it cannot reach its scheduler any more.
    if problem is None and future.status != "finished":
        raise EnvironmentProblemError(
            "the Dask scheduler must be there until the run is over",
            found=f"{address} went away",
            remedy="start it again and repeat the same command: finished cells are kept",
        )
    return problem


def _said(problem: BaseException) -> str:
    if isinstance(problem, KilledWorker):
        return f"the worker died {problem.allowed_failures + 1} times; it may need more memory"
    if isinstance(problem, LeakauditError):
        return str(problem)
    return f"{type(problem).__name__}: {problem}"


def _exit_code(problem: BaseException) -> int:
    return problem.exit_code if isinstance(problem, LeakauditError) else EXIT_INTERNAL

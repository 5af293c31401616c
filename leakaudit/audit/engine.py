"""Where cells run: Dask, on a cluster of this machine's own or on one the user already has."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from leakaudit.audit.configuration import EngineSettings
from leakaudit.audit.plan import AttackId, Plan, TrainingId
from leakaudit.audit.training_cell import TRACE_FOLDER
from leakaudit.audit.work import PROGRESS_TOPIC, finished, work_attack, work_training
from leakaudit.errors import EnvironmentProblemError

# A cell whose worker dies is tried again this often before it counts as failed.
RETRIES = 2
_CONNECT_SECONDS = 20
# Feature maps of megabytes come and go at every step. Dask asks glibc to hand memory back at once,
# and the page faults that follow take two fifths of a training step; keeping it costs little.
_WORKER_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
}


@dataclass(frozen=True)
class CellFailure:
    """A cell that did not finish."""

    cell: TrainingId | AttackId
    reason: str


@dataclass(frozen=True)
class Tick:
    """Where the run stands.

    Attributes:
        done: finished cells, those of earlier runs included.
        total: all cells.
        fraction: share of this run's work that is done, 0 to 1.
        seconds_left: estimate; None until something finished.
        doing: stage of the cells under way, by cell.
    """

    done: int
    total: int
    fraction: float
    seconds_left: float | None
    doing: dict[str, str]


Watch = Callable[[Tick], None]


@contextmanager
def engine(settings: EngineSettings, scheduler: str | None) -> Iterator[Client]:
    """A client of the user's cluster, or of a local one that lives as long as the run.

    Raises:
        EnvironmentProblemError: nothing answers at the scheduler's address.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as problem:
            raise EnvironmentProblemError(
                f"a Dask scheduler must answer at --scheduler ({type(problem).__name__})",
                found=scheduler,
                remedy="start one with `dask scheduler`, or leave --scheduler out",
            ) from None
        with client:
            yield client
        return
    environment = _WORKER_ENVIRONMENT | {"OMP_NUM_THREADS": str(settings.threads)}
    with (
        tempfile.TemporaryDirectory(prefix="leakaudit-") as scratch,
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(
            n_workers=settings.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def run_plan(
    plan: Plan,
    cells: Path,
    client: Client,
    threads: int,
    watch: Watch,
    traces: dict[TrainingId, Path] | None = None,
) -> list[CellFailure]:
    """Run what is not finished yet; trainings first, their attacks as soon as they are done.

    Args:
        plan: all cells.
        cells: folder of the finished ones.
        client: of the engine.
        threads: torch threads per worker.
        watch: told of every change.
        traces: trainings that were recorded elsewhere, and where.

    Returns:
        What failed; everything else is finished.
    """
    futures: dict[Future[None], TrainingId | AttackId] = {}
    training_futures: dict[TrainingId, Future[None]] = {}
    for identity, cell in plan.trainings.items():
        folder = plan.folder(cells, cell)
        if not finished(folder):
            # Named by content: two labels for the same setting are one piece of work.
            future = client.submit(
                work_training, cell.model_dump_json(), str(folder), threads,
                key=f"training-{folder.name}", retries=RETRIES, priority=0,
            )  # fmt: skip
            training_futures[identity] = future
            futures[future] = identity
    for attack_id, attack in plan.attacks.items():
        folder = plan.folder(cells, attack)
        if not finished(folder):
            trace = (traces or {}).get(attack_id.training) or (
                plan.folder(cells, plan.trainings[attack_id.training]) / TRACE_FOLDER
            )
            future = client.submit(
                work_attack, attack.model_dump_json(), str(trace), str(folder), threads,
                training_futures.get(attack_id.training),
                key=f"attack-{folder.name}", retries=RETRIES, priority=1,
            )  # fmt: skip
            futures[future] = attack_id
    return _follow(plan, futures, client, watch)


def _follow(
    plan: Plan,
    futures: dict[Future[None], TrainingId | AttackId],
    client: Client,
    watch: Watch,
) -> list[CellFailure]:
    total = len(plan.trainings) + len(plan.attacks)
    pending = {future.key: 0.0 for future in futures}
    doing: dict[str, str] = {}
    started = time.monotonic()
    failures = []

    def tick() -> None:
        shares = [1.0 if value is None else value for value in pending.values()]
        fraction = sum(shares) / len(shares) if shares else 1.0
        spent = time.monotonic() - started
        left = spent * (1 - fraction) / fraction if fraction > 0.02 else None
        done = total - sum(share < 1 for share in pending.values())
        watch(Tick(done, total, fraction, left, dict(doing)))

    def heard(event: tuple[float, dict[str, object]]) -> None:
        message = event[1]
        cell = str(message["cell"])
        for key in (f"training-{cell}", f"attack-{cell}"):
            if pending.get(key, 1.0) < 1:
                pending[key] = min(0.99, float(str(message["fraction"])))
                doing[cell] = str(message["stage"])
        tick()

    tick()
    client.subscribe_topic(PROGRESS_TOPIC, heard)
    try:
        for future in as_completed(list(futures)):
            problem = future.exception()
            if problem is not None:
                failures.append(CellFailure(futures[future], _said(problem)))
            pending[future.key] = 1.0
            doing.pop(future.key.partition("-")[2], None)
            tick()
    finally:
        client.unsubscribe_topic(PROGRESS_TOPIC)
    return failures


def _said(problem: BaseException) -> str:
    if isinstance(problem, KilledWorker):
        return f"the worker died {RETRIES + 1} times; it may need more memory"
    return f"{type(problem).__name__}: {problem}"

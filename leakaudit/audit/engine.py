"""Where cells run: Dask, on a cluster of this machine's own or on one the user already has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import dask
import torch
from distributed import Client, LocalCluster

import leakaudit
from leakaudit.cells.work import other_version
from leakaudit.errors import EnvironmentProblemError
from leakaudit.plan.configuration import EngineSettings

# The name under which a Dask worker offers its GPUs: `dask worker ... --resources GPU=1`.
GPU = "GPU"
_CONNECT_SECONDS = 20
# Workers may join late: a queue of the cluster gives them when it can.
WORKER_SECONDS = 600.0
_ASK_EVERY_SECONDS = 1.0
# Feature maps of megabytes come and go at every step. Dask asks glibc to hand memory back at once,
# and the page faults that follow take two fifths of a training step; keeping it costs little.
_WORKER_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
}


def resources_for(device: str) -> dict[str, float]:
    """What one cell takes of a worker's resources."""
    return {GPU: 1.0} if device.startswith("cuda") else {}


@contextmanager
def engine(
    settings: EngineSettings,
    scheduler: str | None,
    *,
    device: str = "cpu",
    waiting: Callable[[str], None] | None = None,
) -> Iterator[Client]:
    """A client of the user's cluster, or of a local one that lives as long as the run.

    Args:
        settings: of the local engine.
        scheduler: address of the user's; None for a local one.
        device: where cells compute.
        waiting: told again and again while the user's scheduler has no worker yet.

    Raises:
        EnvironmentProblemError: nothing answers at the scheduler's address, it has no worker for
            :data:`WORKER_SECONDS`, its workers run another version, or none of them offers a GPU
            that is needed.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
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
            _await_worker(client, scheduler, device, waiting)
            _check_workers(client, device)
            yield client
        return
    environment = _WORKER_ENVIRONMENT | {"OMP_NUM_THREADS": str(settings.threads)}
    with (
        tempfile.TemporaryDirectory(prefix="leakaudit-", ignore_cleanup_errors=True) as scratch,
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
    ):
        cluster = LocalCluster(
            n_workers=_local_workers(settings, device),
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address="127.0.0.1:0" if dashboard_possible() else None,
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
            resources=resources_for(device),
        )
        try:
            with Client(cluster) as client:
                yield client
        finally:
            # On a busy machine workers may take longer to end than Dask waits. The cells are
            # finished by then: a slow farewell must not cost the record.
            with suppress(TimeoutError):
                cluster.close()


def dashboard_possible() -> bool:
    """Whether Dask can draw its dashboard here: it needs bokeh."""
    return importlib.util.find_spec("bokeh") is not None


def dashboard_of(client: Client) -> str | None:
    """The address of the dashboard; None where there is none.

    Without bokeh the port still answers, with nothing but a note that bokeh is missing.
    """
    if not dashboard_possible():
        return None
    services = client.scheduler_info(n_workers=0).get("services", {})
    return str(client.dashboard_link) if "dashboard" in services else None


def _local_workers(settings: EngineSettings, device: str) -> int:
    """As many as configured, but one per GPU where cells take one each."""
    if not device.startswith("cuda"):
        return settings.workers
    # A numbered GPU is one; `cuda` is all that are visible.
    return 1 if ":" in device else min(settings.workers, torch.cuda.device_count())


def _await_worker(
    client: Client, scheduler: str, device: str, waiting: Callable[[str], None] | None
) -> None:
    """Wait for a worker that can do the work, where the scheduler had none at all.

    Raises:
        EnvironmentProblemError: none joined in time.
    """
    deadline = time.monotonic() + WORKER_SECONDS
    waited = False
    while True:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        able = [w for w in workers if not resources_for(device) or w["resources"].get(GPU)]
        # Those that were there from the start and cannot do it are refused by name.
        if able or (workers and not waited):
            return
        if time.monotonic() >= deadline:
            if workers:
                return
            raise EnvironmentProblemError(
                f"a Dask scheduler needs a worker within {WORKER_SECONDS:g} s",
                found=f"none at {scheduler}",
                remedy=f"start one with `dask worker {scheduler} --nthreads 1`, then repeat the "
                "command",
            )
        if waiting is not None:
            waiting(f"no worker yet at {scheduler}; giving up after {WORKER_SECONDS:g} s")
        waited = True
        time.sleep(_ASK_EVERY_SECONDS)


def _check_workers(client: Client, device: str) -> None:
    """Refuse workers that cannot do the work. One that joins later is asked before its first cell.

    Raises:
        EnvironmentProblemError: another version, or no GPU where one is needed.
    """
    ours = leakaudit.__version__
    # A function of the standard library: what runs there may be any version, or none.
    answers = client.run(importlib.metadata.version, "leakaudit", on_error="return")
    for address, theirs in answers.items():
        if theirs != ours:
            told = "no leakaudit" if isinstance(theirs, BaseException) else theirs
            raise other_version(ours, told, address)
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if resources_for(device) and not any(w["resources"].get(GPU) for w in workers):
        raise EnvironmentProblemError(
            f"training.device = {device!r} needs a worker that offers a GPU",
            found=f"{len(workers)} workers, none with the resource {GPU}",
            remedy=f"start workers with `dask worker ADDRESS --resources {GPU}=1`, one per GPU",
        )

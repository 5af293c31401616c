"""A cluster of separate processes: workers die, the scheduler dies, versions differ."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leakaudit.audit.run import Outcome, run_audit
from leakaudit.audit.runner import Tick
from leakaudit.errors import EnvironmentProblemError
from leakaudit.plan.configuration import read_configuration
from leakaudit.record import content_sha256

CONFIGURATION = """
title = "cluster"
seeds = [0, 1]
[cohort]
use = "phantom"
patients = 14
slices_per_patient = 2
size = 32
[groups]
training = 8
auxiliary = 4
validation = 2
[split]
channels = [4, 8]
party_levels = 1
parties = [{name = "a", modalities = ["T1"]}, {name = "b", modalities = ["FLAIR"]}]
[training]
epochs = 2
batch_size = 8
[judgement]
dependence = false
lpips = "off"
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = 40
[[defenses]]
label = "none"
[[sweep]]
use = "dropout"
rate = { values = [0.2, 0.5] }
"""

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]


class Cluster:
    """A scheduler and workers, each a process of its own on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(self.file),
        )  # fmt: skip
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        deadline = time.monotonic() + 120
        while not self.file.exists():
            assert time.monotonic() < deadline
            assert self.scheduler.poll() is None
            time.sleep(0.1)
        return f"tcp://{_address(self.file)}"

    def grow(self, count: int, **environment: str) -> None:
        assert self.address
        self.workers += [
            self._start(
                "worker", "--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny",
                "--no-dashboard", "--memory-limit", "0", "--local-directory", str(self.folder),
                **environment,
            )
            for _ in range(count)
        ]  # fmt: skip

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            # `-m` puts the working directory first on the path: the checkout has metadata too.
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def _address(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return text.partition("tcp://")[2].partition('"')[0]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "dask").mkdir()
    found = Cluster(tmp_path / "dask")
    yield found
    found.close()


def audited(
    folder: Path, scheduler: str | None, watch: Callable[[Tick], None] = lambda tick: None
) -> Outcome:
    file = folder.parent / f"{folder.name}.toml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    configuration, given = read_configuration(file)
    return run_audit(
        configuration, given, folder, scheduler=scheduler, watch=watch, command="leakaudit run"
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return audited(tmp_path_factory.mktemp("undisturbed") / "run", None)


def test_two_of_four_workers_killed_and_the_record_is_the_same(
    cluster: Cluster, undisturbed: Outcome, tmp_path: Path
) -> None:
    cluster.grow(4)
    killed: list[int] = []

    def kill(tick: Tick) -> None:
        # One while trainings run, one when some cells are done and others are under way.
        for number, due in enumerate((bool(tick.doing), tick.done >= 4 and bool(tick.doing))):
            if due and number not in killed:
                killed.append(number)
                os.kill(cluster.workers[number].pid, signal.SIGKILL)

    outcome = audited(tmp_path / "run", cluster.address, kill)
    assert killed == [0, 1]
    assert [worker.poll() for worker in cluster.workers] == [-9, -9, None, None]
    assert not outcome.failures
    assert outcome.computed == undisturbed.computed == 13
    same = {"environment": undisturbed.record.environment}
    assert content_sha256(outcome.record.model_copy(update=same)) == (
        undisturbed.record.content_sha256
    )
    assert len(list((tmp_path / "run" / "cells").glob("[0-9a-f]*"))) == 13
    assert not list((tmp_path / "run" / "cells").glob(".partial-*"))


def test_a_scheduler_that_dies_costs_nothing_finished(
    cluster: Cluster, undisturbed: Outcome, tmp_path: Path
) -> None:
    cluster.grow(1)
    # All but the last cells are done, so that the end comes soon.
    run = Path(shutil.copytree(undisturbed.folder, tmp_path / "run"))
    attacks = [f for f in (run / "cells").iterdir() if not (f / "trace").exists()]
    for folder in attacks[:3]:
        shutil.rmtree(folder)
    kept = {folder.name for folder in (run / "cells").iterdir()}

    def kill(tick: Tick) -> None:
        # On a busy machine a cell may be finished before anybody hears that it began.
        if (tick.doing or tick.done > len(kept)) and cluster.scheduler.poll() is None:
            cluster.scheduler.kill()
            cluster.scheduler.wait()

    with pytest.raises(EnvironmentProblemError, match="went away") as problem:
        audited(run, cluster.address, kill)
    assert "finished cells are kept" in problem.value.remedy
    assert problem.value.exit_code == 4
    assert kept <= {folder.name for folder in (run / "cells").glob("[0-9a-f]*")}
    resumed = audited(run, None)
    assert resumed.computed <= 3
    assert resumed.record.content_sha256 == undisturbed.record.content_sha256


def test_workers_of_another_version_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "site" / "leakaudit-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Name: leakaudit\nVersion: 9.9.9\n", encoding="utf-8")
    cluster.grow(1, PYTHONPATH=str(other.parent))
    _wait_for_workers(cluster.address, 1)
    with pytest.raises(EnvironmentProblemError, match="9\\.9\\.9 at tcp://") as problem:
        audited(tmp_path / "run", cluster.address)
    assert "0.1.0 here" in str(problem.value.found)


def test_a_gpu_that_no_worker_offers_is_named(cluster: Cluster, tmp_path: Path) -> None:
    from leakaudit.audit.engine import engine
    from leakaudit.plan.configuration import EngineSettings

    cluster.grow(1)
    _wait_for_workers(cluster.address, 1)
    with (
        pytest.raises(EnvironmentProblemError, match="resource GPU") as problem,
        engine(EngineSettings(), cluster.address, device="cuda"),
    ):
        pass
    assert "--resources GPU=1" in problem.value.remedy


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(count, timeout=120)

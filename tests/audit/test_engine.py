"""The same audit on a cluster that is there already, and on one that is not."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from distributed import LocalCluster
from small_audit import small_audit

from leakaudit.audit import engine as engine_module
from leakaudit.audit.engine import engine
from leakaudit.audit.run import run_audit
from leakaudit.audit.runner import Tick
from leakaudit.errors import EnvironmentProblemError
from leakaudit.plan.configuration import EngineSettings

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.slow
def test_an_existing_cluster_does_the_work(tmp_path: Path) -> None:
    configuration, given = small_audit(tmp_path, changes={"attacks.0.steps": 20})
    ticks: list[Tick] = []
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, memory_limit=0
    ) as cluster:
        outcome = run_audit(
            configuration, given, tmp_path / "run", scheduler=cluster.scheduler_address,
            watch=ticks.append, command="leakaudit run",
        )  # fmt: skip
        assert len(cluster.workers) == 1
    assert not outcome.failures
    assert outcome.computed == 3
    assert ticks[0].fraction == 0
    assert ticks[-1].done == ticks[-1].total == 3
    assert any("training" in tick.doing.values() for tick in ticks)


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_CONNECT_SECONDS", 1)
    with (
        pytest.raises(EnvironmentProblemError, match=r"127\.0\.0\.1:9") as problem,
        engine(EngineSettings(), "tcp://127.0.0.1:9"),
    ):
        pass
    assert problem.value.exit_code == 4


def test_a_scheduler_without_workers_is_waited_for_then_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "WORKER_SECONDS", 0.3)
    monkeypatch.setattr(engine_module, "_ASK_EVERY_SECONDS", 0.1)
    said: list[str] = []
    with (
        LocalCluster(n_workers=0, dashboard_address=None, processes=False) as cluster,
        pytest.raises(EnvironmentProblemError, match=r"needs a worker within 0\.3 s") as problem,
        engine(EngineSettings(), cluster.scheduler_address, waiting=said.append),
    ):
        pass
    assert problem.value.exit_code == 4
    assert said
    assert said[0].startswith("no worker yet at ")


def test_a_worker_may_join_late() -> None:
    with LocalCluster(n_workers=0, dashboard_address=None, processes=False) as cluster:

        def join(said: str) -> None:
            cluster.scale(1)

        with engine(EngineSettings(), cluster.scheduler_address, waiting=join) as client:
            assert client.submit(abs, -2).result() == 2


def test_a_scheduler_that_is_not_there_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_CONNECT_SECONDS", 1)
    configuration, given = small_audit(tmp_path)
    for run, stays in ((tmp_path / "new", False), (tmp_path / "old", True)):
        if stays:
            run.mkdir()
        with pytest.raises(EnvironmentProblemError):
            run_audit(
                configuration, given, run, scheduler="tcp://127.0.0.1:9",
                watch=lambda tick: None, command="",
            )  # fmt: skip
        assert run.exists() is stays


def test_workers_slow_to_end_do_not_cost_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def close(self) -> None:
            raise TimeoutError

    monkeypatch.setattr(engine_module, "LocalCluster", lambda **settings: Slow())
    monkeypatch.setattr(engine_module, "Client", lambda cluster: nullcontext("client"))
    with engine(EngineSettings(), None) as client:
        assert client == "client"
    with pytest.raises(KeyError), engine(EngineSettings(), None):
        raise KeyError

"""The example jobs run in their frameworks' own simulators, where these are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from leakaudit.audit.run import attack_trace
from leakaudit.plan.configuration import read_configuration
from leakaudit.recording.sheets import sample_sheet
from leakaudit.recording.spool import gathered
from leakaudit.trace.alignment import check_rows
from leakaudit.trace.parts import merge
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.remarks import remarks

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# Ray listens on every interface whatever it is told.
ALONE = ["unshare", "--net", "bash", "-c", 'ip link set lo up; exec "$@"', "alone"]


def needs(framework: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(framework) is None
    return pytest.mark.skipif(absent, reason=f"{framework} is not installed")


def run(name: str, folder: Path, *prefix: str, clients: Path | None = None) -> Path:
    """The example as it stands, with a sheet of its own audit; its trace, or the parts of one."""
    code = Path(shutil.copytree(EXAMPLES / name, folder / name))
    configuration, _ = read_configuration(code / "audit.toml")
    sample_sheet(configuration).write(folder / "samples.json")
    command = [*prefix, sys.executable, "job.py", str(folder / "traces"), "../samples.json"]
    command += [] if clients is None else [str(clients)]
    quiet = {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "FLWR_TELEMETRY_ENABLED": "0"}
    done = subprocess.run(
        command, cwd=code, env=os.environ | quiet, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "traces"


def attacked(trace: Path, code: Path, out: Path) -> None:
    """`leakaudit attack` mounts what asks, and finds what an open cut gives away."""
    file = out.with_suffix(".toml")
    quick = '\nsteps = 100\n[judgement]\ndependence = false\nlpips = "off"\n'
    file.write_text((code / "audit.toml").read_text(encoding="utf-8") + quick, encoding="utf-8")
    configuration, given = read_configuration(file)
    outcome = attack_trace(
        trace, configuration, given, out, watch=lambda _: None, command="leakaudit attack"
    )
    assert not outcome.failures
    given_away = {each.verdict: each.attack for each in outcome.record.verdicts}
    assert given_away.get("leak shown") == "decoder-inversion", outcome.record.verdicts


def check(reader: TraceReader) -> None:
    assert reader.complete
    assert reader.asked
    assert reader.split.party_names == ("north", "south")
    assert {route.direction.value for route in reader.routes} == {"activation", "gradient"}
    assert remarks(reader) == ()
    check_rows(reader)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # another audit may hold Dask's port
@needs("nvflare")
def test_collab_calls_of_two_sites_are_recorded_and_merged(tmp_path: Path) -> None:
    traces = run("nvflare", tmp_path)
    merge([traces / "north", traces / "south"], tmp_path / "whole")
    check(TraceReader(tmp_path / "whole"))
    attacked(tmp_path / "whole", EXAMPLES / "nvflare", tmp_path / "audit")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # another audit may hold Dask's port
@needs("flwr")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="Ray is not let out")
def test_a_grid_is_recorded_around_its_messages_and_clients_keep_the_same(tmp_path: Path) -> None:
    seen = TraceReader(run("flower", tmp_path, *ALONE, clients=tmp_path / "kept"))
    kept = gathered(tmp_path / "kept", tmp_path / "gathered")
    for reader in (seen, kept):
        check(reader)
    epoch = seen.epochs[-1]
    assert len(seen.routes) == 4
    for route in seen.routes:
        assert torch.equal(kept.messages(route, epoch), seen.messages(route, epoch))
        if route.receiver == "server":
            answers, asked = (list(each.answers(route.sender, epoch)) for each in (kept, seen))
            assert len(answers) == len(asked) > 0
    attacked(tmp_path / "traces", EXAMPLES / "flower", tmp_path / "audit")

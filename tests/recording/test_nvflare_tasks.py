"""A job of NVFlare tasks, filters and auxiliary messages, as its configuration puts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from plain_job import PlainJob

from leakaudit.audit.traced import with_filters
from leakaudit.exchange.message import Direction
from leakaudit.record.governance import Governance
from leakaudit.trace.parts import merge
from leakaudit.trace.reader import TraceReader

pytest.importorskip("nvflare")
JOB = Path(__file__).parent / "task_job"


@pytest.mark.slow
def test_filters_and_handlers_record_and_say_where_they_stood(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    plain.sheet.write(tmp_path / "samples.json")
    code = Path(shutil.copytree(JOB, tmp_path / "code"))
    done = subprocess.run(
        [sys.executable, "job.py", str(tmp_path / "out"), str(tmp_path / "samples.json")],
        cwd=code, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    said = done.stdout[-4000:] + done.stderr[-6000:]
    assert done.returncode == 0, said
    assert (tmp_path / "out" / "south").exists(), said
    assert (tmp_path / "out" / "north").exists(), said
    merge([tmp_path / "out" / "north", tmp_path / "out" / "south"], tmp_path / "whole")
    reader = TraceReader(tmp_path / "whole")
    assert reader.complete
    largest = {}
    for route in reader.routes:
        sent = reader.messages(route, 1)
        if route.direction is Direction.ACTIVATION:
            largest[route.sender] = float(sent.max())
        else:
            assert sent.unique().tolist() == [0.0, 1.0, 2.0]
    # What percentile privacy let through at the one, what never came to it at the other.
    assert largest == {"north": 0.75, "south": 3.0}
    found = {(each.site, each.name.rpartition(".")[2]): each for each in
             reader.description.filters or ()}  # fmt: skip
    assert {key: each.recorded for key, each in found.items()} == {
        ("north", "PercentilePrivacy"): "behind it",
        ("north", "SVTPrivacy"): "before it",
        ("south", "PercentilePrivacy"): "past it",
    }
    assert found["north", "PercentilePrivacy"].settings["gamma"] == 0.75
    told = with_filters(Governance(), reader.description).site_filters
    assert "PercentilePrivacy (" in told
    assert "which the messages had passed" in told
    assert "which these messages never pass" in told
    stated = Governance(site_filters="ours")
    assert with_filters(stated, reader.description) == stated
    assert torch.isfinite(reader.messages(reader.routes[0], 1)).all()

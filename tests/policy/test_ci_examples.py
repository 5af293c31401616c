"""What `examples/ci` ships does what it says: its shell steps, run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fenced import ROOT
from gate_records import NONE, WITHHELD, budget, gate_record, policy_file

from leakaudit.policy import write_baseline
from leakaudit.record import write_record

REGRESSION = '[[regression]]\nmetric = "ssim"\nmargin = 0.02\nsource = "engineering"\n'


def steps(name: str) -> list[tuple[str, str, dict[str, str]]]:
    """Shell, script and variables of each step."""
    given: Any = yaml.safe_load((ROOT / "examples" / "ci" / name).read_text("utf-8"))
    if name == "gitlab-ci.yml":
        job = given["leakage-policy"]
        return [("sh", script, dict(job["variables"])) for script in job["script"]]
    defaults = {key: value.get("default", "") for key, value in given["inputs"].items()}
    found = []
    for step in given["runs"]["steps"]:
        names = {
            key: value.removeprefix("${{ inputs.").removesuffix(" }}")
            for key, value in step["env"].items()
        }
        found.append((step["shell"], step["run"], {k: defaults[v] for k, v in names.items()}))
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repo")
    record = gate_record()
    (folder / "runs" / "ci").mkdir(parents=True)
    write_record(record, folder / "runs" / "ci")
    write_baseline(record, folder / "privacy-baseline.json")
    return folder


@pytest.mark.parametrize("name", ["action.yml", "gitlab-ci.yml"])
@pytest.mark.parametrize(
    ("text", "baseline", "code"),
    [
        (budget(), "", 0),
        (budget(NONE), "", 1),
        (budget(WITHHELD) + REGRESSION, "privacy-baseline.json", 0),
    ],
)
def test_the_steps_run(runs: Path, name: str, text: str, baseline: str, code: int) -> None:
    policy_file(runs, text)
    for shell, script, variables in steps(name):
        environment = {
            **os.environ,
            **variables,
            "LEAKAUDIT_RUN": "runs/ci",
            "LEAKAUDIT_BASELINE": baseline,
            "GITHUB_STEP_SUMMARY": "leakage-results/summary.md",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        done = subprocess.run(
            [shell, "-c", script], cwd=runs, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
    results = runs / "leakage-results"
    assert "<testsuites" in (results / "junit.xml").read_text("utf-8")
    assert "2.1.0" in (results / "leakage.sarif").read_text("utf-8")
    assert "Leakage policy" in (results / "summary.md").read_text("utf-8")

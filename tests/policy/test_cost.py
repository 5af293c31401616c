"""What a check costs, and what it never loads."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gate_records import (
    NONE,
    TODAY,
    budget,
    gate_record,
    hundred_rules,
    large_record,
    policy_file,
)

from leakaudit.errors import NoValidVerdictError
from leakaudit.policy import evaluate, false_alarms, read_policy
from leakaudit.record import read_record, write_record


def test_2000_patients_and_100_rules_take_seconds(tmp_path: Path) -> None:
    """Processor time, with room for a slow machine; benchmarks/gate_time.py has the figure."""
    write_record(large_record(2000), tmp_path)
    policy = policy_file(tmp_path, hundred_rules())
    start = time.process_time()
    evaluation = evaluate(read_policy(policy), read_record(tmp_path), today=TODAY)
    assert time.process_time() - start < 4
    assert len(evaluation.results) == 100


@pytest.mark.parametrize(
    "command", ["check", "baseline", "report", "report --policy", "compare", "schema"]
)
def test_torch_is_never_loaded(tmp_path: Path, command: str) -> None:
    write_record(gate_record(), tmp_path)
    policy = policy_file(tmp_path, budget())
    arguments = {
        "check": ["check", str(tmp_path), "--policy", str(policy), "--summary", "s.md"],
        "baseline": ["baseline", str(tmp_path), "-o", "b.json"],
        "report": ["report", str(tmp_path)],
        "report --policy": ["report", str(tmp_path), "--policy", str(policy)],
        "compare": ["compare", str(tmp_path), str(tmp_path), "--out", "changes.html"],
        "schema": ["schema", "record"],
    }[command]
    code = (
        "import sys; from leakaudit.cli.app import execute; "
        f"code = execute({arguments!r}); "
        "heavy = {'torch', 'monai', 'opacus', 'lpips', 'torchvision'} & set(sys.modules); "
        "print(heavy, file=sys.stderr); sys.exit(code or len(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unchanged_system_is_flagged_at_most_5_percent_of_the_time(tmp_path: Path) -> None:
    record = gate_record(noise=0.03)
    file = read_policy(policy_file(tmp_path, budget(NONE, name="many") + budget_of_one()))
    for found in false_alarms(file, record, np.random.default_rng(1), repeats=600):
        # 5 % and three standard errors of 600 repeats
        assert found.rate <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5, found
        assert found.sound


def budget_of_one() -> str:
    return (
        '[[budget]]\nname = "one"\nmetric = "ssim"\nvictim = "T1"\nlevels = [1]\nmax = 0.5\n'
        'source = "x"\n'
    )


def test_the_self_test_is_seeded_and_says_when_it_cannot(tmp_path: Path) -> None:
    file = read_policy(policy_file(tmp_path, budget()))
    record = gate_record()
    one, other = (
        false_alarms(file, record, np.random.default_rng(3), repeats=100) for _ in range(2)
    )
    assert one == other
    with pytest.raises(NoValidVerdictError):
        false_alarms(file, gate_record(seeds=1), np.random.default_rng(3), repeats=10)

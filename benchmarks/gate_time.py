"""How fast the gate answers: ``python benchmarks/gate_time.py``.

`leakaudit check` as typed, on a made-up record of 2,000 patients and 147 findings, against 100
rules. Limit: 2 s on a free core. Where others keep the cores busy, processor time of the process
says what a free one would take; wall time is kept beside it. The record is that of the tests.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from recording import machine, store
from spent import spent

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gate_records import hundred_rules, large_record, policy_file

from leakaudit.record import write_record

LIMIT = 2.0
PATIENTS = 2000


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall and processor time of one call; every rule must have been judged."""
    used = spent(command, expected={0, 1})
    if "100 rules" not in used.said:
        raise RuntimeError(used.said)
    return used.wall, used.processor


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    described = machine("numpy", "scipy", "pydantic")
    record = large_record(PATIENTS)
    with tempfile.TemporaryDirectory() as name:
        run = Path(name)
        size = write_record(record, run).stat().st_size
        policy = policy_file(run, hundred_rules())
        command = [sys.executable, "-m", "leakaudit", "check", name, "--policy", str(policy)]
        # The first round fills the disk's cache.
        rounds = [seconds(command) for _ in range(given.rounds + 1)][1:]
    walls, processor = zip(*rounds, strict=True)
    result = {
        "limit_seconds": LIMIT,
        "patients": PATIENTS,
        "findings": len(record.findings),
        "rules": 100,
        "record_bytes": size,
        "rounds": given.rounds,
        "seconds": round(statistics.median(walls), 3),
        "seconds_of_fastest": round(min(walls), 3),
        "processor_seconds": round(statistics.median(processor), 3),
        "processor_seconds_of_fastest": round(min(processor), 3),
    }
    store("gate-time", result, described)
    return 0


if __name__ == "__main__":
    sys.exit(main())

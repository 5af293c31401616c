"""What a very large record costs: ``python benchmarks/large_record.py``.

`leakaudit check`, `compare` (with itself) and `report` as typed, on a made-up record of 2,000
patients and 100 settings, against 100 rules. Processor time and the most memory of each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from recording import machine, store
from spent import spent

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gate_records import hundred_rules, large_record, many_settings, policy_file

from leakaudit.record import write_record

PATIENTS, SETTINGS = 2000, 100
ANSWERS = {0, 1}  # kept and broken: both are answers


def cost(*arguments: str | Path) -> dict[str, float]:
    """Processor and wall seconds of one command, and the most memory it held."""
    used = spent([sys.executable, "-m", "leakaudit", *map(str, arguments)], expected=ANSWERS)
    return {
        "processor_seconds": round(used.processor, 1),
        "seconds": round(used.wall, 1),
        "peak_mib": round(used.peak_mib),
    }


def main() -> int:
    described = machine("numpy", "scipy", "pydantic", "typst")
    record = many_settings(large_record(PATIENTS), SETTINGS)
    with tempfile.TemporaryDirectory() as name:
        run = Path(name)
        size = write_record(record, run).stat().st_size
        policy = policy_file(run, hundred_rules())
        result = {
            "patients": PATIENTS,
            "settings": len(record.defenses),
            "findings": len(record.findings),
            "record_bytes": size,
            "check": cost("check", run, "--policy", policy),
            "compare": cost("compare", run, run),
            "report": cost("report", run),
            "html_bytes": (run / "report.html").stat().st_size,
            "pdf_bytes": (run / "report.pdf").stat().st_size,
        }
    store("large-record", result, described)
    return 0


if __name__ == "__main__":
    sys.exit(main())

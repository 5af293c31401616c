"""Where benchmark results go: dated JSON with the machine described.

``docs/results/benchmarks/<name>-<date>.json``, so that a year's results lie side by side. Figures
from different machines or days do not compare; ratios measured in one run do.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "results" / "benchmarks"


def machine(*packages: str) -> dict[str, object]:
    """The machine as far as it matters for speed; nothing that names it or its owner.

    Args:
        packages: distributions whose versions matter.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": cores,
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def store(name: str, result: Mapping[str, object], described: Mapping[str, object]) -> Path:
    """Print a result and keep it as ``<name>-<date>.json``; a second run of the day replaces it."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = json.dumps({"benchmark": name, "date": day, **result, "machine": described}, indent=1)
    sys.stdout.write(text + "\n")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}-{day}.json"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    description = Path("/proc/cpuinfo")
    if description.is_file():
        for line in description.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

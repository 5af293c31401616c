"""How fast ``leakaudit --help`` answers: ``python benchmarks/help_time.py``.

Limit: 0.5 s on a free core. Where others keep the cores busy, processor time of the process says
what a free one would take, and wall time only how long it waited its turn; both are kept, beside
those of a Python that starts and does nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from recording import machine, store
from spent import spent

LIMIT = 0.5
COMMANDS = {
    "help": [sys.executable, "-m", "leakaudit", "--help"],
    "python": [sys.executable, "-c", "pass"],
}


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall and processor time of one call."""
    used = spent(command)
    return used.wall, used.processor


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    described = machine("typer", "rich", "pydantic")
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(given.rounds + 1):
        for name, command in COMMANDS.items():
            measured[name].append(seconds(command))
    result: dict[str, object] = {"limit_seconds": LIMIT, "rounds": given.rounds}
    for name, rounds in measured.items():
        # The first round fills the disk's cache.
        walls, processor = zip(*rounds[1:], strict=True)
        result[name] = {
            "seconds": round(statistics.median(walls), 3),
            "seconds_of_fastest": round(min(walls), 3),
            "processor_seconds": round(statistics.median(processor), 3),
        }
    store("help-time", result, described)
    return 0


if __name__ == "__main__":
    sys.exit(main())

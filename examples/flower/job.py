"""Run the job in Flower's simulation: python job.py TRACE samples.json [FOLDER].

With a folder, the clients keep what they send as well: leakaudit merge FOLDER --out TRACE.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def main(trace: str, sheet: str, at_clients: str | None = None) -> None:
    """Two clients, whose messages run in Ray's processes."""
    if at_clients:
        os.environ["AT_CLIENTS"] = str(Path(at_clients).resolve())
    os.environ["TRACE"], os.environ["SAMPLE_SHEET"] = (
        str(Path(each).resolve()) for each in (trace, sheet)
    )
    from flwr.simulation import run_simulation
    from vertical import client_app, server_app

    run_simulation(server_app, client_app, num_supernodes=2)


if __name__ == "__main__":
    main(*sys.argv[1:])

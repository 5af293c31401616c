"""`leakaudit clean`: a run without the messages that it recorded."""

from __future__ import annotations

from pathlib import Path

from leakaudit.audit.room import CELLS
from leakaudit.audit.traces import remove_trace
from leakaudit.cli.terminal import printable, say
from leakaudit.errors import EXIT_OK, ConfigurationError
from leakaudit.record import read_record


def clean(run: Path) -> int:
    """Remove the traces of a finished run.

    Raises:
        RecordError: there is no record: the attacks may still need what was recorded.
        ConfigurationError: cells are under way.
    """
    read_record(run)
    cells = (run if run.is_dir() else run.parent) / CELLS
    if any(cells.glob(".partial-*")):
        raise ConfigurationError(
            "a run is cleaned once it is finished",
            found=f"cells under way, or left by a run that was stopped, in {run}",
            remedy="let it end, or repeat the command that was stopped",
        )
    freed = [size for folder in sorted(cells.glob("*")) if (size := remove_trace(folder))]
    say(
        f"Removed {len(freed)} traces ({sum(freed) / 2**20:,.0f} MiB) from {printable(run)}. "
        "Record, reports and results stay; an attack that is added later trains again."
    )
    return EXIT_OK

"""The folder that a trace is written into."""

from __future__ import annotations

import shutil
from pathlib import Path

from leakaudit.errors import EnvironmentProblemError, TraceError
from leakaudit.trace.description import (
    DESCRIPTION_FILE,
    LOG_FILE,
    TraceDescription,
    write_description,
)


def prepare(folder: Path, description: TraceDescription, *, restart: bool) -> None:
    """Make the folder and describe the run in it.

    Raises:
        TraceError: the folder already holds a trace, and it is not to be started over.
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / DESCRIPTION_FILE).exists():
        if not restart:
            raise TraceError(
                "a trace is written into a folder that holds none",
                found=str(folder),
                remedy="name another folder, or record with restart to start over",
            )
        ours = (DESCRIPTION_FILE, LOG_FILE, "epoch-*.safetensors", ".*.partial")
        for file in (file for pattern in ours for file in folder.glob(pattern)):
            file.unlink()
    write_description(folder, description)


def unwritable(folder: Path, problem: OSError) -> EnvironmentProblemError:
    """What is said of a folder that the disk refuses."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return EnvironmentProblemError(
        f"the trace's folder must be writable and have room ({problem.strerror})",
        found=f"{folder}, {free / 2**20:.0f} MiB free",
        remedy="free disk space or name another folder; finished shards are kept",
    )

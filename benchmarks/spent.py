"""What one command costs: its time, and the most memory it held."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """What a command came to.

    Attributes:
        said: on standard output and error.
        wall: seconds.
        processor: seconds, of all its threads.
        peak_mib: most memory held, MiB.
    """

    said: str
    wall: float
    processor: float
    peak_mib: float


def spent(command: Sequence[str], *, expected: Collection[int] = (0,)) -> Spent:
    """Run a command to its end.

    Args:
        command: program and arguments.
        expected: exit codes that are an answer.

    Raises:
        RuntimeError: it ended otherwise, with what it said.
    """
    with tempfile.TemporaryFile() as file:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        # Of this child alone: what all children held is the most of any of them.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        file.seek(0)
        said = file.read().decode(errors="replace")
    if process.returncode not in expected:
        raise RuntimeError(said[-1000:])
    return Spent(said, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

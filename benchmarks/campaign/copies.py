"""A command in a copy of this process: it starts with everything imported, and dies by itself.

Torch, MONAI and Dask take ten seconds of processor to import, an audit imports them twice, and what
is killed a thousand times should not. The copy is a process like any other: its signals, files and
workers are real, and its workers are copies too. Only what a fresh interpreter would do before its
first line is left out.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path
from unittest import mock

HIGHEST_FILE = 4096


def begun(arguments: Sequence[str], said: Path) -> ForkProcess:
    """Start a command line in a session of its own.

    Args:
        arguments: without the program's name.
        said: file for what it says on standard error.

    Raises:
        RuntimeError: this process has threads, which a copy would lack.
    """
    if threading.active_count() > 1:
        raise RuntimeError(f"a process with threads cannot be copied: {threading.enumerate()}")
    multiprocessing.resource_tracker.ensure_running()
    process = multiprocessing.get_context("fork").Process(target=_command, args=(arguments, said))
    process.start()
    return process


def _command(arguments: Sequence[str], said: Path) -> None:
    os.setsid()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    written = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for held, number in ((nothing, 0), (nothing, 1), (written, 2)):
        os.dup2(held, number)
    # Before Dask starts threads: its workers are copies of what this process is now.
    with mock.patch.object(multiprocessing.forkserver.util, "spawnv_passfds", _copied):
        multiprocessing.forkserver.ensure_running()
    sys.argv = ["leakaudit", *arguments]
    from leakaudit.cli.app import run

    run()


def _copied(path: bytes, arguments: Sequence[str], files: Sequence[int]) -> int:
    """Instead of a fresh interpreter for the server that workers are copied from: a copy."""
    del path
    process = os.fork()
    if process:
        return process
    try:
        kept = sorted({0, 1, 2, *files})
        for low, high in itertools.pairwise([*kept, HIGHEST_FILE]):
            os.closerange(low + 1, high)
        exec(arguments[-1], {"__name__": "server"})
    finally:
        os._exit(0)

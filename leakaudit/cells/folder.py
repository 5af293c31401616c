"""The folder of a cell: filled under another name, then put in place whole."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leakaudit.errors import LeakauditError
from leakaudit.whole import FULL, unwritable

RESULT_FILE = "result.json"
_NO_ROOM = 1 << 14  # bytes: not even a result fits


def finished(folder: Path) -> bool:
    """Whether a cell stands whole in its folder."""
    return (folder / RESULT_FILE).is_file()


def partial_folder(target: Path) -> Path:
    """A fresh folder for a cell to run in, beside the one where it is to stand."""
    # Workers of several machines share the folder, and their process numbers may be alike.
    folder = target.parent / f".partial-{target.name}-{socket.gethostname()}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def room_for(partial: Path) -> Iterator[None]:
    """Say of whatever fails for want of room that the disk is full.

    Libraries that write say it each in their own way, some without the system's number.

    Raises:
        EnvironmentProblemError: the disk is full.
    """
    try:
        yield
    except LeakauditError:
        raise
    except Exception as problem:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        said = isinstance(problem, OSError) and problem.errno in FULL
        if not said and shutil.disk_usage(partial.parent).free >= _NO_ROOM:
            raise
        written = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
        raise unwritable(partial, full, written, more=True) from problem


def put_in_place(partial: Path, target: Path, result: str) -> None:
    """Write a cell's result and let the cell stand, whole."""
    (partial / RESULT_FILE).write_text(result, encoding="utf-8")
    if finished(target):
        # A worker that was believed dead finished the same cell first.
        shutil.rmtree(partial)
        return
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def clear_partial(cells: Path, key: str = "") -> None:
    """Remove what an interrupted run, or a worker that died, left unfinished.

    Args:
        cells: folder of the finished cells.
        key: of one cell; empty for all.
    """
    for folder in cells.glob(f".partial-{key}*"):
        shutil.rmtree(folder, ignore_errors=True)

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
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)  # what systems say of a folder that stands there already


def finished(folder: Path) -> bool:
    """Whether a cell stands whole in its folder."""
    return (folder / RESULT_FILE).is_file()


def partial_folder(target: Path) -> Path:
    """A fresh folder for a cell to run in, beside the one where it is to stand."""
    folder = _partial_name(target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _partial_name(target: Path, suffix: str = "") -> Path:
    # Workers of several machines share the folder, and their process numbers may be alike.
    whose = f"{socket.gethostname()}-{os.getpid()}"
    return target.parent / f".partial-{target.name}-{whose}{suffix}"


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
    """Write a cell's result and let the cell stand, whole; one that stands already stays."""
    (partial / RESULT_FILE).write_text(result, encoding="utf-8")
    if target.exists() and not finished(target):
        take_away(target, target)
    try:
        # The system decides who came first: whoever looked before could be late by now.
        partial.rename(target)
    except OSError as problem:
        if problem.errno not in _TAKEN:
            raise
        # A worker that was believed dead finished the same cell first.
        shutil.rmtree(partial)


def take_away(folder: Path, cell: Path) -> None:
    """Remove a folder under another name: it is there whole or not, whenever this is killed.

    Args:
        folder: of a cell, or within it.
        cell: folder of the cell.
    """
    gone = _partial_name(cell, "-gone")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def clear_partial(cells: Path, key: str = "") -> None:
    """Remove what an interrupted run, or a worker that died, left unfinished.

    Args:
        cells: folder of the finished cells.
        key: of one cell; empty for all.
    """
    for folder in cells.glob(f".partial-{key}*"):
        shutil.rmtree(folder, ignore_errors=True)

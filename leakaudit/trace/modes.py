"""Who may read what an audit writes: its owner, whatever the umask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS = 0o077


@contextmanager
def owner_only() -> Iterator[None]:
    """Files and folders made meanwhile are readable by their owner alone (0600 and 0700)."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def private_file(path: str | Path, flags: int) -> int:
    """An opener for :func:`open`: a file that is made is its owner's alone."""
    return os.open(path, flags, 0o600)


def open_to_others(folder: Path) -> bool:
    """Whether somebody else may read or enter a folder that is there."""
    return os.name == "posix" and folder.is_dir() and bool(folder.stat().st_mode & _OTHERS)

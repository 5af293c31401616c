"""Read a folder that may be a stranger's: its own plain files alone, of a bounded size."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from leakaudit.errors import TraceError

# Descriptions and logs of millions of samples stay far below it.
MOST_TEXT_BYTES = 512 << 20


def opened(path: Path) -> BufferedReader:
    """A regular file for reading; whatever else has its name is refused before it is read.

    A link could lead out of the folder, and a pipe or a device would never end.

    Raises:
        TraceError: a link, a folder, a pipe or a device.
        FileNotFoundError: nothing has that name.
        NotADirectoryError: its folder is none.
    """
    if path.is_symlink():
        raise _no_file(path, "a symbolic link")
    # Without blocking: opening a pipe for reading would wait for somebody to write.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_file(path, "something else")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path) -> bytes:
    """A whole small file.

    Raises:
        TraceError: as :func:`opened`, or it is larger than any description is.
        FileNotFoundError: nothing has that name.
    """
    with opened(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MOST_TEXT_BYTES:
            raise TraceError(
                f"{path.name} is at most {MOST_TEXT_BYTES >> 20} MiB",
                found=f"{size} bytes",
                remedy="a trace describes its samples and shards, nothing else; record it again",
            )
        return stream.read()


def _no_file(path: Path, found: str) -> TraceError:
    return TraceError(
        f"{path.name} in a trace must be a file of the trace's own folder",
        found=found,
        remedy="copy the trace whole, with the files that links lead to, if you trust them",
    )

"""A file is written whole or not at all, and a disk that is too small says what was needed."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from leakaudit.errors import EnvironmentProblemError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says of a disk, a quota or a file that holds no more."""


def write_whole(target: Path, content: bytes | str) -> Path:
    """Replace a file in one step: a killed run leaves the old one or the new one.

    Raises:
        EnvironmentProblemError: the disk is full, or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as problem:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise unwritable(target, problem, len(data)) from None
    return target


def unwritable(
    target: Path, problem: OSError, needed: int = 0, *, more: bool = False
) -> EnvironmentProblemError:
    """What to say of a file that the system refused.

    Args:
        target: the file or folder.
        problem: as raised.
        needed: bytes that were to be written; 0: not known.
        more: that is what was written before the disk was full.
    """
    if problem.errno in FULL:
        existing = next(path for path in target.absolute().parents if path.exists())
        free = shutil.disk_usage(existing).free
        wanted = f"{'more than ' * more}{_size(needed)} needed, " if needed else ""
        return EnvironmentProblemError(
            f"the disk must have room for {target} ({problem.strerror})",
            found=f"{wanted}{_size(free)} free",
            remedy="free disk space, then run the same command again: what is finished is kept",
        )
    return EnvironmentProblemError(
        f"the run folder must be writable ({problem.strerror})",
        found=str(target),
        remedy="mend the folder's permissions, or choose another with --out",
    )


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MiB"

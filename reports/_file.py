"""Write a file whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from leakaudit.errors import EnvironmentProblemError


def write_whole(target: Path, content: bytes) -> Path:
    """Replace the target in one step: a killed run leaves the old file or the new one.

    Raises:
        EnvironmentProblemError: the folder cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as problem:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise EnvironmentProblemError(
            f"the run folder must be writable ({problem.strerror})",
            found=str(target),
            remedy="free disk space, mend the folder's permissions, or choose another with --out",
        ) from None
    return target

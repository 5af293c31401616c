"""Paths as people write them: from the folder of a file, or from somebody's home."""

from __future__ import annotations

from pathlib import Path

from leakaudit.errors import ConfigurationError


def absolute(given: str, folder: Path, key: str) -> str:
    """A path from the root, links followed.

    Args:
        given: as written; relative, absolute, or from a home with `~`.
        folder: where a relative one starts.
        key: of the setting, for the message.

    Raises:
        ConfigurationError: it holds a null byte, or nobody has this home.
    """
    try:
        return str((folder / Path(given).expanduser()).resolve())
    except (ValueError, RuntimeError, OSError) as problem:
        raise ConfigurationError(
            f"`{key}` must be a path on this machine ({problem})",
            found=given[:200],
            remedy="check the spelling of the path",
        ) from None

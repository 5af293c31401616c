"""Walking a data folder: links are followed, what hides is passed over and counted."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

# What libraries raise from a damaged file, whatever they promise: a zero where a count belongs
# divides, a wrong code is no key, half a header is nothing to unpack.
UNREADABLE = (
    OSError, ValueError, EOFError, SyntaxError, LookupError, ArithmeticError, TypeError,
    AttributeError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Files:
    """What lies below a folder.

    Attributes:
        paths: regular files, those behind links too, sorted.
        passed_over: hidden files and folders that were not looked into, relative to the root.
    """

    paths: tuple[Path, ...]
    passed_over: tuple[str, ...]


def files_below(root: Path, exclude: Sequence[str] = ()) -> Files:
    """Every regular file below a folder; a linked folder is entered once.

    Args:
        root: the folder; anything else has no files.
        exclude: patterns such as `archive/*` on the path below the root; they are left out.
    """
    if not root.is_dir():
        return Files((), ())
    paths: list[Path] = []
    hidden: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        state = here.stat()
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        for name in [*folders, *names]:
            relative = (here / name).relative_to(root).as_posix()
            if _hidden(name):
                if name in folders:
                    hidden.append(relative + "/")
                continue
            if name in names and (here / name).is_file() and not excluded(relative, exclude):
                paths.append(here / name)
        folders[:] = sorted(name for name in folders if not _hidden(name))
    return Files(tuple(sorted(paths)), tuple(sorted(hidden)))


def excluded(relative: str, patterns: Sequence[str]) -> bool:
    """Whether a path, or a folder it lies in, fits a pattern."""
    parts = relative.split("/")
    heads = ["/".join(parts[: at + 1]) for at in range(len(parts))]
    return any(fnmatch(head, pattern.rstrip("/")) for head in heads for pattern in patterns)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in {"__MACOSX", "$RECYCLE.BIN", "lost+found"}

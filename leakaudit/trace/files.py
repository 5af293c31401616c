"""The shards of a trace on disk; each is checked before its first tensor is used."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.trace.description import LogEntry
from leakaudit.trace.regular import opened


class CheckedFiles:
    """Opens shards; each is read whole once, to check it, and from then on only in part.

    Args:
        folder: of the trace.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[str] = set()

    def opened(self, entry: LogEntry) -> Any:
        """A shard mapped into memory: a ``safetensors.safe_open``, to be used in a ``with``.

        Raises:
            TraceError: the file is missing, cut short, or altered.
        """
        path = self.check(entry)
        try:
            return safe_open(path, framework="pt")
        except SafetensorError as problem:
            raise damaged(path.name, f"it is no safetensors file: {problem}") from None

    def load(self, entry: LogEntry) -> dict[str, Tensor]:
        """All tensors of a shard."""
        with self.opened(entry) as shard:
            return {name: shard.get_tensor(name) for name in sorted(shard.keys())}

    def check(self, entry: LogEntry) -> Path:
        """The path of a shard whose size and digest are as logged."""
        path = self._folder / str(entry.file)
        if path.name in self._checked:
            return path
        try:
            with opened(path) as stream:
                size = os.fstat(stream.fileno()).st_size
                if size != entry.bytes:
                    raise damaged(path.name, f"{size} bytes where {entry.bytes} were written")
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise damaged(path.name, "the file is missing") from None
        if digest != entry.sha256:
            raise damaged(
                path.name, f"SHA-256 {digest[:12]} where {str(entry.sha256)[:12]} was logged"
            )
        self._checked.add(path.name)
        return path


def damaged(name: str, found: str) -> TraceError:
    """What is said of a shard that is not as it was written."""
    return TraceError(
        f"shard {name} must be as it was recorded",
        found=found,
        remedy=f"restore {name} from a copy, or record the trace again",
    )

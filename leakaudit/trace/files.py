"""The shards of a trace on disk; each is checked before its first tensor is used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.trace.description import LogEntry


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
            raise _damaged(path, f"it is no safetensors file: {problem}") from None

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
            size = path.stat().st_size
            if size != entry.bytes:
                raise _damaged(path, f"{size} bytes where {entry.bytes} were written")
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise _damaged(path, "the file is missing") from None
        if digest != entry.sha256:
            raise _damaged(path, f"SHA-256 {digest[:12]} where {str(entry.sha256)[:12]} was logged")
        self._checked.add(path.name)
        return path


def _damaged(path: Path, found: str) -> TraceError:
    return TraceError(
        f"shard {path.name} must be as it was recorded",
        found=found,
        remedy=f"restore {path} from a copy, or record the trace again",
    )

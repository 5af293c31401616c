"""Shards are hashed and written by a thread of their own, in the order they were filled."""

from __future__ import annotations

import json
import os
import queue
import threading
from pathlib import Path

from leakaudit.trace.description import LOG_FILE, LogEntry
from leakaudit.trace.folder import unwritable
from leakaudit.trace.shard import Shard


class Background:
    """Writes shards and their log lines; at most one waits while another is written.

    Args:
        folder: of the trace.
        sync: wait for the disk after each shard.

    Raises:
        OSError: the log cannot be opened.
    """

    def __init__(self, folder: Path, *, sync: bool) -> None:
        self._folder, self._sync = folder, sync
        self._failure: BaseException | None = None
        self._jobs: queue.Queue[tuple[str, int, Shard | None] | None] = queue.Queue(maxsize=1)
        self._log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._thread = threading.Thread(target=self._work, name="trace-writer", daemon=True)
        self._thread.start()

    def put(self, kind: str, epoch: int, shard: Shard | None) -> None:
        """Have a shard written, or an epoch sealed.

        Raises:
            TraceError, EnvironmentProblemError: as :meth:`raise_failure`.
        """
        self.raise_failure()
        self._jobs.put((kind, epoch, shard))

    def stop(self) -> None:
        """Write what waits, then end."""
        self._jobs.put(None)
        self._thread.join()
        os.close(self._log)

    def raise_failure(self) -> None:
        """What an earlier shard failed of.

        Raises:
            TraceError: one of its tensors was changed in place.
            EnvironmentProblemError: the disk refused it.
        """
        if self._failure is None:
            return
        if isinstance(self._failure, OSError):
            raise unwritable(self._folder, self._failure) from self._failure
        raise self._failure

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            # After a failure jobs are only taken, so that the trainer is never left waiting.
            if self._failure is None:
                try:
                    self._write(*job)
                except BaseException as problem:
                    self._failure = problem
            # Let go before waiting: the next shard must not find the last one still in memory.
            del job

    def _write(self, kind: str, epoch: int, shard: Shard | None) -> None:
        line: dict[str, object] = {"kind": kind, "epoch": epoch}
        if shard is not None:
            digest, size = shard.write(self._folder, sync=self._sync)
            line |= {"file": shard.file, "sha256": digest, "bytes": size}
        LogEntry.model_validate(line)
        os.write(self._log, json.dumps(line).encode() + b"\n")
        if self._sync:
            os.fsync(self._log)

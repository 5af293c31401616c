"""Room for a cohort while it is prepared: in memory, and on the disk where it is large."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import ByteArray, FloatArray
from leakaudit.errors import EnvironmentProblemError

IN_MEMORY_BYTES = 2**28
"""What is read beyond this lies on the disk, under no name, and is gone with the process."""


class Spool:
    """Arrays put aside as they come, so that many do not fill the memory."""

    def __init__(self) -> None:
        self._held = 0

    def aside(self, array: FloatArray) -> FloatArray:
        """The same array; of many, those beyond :data:`IN_MEMORY_BYTES` mapped from the disk.

        Raises:
            EnvironmentProblemError: the disk for temporary files has no room.
        """
        self._held += array.nbytes
        if self._held <= IN_MEMORY_BYTES:
            return array
        away = _nameless(array.nbytes).view(array.dtype).reshape(array.shape)
        away[:] = array
        return away


def gathered(parts: Sequence[FloatArray]) -> FloatArray:
    """(n, m, *space) of all parts, one after the other; one modality's samples lie together.

    Args:
        parts: (n_i, m, *space) each.

    Raises:
        EnvironmentProblemError: the disk for temporary files has no room.
    """
    modalities, *space = parts[0].shape[1:]
    shape = (modalities, sum(len(part) for part in parts), *space)
    size = int(np.prod(shape)) * 4
    together = (
        np.empty(shape, dtype=np.float32)
        if size <= IN_MEMORY_BYTES
        else _nameless(size).view(np.float32).reshape(shape)
    )
    at = 0
    for part in parts:
        together[:, at : at + len(part)] = part.swapaxes(0, 1)
        at += len(part)
    return together.swapaxes(0, 1)


def _nameless(size: int) -> ByteArray:
    with tempfile.TemporaryFile(prefix="leakaudit-") as file:
        try:
            # Room is taken now: a disk that is full when a page is written back kills the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as problem:
            raise EnvironmentProblemError(
                f"a large cohort needs room for temporary files ({problem.strerror})",
                found=f"{size / 2**20:,.0f} MiB more in {tempfile.gettempdir()}",
                remedy="free disk space, or name a folder on a larger disk in TMPDIR",
            ) from None
        mapped: npt.NDArray[np.uint8] = np.memmap(file, dtype=np.uint8, mode="r+", shape=(size,))
        return mapped

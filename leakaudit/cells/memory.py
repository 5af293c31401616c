"""How much memory one cell took at its peak: its own, not that of what its worker did before."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
# Linux' code for "forget the highest resident size so far".
_FORGET_PEAK = "5"


class Peak:
    """The peak of a stretch of work; None until it is over, or where it cannot be measured."""

    def __init__(self) -> None:
        self.bytes: int | None = None


@contextmanager
def measured(device: str) -> Iterator[Peak]:
    """Measure what happens inside: resident memory of this process, or memory of the GPU.

    A worker runs many cells. Its lifetime maximum would charge each for the greediest before it,
    so the system is told to forget it first, and freed memory is handed back; where the system
    cannot (other than Linux), nothing is measured.

    Args:
        device: where the work runs.
    """
    peak = Peak()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = int(torch.cuda.max_memory_allocated(device))
        return
    known = _forgotten()
    yield peak
    peak.bytes = _highest() if known else None


def _forgotten() -> bool:
    """Whether the peak starts anew from here."""
    # Another C library has no such call: what it keeps is charged to the cell.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _RESET.write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def _highest() -> int | None:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None

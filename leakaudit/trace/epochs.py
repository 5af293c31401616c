"""Which epochs of a trace are whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leakaudit.errors import TraceError
from leakaudit.trace.description import LOG_FILE, TraceDescription


def check_sealed(description: TraceDescription, epochs: Sequence[int], folder: Path) -> None:
    """Refuses a trace without a whole epoch, or a complete one that lacks an epoch it names."""
    missing = sorted(set(description.epochs_recorded) - set(epochs))
    if description.complete and missing:
        raise TraceError(
            f"a complete trace must hold every epoch it names, and {LOG_FILE} seals each",
            found=f"epoch {missing[0]} is not sealed in {folder}",
            remedy=f"{LOG_FILE} was cut short; restore it or record the trace again",
        )
    if not epochs:
        raise TraceError(
            "a trace must hold at least one whole epoch",
            found=f"none in {folder}; the run was cut off before its first",
            remedy="let the training run on, or record an earlier epoch",
        )

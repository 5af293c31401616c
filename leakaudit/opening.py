"""Open what a run left behind: its record, and the traces of its trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leakaudit.record import Record, read_record

if TYPE_CHECKING:
    from leakaudit.trace.reader import TraceReader


def open_record(path: str | Path) -> Record:
    """The record of an audit; :meth:`leakaudit.record.Record.to_frame` makes a table of it.

    Args:
        path: `audit.json`, or the run folder that holds it.

    Raises:
        RecordError: missing, cut short, of a newer schema, or edited by hand.
    """
    return read_record(Path(path))


def open_trace(path: str | Path, *, trusted: bool = False) -> TraceReader:
    """A recorded training: what crossed, epoch by epoch.

    Args:
        path: folder of the trace.
        trusted: run the code of the model that the trace names, where its networks are rebuilt.

    Raises:
        TraceError: no trace, of another schema version, damaged, or without a whole epoch.
    """
    from leakaudit.trace.reader import TraceReader

    return TraceReader(Path(path), trusted=trusted)

"""The trace: a training run's messages on disk, readable in any language.

Description and settings load at once; ``leakaudit.trace.writer`` and ``leakaudit.trace.reader``
load torch and are imported by name.
"""

from leakaudit.trace.description import (
    DESCRIPTION_FILE,
    LOG_FILE,
    SCHEMA_VERSION,
    AppliedDefense,
    LogEntry,
    RecordedRoute,
    TraceDescription,
    TracedSample,
)
from leakaudit.trace.recording import EveryEpochs, RecordingSettings

__all__ = [
    "DESCRIPTION_FILE",
    "LOG_FILE",
    "SCHEMA_VERSION",
    "AppliedDefense",
    "EveryEpochs",
    "LogEntry",
    "RecordedRoute",
    "RecordingSettings",
    "TraceDescription",
    "TracedSample",
]

"""Record a job that trains elsewhere: what it sends, and what it would send when it is asked.

A :class:`.sheet.SampleSheet` says which of the job's rows is which sample of the cohort that the
audit will judge by; a :class:`.job.Job` says who takes part; a :class:`.recorder.Recorder` writes
the trace that `leakaudit attack` reads.
"""

from leakaudit.exchange.taps import Crossing
from leakaudit.recording.calls import Told, recorded
from leakaudit.recording.job import Job
from leakaudit.recording.questions import Question, questions
from leakaudit.recording.recorder import HERE, Recorder
from leakaudit.recording.sheet import SampleSheet, read_sheet

__all__ = [
    "HERE",
    "Crossing",
    "Job",
    "Question",
    "Recorder",
    "SampleSheet",
    "Told",
    "questions",
    "read_sheet",
    "recorded",
]

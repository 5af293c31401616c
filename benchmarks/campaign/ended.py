"""A command in this process, which it must not end, and how it ended."""

from __future__ import annotations

import contextlib
import io
import signal
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from leakaudit.audit.runner import Runner
from leakaudit.cli.app import execute

LONGEST_SECONDS = 120
STARTED = "the first cell would start now"
# Exit codes that a mutated input may end with: all but "unexpected".
EXPECTED = {0, 1, 2, 4, 5}


class TooLong(BaseException):
    """A command that had not ended."""


@dataclass(frozen=True)
class Ended:
    """How one command ended.

    Attributes:
        code: its exit code; -1 where it had not ended in time.
        said: on standard error.
    """

    code: int
    said: str

    @property
    def unexpected(self) -> bool:
        return self.code not in EXPECTED


@dataclass(frozen=True)
class Tried:
    """A command on something mutated.

    Attributes:
        ended: how.
        wrong: why its pass is wrong; empty: it is not, or it did not pass.
    """

    ended: Ended
    wrong: str = ""


def stopped(*_: object) -> None:
    """Instead of the first cell."""
    raise KeyboardInterrupt(STARTED)


def command(*arguments: str | Path) -> Ended:
    """Run a command line in this process, up to where its first cell would begin."""

    def late(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST_SECONDS)
    said = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
            mock.patch.object(Runner, "run", stopped),
        ):
            code = execute([str(each) for each in arguments])
    except TooLong:
        return Ended(-1, f"no end after {LONGEST_SECONDS} s")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    # Interrupted as its first cell would have started: all that comes before was passed.
    return Ended(0 if code == 130 else code, said.getvalue())

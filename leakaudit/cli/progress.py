"""How a run tells where it stands: a bar on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from leakaudit.cli.terminal import printable

if TYPE_CHECKING:
    from rich.progress import Progress

# A log that is read later needs no more than this.
_LINE_EVERY_SECONDS = 20.0
# The bar shows what this many cells do; more do not fit on a line.
_SHOWN = 2


class Standing(Protocol):
    """What :class:`leakaudit.audit.engine.Tick` says; named here to stay free of the engine."""

    @property
    def done(self) -> int:
        """Finished cells."""

    @property
    def total(self) -> int:
        """All cells."""

    @property
    def fraction(self) -> float:
        """Share of the work that is done, 0 to 1."""

    @property
    def seconds_left(self) -> float | None:
        """Estimate; None where unknown."""

    @property
    def doing(self) -> Mapping[str, str]:
        """Stage of each cell under way."""

    @property
    def waiting(self) -> str:
        """What the run waits for; empty: nothing."""

    @property
    def dashboard(self) -> str | None:
        """Address of the Dask dashboard; None where there is none."""


Watching = Callable[[Standing], None]


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watching]:
    """A watcher for one run.

    Progress goes to standard error, so that results can be piped.

    Args:
        quiet: tell nothing.
    """
    if quiet:
        yield _nothing
    elif sys.stderr.isatty():
        with _bar() as watch:
            yield watch
    else:
        yield _Lines(time.monotonic)


def _nothing(standing: Standing) -> None:
    del standing


def duration(seconds: float) -> str:
    """In the words of somebody who waits."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def in_words(standing: Standing) -> str:
    """One line on where a run stands."""
    parts = [f"{standing.done} of {standing.total} cells", f"{standing.fraction:.0%}"]
    if standing.seconds_left is not None and standing.fraction < 1:
        parts.append(f"{duration(standing.seconds_left)} left")
    doing = printable(standing.waiting) or _doing(standing)
    return ", ".join(parts) + (f": {doing}" if doing else "")


def _doing(standing: Standing) -> str:
    stages = list(standing.doing.values())
    shown = "; ".join(printable(stage) for stage in stages[:_SHOWN])
    return shown + (f"; {len(stages) - _SHOWN} more" if len(stages) > _SHOWN else "")


def _dashboard(standing: Standing) -> str:
    return f"Dask dashboard: {printable(standing.dashboard or 'closed')}"


class _Lines:
    """A line whenever a cell is finished, and otherwise now and then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._done = -1
        self._due = 0.0
        self._dashboard: str | None = None

    def __call__(self, standing: Standing) -> None:
        with self._lock:
            if standing.dashboard != self._dashboard:
                self._dashboard = standing.dashboard
                print(_dashboard(standing), file=sys.stderr, flush=True)
            now = self._clock()
            if standing.done <= self._done and now < self._due:
                return
            self._done = max(self._done, standing.done)
            self._due = now + _LINE_EVERY_SECONDS
            print(in_words(standing), file=sys.stderr, flush=True)


@contextmanager
def reading() -> Iterator[Callable[[int, int], None]]:
    """Tell how far the reading of a cohort is: a bar on a terminal, a line now and then elsewhere.

    Yields:
        A watcher that takes how many of the cohort's items were read, and how many there are.
    """
    if not sys.stderr.isatty():
        yield _Counts(time.monotonic)
        return
    with _progress() as progress:
        task = progress.add_task("reading", total=None)
        yield lambda done, total: progress.update(
            task, completed=done, total=total, description=f"read {done} of {total}"
        )


class _Counts:
    """A line now and then, once there was something to wait for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due = clock() + _LINE_EVERY_SECONDS

    def __call__(self, done: int, total: int) -> None:
        if self._clock() >= self._due:
            self._due = self._clock() + _LINE_EVERY_SECONDS
            print(f"read {done} of {total}", file=sys.stderr, flush=True)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        transient=True,
    )


@contextmanager
def _bar() -> Iterator[Watching]:
    with _progress() as progress:
        task = progress.add_task("preparing", total=1.0)
        told: set[str | None] = {None}

        def watch(standing: Standing) -> None:
            if standing.dashboard not in told:
                told.add(standing.dashboard)
                progress.console.print(_dashboard(standing))
            progress.update(task, completed=standing.fraction, description=in_words(standing))

        yield watch

"""Rendering every installed report of a record; one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leakaudit.cli.failure import report_failure
from leakaudit.cli.terminal import printable, say
from leakaudit.errors import EXIT_OK, LeakauditError
from leakaudit.plugins import Kind, build, names
from leakaudit.record.store import RECORD_FILE, read_record

if TYPE_CHECKING:
    from leakaudit.record import Record
    from leakaudit.record.report import Report


@dataclass(frozen=True)
class Rendered:
    """What rendering came to.

    Attributes:
        files: written.
        failures: what kept others from being written.
    """

    files: tuple[Path, ...]
    failures: tuple[LeakauditError, ...]

    @property
    def exit_code(self) -> int:
        """Of the first failure; 0 where there is none."""
        return self.failures[0].exit_code if self.failures else EXIT_OK

    def tell_failures(self) -> None:
        """One message for each, on standard error."""
        for failure in self.failures:
            report_failure(failure, debug=False)


def report(run: Path, only: Sequence[str], before: Path | None) -> int:
    """Render a run's reports again.

    Args:
        run: its folder, or the record in it.
        only: names of reports; empty for all.
        before: an earlier run to compare with.

    Returns:
        The exit code.
    """
    earlier = None if before is None else read_record(before)
    record = read_record(run)
    rendered = render(record, run if run.is_dir() else run.parent, only, earlier)
    for path in rendered.files:
        say(printable(path))
    rendered.tell_failures()
    return rendered.exit_code


def render(
    record: Record, folder: Path, only: Sequence[str] = (), before: Record | None = None
) -> Rendered:
    """Write reports beside a record.

    Args:
        record: to print.
        folder: the run folder.
        only: names of reports; empty for all that are installed.
        before: an earlier audit to compare with.

    Raises:
        UnknownNameError: a report that is not installed was asked for.
    """
    reports: list[Report] = [build(Kind.REPORT, name, {}) for name in only or names(Kind.REPORT)]
    files, failures = [], []
    for one in reports:
        try:
            files.append(one.render(record, folder, before=before))
        except LeakauditError as problem:
            failures.append(problem)
    return Rendered(tuple(files), tuple(failures))


def file_names() -> list[str]:
    """What the installed reports write; those that people open first come first."""
    first = ("html", "pdf", "markdown")
    installed = names(Kind.REPORT)
    ordered = [name for name in first if name in installed]
    ordered += [name for name in installed if name not in first]
    return [build(Kind.REPORT, name, {}).file_name for name in ordered]


def stands(folder: Path) -> bool:
    """Whether every report is there and none is older than the record."""
    written = (folder / RECORD_FILE).stat().st_mtime_ns
    return all(
        (folder / name).is_file() and (folder / name).stat().st_mtime_ns >= written
        for name in file_names()
    )

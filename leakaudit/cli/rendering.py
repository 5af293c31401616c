"""Rendering every installed report of a record; one that fails does not stop the others."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leakaudit.cli.failure import report_failure
from leakaudit.cli.terminal import printable, say
from leakaudit.errors import EXIT_OK, ConfigurationError, LeakauditError
from leakaudit.plugins import Kind, build, names
from leakaudit.record.store import RECORD_FILE, read_record

if TYPE_CHECKING:
    from leakaudit.record import Record
    from leakaudit.record.held import HeldPolicy
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


@dataclass(frozen=True)
class Beside:
    """Files that a report is printed beside; None for none.

    Attributes:
        before: an earlier run to compare with.
        policy: budgets to hold the record against.
        baseline: what the policy's regression rules compare with.
    """

    before: Path | None = None
    policy: Path | None = None
    baseline: Path | None = None

    def held(self, record: Record) -> HeldPolicy | None:
        """How the record stands to the policy today; None without one.

        Raises:
            ConfigurationError: the policy is wrong, or a baseline was given without one.
            NothingToEvaluateError: the policy has no rule, or the audit no finding.
            NoValidVerdictError: the baseline cannot be compared.
        """
        if self.policy is None:
            if self.baseline is not None:
                raise ConfigurationError(
                    "a baseline is compared by the rules of a policy",
                    found="--baseline without --policy",
                    remedy="add --policy FILE",
                )
            return None
        # Loaded when asked for: most reports have no policy.
        from leakaudit.policy import evaluate, printed, read_baseline, read_policy

        today = datetime.datetime.now(datetime.UTC).date()
        file = read_policy(self.policy)
        earlier = None if self.baseline is None else read_baseline(self.baseline)
        return printed(evaluate(file, record, today=today, baseline=earlier), today)


def report(run: Path, only: Sequence[str], beside: Beside) -> int:
    """Render a run's reports again.

    Args:
        run: its folder, or the record in it.
        only: names of reports; empty for all.
        beside: an earlier run, a policy.

    Returns:
        The exit code. How a policy came out is printed, not judged: that is `leakaudit check`'s.
    """
    earlier = None if beside.before is None else read_record(beside.before)
    record = read_record(run)
    held = beside.held(record)
    folder = run if run.is_dir() else run.parent
    rendered = render(record, folder, only, before=earlier, policy=held)
    for path in rendered.files:
        say(printable(path))
    if held is not None:
        say(printable(held.headline))
    rendered.tell_failures()
    return rendered.exit_code


def render(
    record: Record,
    folder: Path,
    only: Sequence[str] = (),
    *,
    before: Record | None = None,
    policy: HeldPolicy | None = None,
) -> Rendered:
    """Write reports beside a record.

    Args:
        record: to print.
        folder: the run folder.
        only: names of reports; empty for all that are installed.
        before: an earlier audit to compare with.
        policy: how the audit stands to somebody's budgets.

    Raises:
        UnknownNameError: a report that is not installed was asked for.
    """
    reports: list[Report] = [build(Kind.REPORT, name, {}) for name in only or names(Kind.REPORT)]
    # Reports of other packages may be older than policies in reports.
    given = {} if policy is None else {"policy": policy}
    files, failures = [], []
    for one in reports:
        try:
            files.append(one.render(record, folder, before=before, **given))
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

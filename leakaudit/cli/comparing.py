"""What changed between two audits, as a table on the terminal and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leakaudit.cli.terminal import printable, say, table
from leakaudit.errors import EXIT_OK, ConfigurationError
from leakaudit.plugins import Kind, build, names
from leakaudit.record.changes import Answer, Shift, changes
from leakaudit.record.store import read_record

if TYPE_CHECKING:
    from leakaudit.record import Verdict
    from leakaudit.record.report import Report

_COLUMNS = ("", "defense", "adversary", "asset", "victim", "before", "now", "paired change")
_QUIET = {Shift.SAME, Shift.OPEN}


def compare(before: Path, now: Path, out: Path | None) -> int:
    """Tell what changed.

    Args:
        before: folder or record of the earlier audit.
        now: of the later one.
        out: file to write too; its ending says how it is rendered.

    Returns:
        The exit code: what changed is told, not judged.
    """
    report = None if out is None else _report_for(out)
    earlier, later = read_record(before), read_record(now)
    found = changes(earlier, later)
    if not found.same_patients:
        say("The data of the two audits differ: nothing is paired, and a difference may come from "
            "the patients alone.")  # fmt: skip
    told = [answer for answer in found.answers if answer.shift not in _QUIET]
    if told:
        table("What changed, what leaks more first", _COLUMNS, map(_row, told))
    counted = ", ".join(f"{found.count(s)} {s.value}" for s in Shift if found.count(s))
    say(f"{len(found.answers)} answers: {counted or 'none'}.")
    say("More or less: chance is ruled out at 5 % over all answers (Holm), same patients, same "
        "seeds.")  # fmt: skip
    if report is not None and out is not None:
        say(printable(report.compare(earlier, later, out)))
    return EXIT_OK


def _report_for(out: Path) -> Report:
    """The installed report that writes files of this ending."""
    reports: list[Report] = [build(Kind.REPORT, name, {}) for name in names(Kind.REPORT)]
    endings = {Path(report.file_name).suffix: report for report in reports}
    if out.suffix not in endings:
        raise ConfigurationError(
            "the ending of --out says how a comparison is written",
            found=out.name,
            remedy=f"one of {', '.join(sorted(endings))}",
        )
    return endings[out.suffix]


def _row(answer: Answer) -> tuple[str, ...]:
    verdict = answer.verdict
    return (
        answer.shift.value, verdict.defense, verdict.adversary, verdict.asset, verdict.victim,
        _told(answer.before), _told(answer.now), answer.reason or _change(answer),
    )  # fmt: skip


def _told(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not audited"
    mean = "" if verdict.advantage is None else f" {verdict.advantage.mean:.2f}"
    return f"{verdict.verdict}{mean}"


def _change(answer: Answer) -> str:
    found = answer.difference
    if found is None:
        return ""
    if found.lower is not None and found.upper is not None:
        return f"{found.mean:+.2f} [{found.lower:+.2f}, {found.upper:+.2f}]"
    bounds = (("at least", found.at_least), ("at most", found.at_most))
    said = [f"{word} {end:+.2f}" for word, end in bounds if end is not None]
    return f"{found.mean:+.2f} ({', '.join(said) or 'no interval'})"

"""`leakaudit run` and `leakaudit attack`: from the command line to files and a table."""

from __future__ import annotations

import shlex
import sys
import tomllib
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakaudit.cli.answer import show_answer
from leakaudit.cli.failure import EXIT_INTERRUPTED
from leakaudit.cli.foreseeing import tell
from leakaudit.cli.progress import watching
from leakaudit.cli.rendering import Rendered, file_names, render, stands
from leakaudit.cli.terminal import printable, say, warn
from leakaudit.cli.verdicts import show_verdicts
from leakaudit.errors import (
    EXIT_INTERNAL,
    EXIT_NO_VALID_VERDICT,
    EXIT_NOTHING_TO_EVALUATE,
    EXIT_OK,
    EXIT_USAGE,
    ConfigurationError,
)
from leakaudit.plan.paths import absolute
from leakaudit.record.store import RECORD_FILE

if TYPE_CHECKING:
    from leakaudit.audit.run import Outcome
    from leakaudit.plan.plan import CellId


@dataclass(frozen=True)
class Request:
    """What was typed.

    Attributes:
        config: the audit's TOML file.
        out: run folder.
        trace: folder of a foreign trace; None to train.
        scheduler: address of a Dask scheduler; None for local processes.
        data: overrides ``cohort.path``.
        changes: overrides as ``key=value``.
        report: render the reports.
        quiet: show no progress.
    """

    config: Path
    out: Path
    trace: Path | None = None
    scheduler: str | None = None
    data: Path | None = None
    changes: tuple[str, ...] = ()
    report: bool = True
    quiet: bool = False

    def command(self) -> str:
        """How to run it again; what changes no result is left out."""
        words = ["leakaudit", "run" if self.trace is None else "attack"]
        words += [] if self.trace is None else [str(self.trace)]
        words += [str(self.config), "--out", str(self.out)]
        words += [] if self.data is None else ["--data", str(self.data)]
        for change in self.changes:
            words += ["--set", change]
        return shlex.join(words)

    def recorded(self) -> str:
        """The command as the record keeps it: folders say more than their owners may want."""
        private = {"cohort.path", "cohort.pseudonym_key", "cohort.pseudonym_key_file"}
        changes = (change.partition("=") for change in self.changes)
        return replace(
            self,
            config=_plain(self.config),
            out=_plain(self.out),
            trace=self.trace and _plain(self.trace),
            data=self.data and Path("DATA_DIR"),
            changes=tuple(
                f"{key}=..." if key.strip() in private else f"{key}={value}"
                for key, _, value in changes
            ),
        ).command()

    def overrides(self) -> dict[str, Any]:
        """Dotted key to value.

        Raises:
            ConfigurationError: a change is not of the form key=value.
        """
        values = dict(parsed_change(change) for change in self.changes)
        if self.data is not None:
            values["cohort.path"] = absolute(str(self.data), Path.cwd(), "--data")
        return values


def _plain(path: Path) -> Path:
    """A relative path as it was typed; of an absolute one, the last name."""
    return Path(path.name) if path.is_absolute() or ".." in path.parts else path


def parsed_change(change: str) -> tuple[str, Any]:
    """``key=value`` with the value read as TOML, or as plain text where it is none.

    Raises:
        ConfigurationError: not of this form.
    """
    key, equals, value = change.partition("=")
    key = key.strip()
    if not equals or not key or not all(key.split(".")):
        raise ConfigurationError(
            "--set takes KEY=VALUE", found=change, remedy="write --set training.epochs=5"
        )
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def run(request: Request) -> int:
    """Run an audit and say what came of it.

    Returns:
        The exit code.
    """
    if not sys.warnoptions:
        # Libraries warn about their own future; --debug or PYTHONWARNINGS shows it.
        warnings.simplefilter("ignore")
    try:
        # A bad configuration is answered before torch is loaded, which takes seconds.
        from leakaudit.plan.configuration import read_configuration

        configuration, given = read_configuration(request.config, request.overrides())
        from leakaudit.audit.run import attack_trace, run_audit
        from leakaudit.trace.modes import open_to_others, owner_only

        if open_to_others(request.out):
            warn(
                f"note: {printable(request.out)} can be read by others, and what a run leaves is "
                "as sensitive as the images: chmod 700"
            )

        foreseen = partial(tell, quiet=request.quiet)
        with watching(quiet=request.quiet) as watch:
            if request.trace is None:
                outcome = run_audit(
                    configuration, given, request.out,
                    scheduler=request.scheduler, watch=watch, foreseen=foreseen,
                    command=request.recorded(),
                )  # fmt: skip
            else:
                outcome = attack_trace(
                    request.trace, configuration, given, request.out,
                    scheduler=request.scheduler, watch=watch, foreseen=foreseen,
                    command=request.recorded(),
                )  # fmt: skip
        with owner_only():
            rendered = _reports(request, outcome)
    except KeyboardInterrupt:
        warn(
            f"\ninterrupted: finished cells are kept in {printable(request.out)}; to continue:\n"
            f"  {printable(request.command())}"
        )
        return EXIT_INTERRUPTED
    _tell(outcome, rendered)
    return _exit_code(outcome, rendered)


def _reports(request: Request, outcome: Outcome) -> Rendered | None:
    """None where they were not asked for, or stand already."""
    if not request.report or (outcome.computed == 0 and stands(outcome.folder)):
        return None
    return render(outcome.record, outcome.folder)


def _tell(outcome: Outcome, rendered: Rendered | None) -> None:
    show_verdicts(outcome.record)
    show_answer(outcome.record)
    for check in outcome.record.claim_checks:
        if check.refuted:
            warn(printable(f"false: {check.doubt}"))
    for remark in outcome.record.cohort.warnings:
        warn(f"note on the data: {printable(remark)}")
    if outcome.computed == 0 and rendered is None:
        say(f"Nothing had to be done: finished before: {_cells(outcome.reused)}.")
    else:
        reused = f"; finished before: {_cells(outcome.reused)}" if outcome.reused else ""
        say(f"Computed: {_cells(outcome.computed - len(outcome.failures))}{reused}.")
    for path in (*_report_files(outcome.folder), outcome.folder / RECORD_FILE):
        say(printable(path))
    if outcome.refusal is not None:
        warn(printable(outcome.refusal))
    for reason, cells in _by_reason(outcome).items():
        more = f" and {_cells(len(cells) - 1)} more" if len(cells) > 1 else ""
        warn(f"did not finish: {printable(cells[0])}{more}: {printable(reason)}")
    if outcome.failures:
        warn("finished cells are kept: the same command tries the others again")
    if rendered is not None:
        rendered.tell_failures()


def _by_reason(outcome: Outcome) -> dict[str, list[str]]:
    """One cause is told once: what failed of it, by what is said of it."""
    found: dict[str, list[str]] = {}
    for failure in outcome.failures:
        found.setdefault(failure.reason, []).append(_named(failure.cell))
    return found


def _named(cell: CellId) -> str:
    """A cell in words."""
    from leakaudit.plan.plan import InterferedId, TrainingId

    training = cell if isinstance(cell, TrainingId) else cell.training
    where = f"training {training.setting}, seed {training.seed}"
    if isinstance(cell, TrainingId):
        return where
    if isinstance(cell, InterferedId):
        return f"{where}, with {cell.adversary} mounting {cell.attack}"
    control = " on shuffled pairs" if cell.shuffled else ""
    again = f", repeat {cell.repeat}" if cell.repeat else ""
    return f"{cell.attack} by {cell.adversary}{control} on {where}{again}"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _report_files(folder: Path) -> list[Path]:
    return [folder / name for name in file_names() if (folder / name).is_file()]


def _exit_code(outcome: Outcome, rendered: Rendered | None) -> int:
    """The most serious of what happened."""
    verdicts = {verdict.verdict for verdict in outcome.record.verdicts}
    if outcome.refusal is not None:
        return EXIT_NO_VALID_VERDICT
    if outcome.failures:
        codes = {failure.exit_code for failure in outcome.failures}
        # Of several known causes: what the user can mend.
        return next((code for code in (EXIT_INTERNAL, EXIT_USAGE) if code in codes), max(codes))
    if not verdicts or verdicts == {"not tested"}:
        return EXIT_NOTHING_TO_EVALUATE
    if verdicts <= {"attack invalid", "not tested"}:
        return EXIT_NO_VALID_VERDICT
    return EXIT_OK if rendered is None else rendered.exit_code

"""From exceptions to one message and an exit code; nobody meets a traceback unasked."""

from __future__ import annotations

import errno
import traceback
from importlib import import_module
from typing import Any

import typer

from leakaudit.cli.terminal import printable, warn
from leakaudit.errors import EXIT_INTERNAL, EXIT_USAGE, CohortFaultsError, LeakauditError

EXIT_INTERRUPTED = 130
"""What shells expect after Ctrl-C."""

_FULL = "free disk space, then run the same command again (of an audit, finished cells are kept)"
_MENDABLE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: "change its permissions, or name another folder",
    errno.EPERM: "change its permissions, or name another folder",
    errno.EROFS: "name a folder on a disk that can be written",
    errno.ENOTDIR: "name a folder: a file stands in its place",
    errno.EEXIST: "name a folder: a file stands in its place",
    errno.EISDIR: "name a file: a folder stands in its place",
    errno.ENOENT: "check the spelling of the path",
    errno.ELOOP: "name what the link should lead to: it leads to itself",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
}


def report_failure(problem: BaseException, *, debug: bool) -> int:
    """Say what went wrong.

    Args:
        problem: whatever was raised.
        debug: print the traceback too.

    Returns:
        The exit code.
    """
    if debug:
        for line in "".join(traceback.format_exception(problem)).splitlines():
            warn(printable(line))
    if isinstance(problem, LeakauditError):
        lines = str(problem.found).splitlines() if isinstance(problem, CohortFaultsError) else ()
        _message(problem.rule, lines[0] if lines else problem.found, problem.remedy)
        for line in lines[1:]:
            warn(printable(line))
        return problem.exit_code
    if isinstance(problem, OSError) and problem.errno in _MENDABLE:
        found = problem.filename if problem.filename is not None else problem.strerror
        _message(f"the system must allow it ({problem.strerror})", found, _MENDABLE[problem.errno])
        return EXIT_USAGE
    if isinstance(problem, MemoryError):
        _message(
            "the audit must fit into memory",
            problem if str(problem) else None,
            "use fewer samples, smaller images or one worker (engine.workers = 1)",
        )
        return EXIT_USAGE
    if isinstance(problem, KeyboardInterrupt):
        warn("interrupted")
        return EXIT_INTERRUPTED
    again = "" if debug else "; run again with --debug to see where"
    warn(f"unexpected {type(problem).__name__}: {printable(problem)[:500]}{again}")
    return EXIT_INTERNAL


def usage_errors() -> type[Any]:
    """What is raised of a wrongly typed command: by typer, or by the click it once built on."""
    own = getattr(typer, "TyperException", None)
    found: type[Any] = import_module("click").ClickException if own is None else own
    return found


def usage_failure(message: str, command: str) -> int:
    """A command line that cannot be read."""
    _message(message.rstrip("."), None, f"see `{command} --help`")
    return EXIT_USAGE


def _message(rule: str, found: object, remedy: str) -> None:
    lines = [f"error: {printable(rule)}"]
    if found is not None:
        lines.append(f"found: {printable(found)}")
    if remedy:
        lines.append(f"do:    {printable(remedy)}")
    warn("\n".join(lines))

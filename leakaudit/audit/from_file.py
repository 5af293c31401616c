"""An audit from Python, as the command line runs it: a file in, a folder out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakaudit.audit.run import Outcome, run_audit
from leakaudit.audit.runner import Tick, Watch
from leakaudit.plan.configuration import read_configuration


def _unwatched(tick: Tick) -> None:
    del tick


def audit_file(
    configuration: str | Path,
    out: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    scheduler: str | None = None,
    watch: Watch = _unwatched,
) -> Outcome:
    """Run the audit that a file asks for, or go on with one that was stopped.

    Cells run in processes of their own. A script that calls this does so below
    ``if __name__ == "__main__":``, because each of them imports it anew; a notebook need not.
    Reports are written by ``leakaudit report``.

    Args:
        configuration: TOML file.
        out: run folder; made where absent.
        changes: dotted key to value, in place of what the file says:
            ``{"training.epochs": 5}``.
        scheduler: address of a Dask scheduler; None for processes of this machine.
        watch: told of progress.

    Returns:
        The record and what was computed for it.

    Raises:
        ConfigurationError: a plug-in or setting is wrong.
        DataError: the cohort breaks a rule.
        EnvironmentProblemError: disk, device or scheduler is missing.
    """
    file, folder = Path(configuration), Path(out)
    resolved, given = read_configuration(file, changes)
    # Names alone, as the command line keeps them: folders and values may be private.
    words = ["leakaudit", "run", file.name, "--out", folder.name]
    words += [word for key in changes or {} for word in ("--set", f"{key}=...")]
    return run_audit(
        resolved, given, folder, scheduler=scheduler, watch=watch, command=shlex.join(words)
    )

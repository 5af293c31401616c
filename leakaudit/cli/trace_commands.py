"""The commands about jobs that train elsewhere; each loads what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def samples_command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The audit's TOML file.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the sample sheet.")
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="NPZ",
            help="The job's own rows: `key`, `group` and one array per modality; may be repeated.",
        ),
    ] = None,
) -> int:
    """Write the sample sheet of a job that trains elsewhere.

    The sheet says which of the job's rows is which sample of the audit's cohort, and about whom the
    job is to be asked. Where the job has names of its own, its images tell which row is which.
    """
    from leakaudit.cli.tracing import samples

    return samples(config, out, tuple(images or ()))


def trace_command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="Folder of the trace.")],
) -> int:
    """Describe a trace: who sent what, in which epochs, and what is missing for an audit."""
    from leakaudit.cli.tracing import trace as describe

    return describe(trace)


def merge_command(
    parts: Annotated[
        list[Path], typer.Argument(metavar="PART...", help="Folders that were recorded apart.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="TRACE", help="Folder of the whole.")],
) -> int:
    """Join what several processes recorded of one run.

    Parts must be of the same run, and no two recorders at the same end of a route. Where both ends
    of a message were recorded, rows are compared, and what arrived is kept. What a Flower client's
    mod kept is gathered first; a single such folder is made a trace.
    """
    from leakaudit.cli.tracing import merged

    return merged(tuple(parts), out)

"""The commands that read finished audits; each loads what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report_command(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder, or the audit.json in it.")
    ],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Render this report alone; may be repeated."),
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="An earlier audit; what changed is reported."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A policy; every rule is drawn with its bounds and its budget."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Baseline that the policy's rules compare with."),
    ] = None,
) -> int:
    """Render the reports of a run again.

    Reads audit.json and writes report.html, report.pdf and summary.md beside it. With a policy,
    they tell how the audit stands to it; `leakaudit check` is what a gate goes by.
    """
    from leakaudit.cli.rendering import Beside, report

    return report(run, tuple(only or ()), Beside(before, policy, baseline))


def compare_command(
    before: Annotated[
        Path, typer.Argument(metavar="BEFORE", help="Run folder of the earlier audit.")
    ],
    now: Annotated[Path, typer.Argument(metavar="NOW", help="Run folder of the later audit.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write it to a .html, .pdf or .md file."),
    ] = None,
) -> int:
    """Tell what changed between two audits.

    Answers are paired on the same patients and seeds; what moved only by chance is not called a
    change. Judges nothing: for that, use a policy.
    """
    from leakaudit.cli.comparing import compare

    return compare(before, now, out)


def clean_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished audit.")],
) -> int:
    """Remove what a finished audit recorded.

    Record, reports and results stay. An attack that is added later trains again, with the same
    result; `leakaudit attack` on such a trace is not possible any more.
    """
    from leakaudit.cli.cleaning import clean

    return clean(run)

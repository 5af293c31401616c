"""All commands in their order; each loads what it needs when it is called, not before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import leakaudit
from leakaudit.cli.catalogue_commands import explain_command, list_command, schema_command
from leakaudit.cli.claim_commands import claim_command
from leakaudit.cli.failure import report_failure, usage_errors, usage_failure
from leakaudit.cli.gate_commands import (
    baseline_command,
    check_command,
    sign_command,
    verify_command,
)
from leakaudit.cli.plan_commands import power_command
from leakaudit.cli.record_commands import clean_command, compare_command, report_command
from leakaudit.cli.trace_commands import merge_command, samples_command, trace_command
from leakaudit.errors import EXIT_OK

# Without markup: descriptions hold brackets, and `--help` needs no second to answer.
app = typer.Typer(
    name="leakaudit",
    help="Audit what split learning on medical images leaks, to whom, and what protection costs.",
    epilog="Exit codes: 0 ok; 1 policy violated; 2 no valid verdict; 3 internal error; 4 usage, "
    "configuration or environment; 5 nothing to evaluate; 130 interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The audit's TOML file.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Run folder; an existing one is continued.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler of a cluster, such as tcp://host:8786; otherwise local processes.",
    ),
]
Data = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Overrides cohort.path of the configuration.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrides one setting, such as training.epochs=5; may be repeated.",
    ),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write audit.json only.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"leakaudit {leakaudit.__version__}")
        raise typer.Exit


@app.callback()
def _global(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    # Both are dealt with elsewhere: `execute` reads --debug, the callback answers --version.
    del debug, version


@app.command("run")
def run_command(
    config: Config,
    out: Out,
    scheduler: Scheduler = None,
    data: Data = None,
    changes: Changes = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> int:
    """Run an audit, or continue one.

    Trains the split, records its messages, attacks them, measures and reports. Finished cells are
    kept in the run folder and never computed twice.
    """
    from leakaudit.cli.running import Request, run

    return run(
        Request(
            config=config,
            out=out,
            scheduler=scheduler,
            data=data,
            changes=tuple(changes or ()),
            report=not no_report,
            quiet=quiet,
        )
    )


@app.command("attack")
def attack_command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="Folder of the trace.")],
    config: Config,
    out: Out,
    scheduler: Scheduler = None,
    data: Data = None,
    changes: Changes = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> int:
    """Audit a trace recorded elsewhere.

    Nothing is trained again; cohort, adversaries and attacks are taken from the configuration.
    """
    from leakaudit.cli.running import Request, run

    return run(
        Request(
            config=config,
            out=out,
            trace=trace,
            scheduler=scheduler,
            data=data,
            changes=tuple(changes or ()),
            report=not no_report,
            quiet=quiet,
        )
    )


app.command("samples")(samples_command)
app.command("trace")(trace_command)
app.command("merge")(merge_command)
app.command("power")(power_command)
app.command("report")(report_command)
app.command("check")(check_command)
app.command("baseline")(baseline_command)
app.command("sign")(sign_command)
app.command("verify")(verify_command)
app.command("compare")(compare_command)
app.command("clean")(clean_command)
app.command("claim")(claim_command)
app.command("list")(list_command)
app.command("explain")(explain_command)
app.command("schema")(schema_command)


@app.command("doctor")
def doctor_command(
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where runs are to be written.")
    ] = Path(),
) -> int:
    """Check what works on this machine.

    Says how to mend what does not; exits with 4 where a run would fail.
    """
    from leakaudit.cli.doctor import doctor

    return doctor(folder)


@app.command("init")
def init_command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA_DIR", help="Folder or file with your images.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write the two files.")
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are there already.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="NAME", help="Leave out, such as archive/*; repeatable."),
    ] = None,
    skip_incomplete: Annotated[
        bool, typer.Option("--skip-incomplete", help="Leave out what lacks a modality or labels.")
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="TRACE", help="Of a job that trained on this data: audit it."),
    ] = None,
) -> None:
    """Start an audit of your own data.

    Reads every file of a data folder once, prints what it found or all that is wrong, and writes
    audit.toml and leakage-policy.toml to edit. The audit runs as it is written.
    """
    from leakaudit.cli.starting import init

    init(
        data, out, force=force, exclude=tuple(exclude or ()), skip_incomplete=skip_incomplete,
        trace=trace,
    )  # fmt: skip


def execute(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code.
    """
    debug = "--debug" in arguments
    rest = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    try:
        code = app(args=rest, prog_name="leakaudit", standalone_mode=False)
    except usage_errors() as problem:
        context = getattr(problem, "ctx", None)
        return usage_failure(
            problem.format_message(), context.command_path if context else "leakaudit"
        )
    except (Exception, KeyboardInterrupt) as problem:
        return report_failure(problem, debug=debug)
    return code if isinstance(code, int) else EXIT_OK


def run() -> None:
    """Run `leakaudit` with the arguments of this process, and end it."""
    sys.exit(execute(sys.argv[1:]))

"""The commands and their options. Each loads what it needs when it is called, not before."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import leakaudit
from leakaudit.cli.failure import report_failure, usage_failure
from leakaudit.cli.gate_commands import (
    baseline_command,
    check_command,
    sign_command,
    verify_command,
)
from leakaudit.cli.plan_commands import power_command
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


class Listed(StrEnum):
    """What `list` knows."""

    ATTACKS = "attacks"
    DEFENSES = "defenses"
    METRICS = "metrics"
    COHORTS = "cohorts"
    MODELS = "models"
    REPORTS = "reports"
    ADVERSARIES = "adversaries"


class Schema(StrEnum):
    """What `schema` knows."""

    BASELINE = "baseline"
    CONFIG = "config"
    POLICY = "policy"
    RECORD = "record"
    TRACE = "trace"


class NoiseKind(StrEnum):
    """What `claim` accounts for."""

    GAUSSIAN = "gaussian"
    LAPLACE = "laplace"


class Neighbours(StrEnum):
    """What `claim` compares a patient with."""

    REPLACE = "replace"
    ZERO_OUT = "zero-out"


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


app.command("power")(power_command)


@app.command("report")
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


app.command("check")(check_command)
app.command("baseline")(baseline_command)
app.command("sign")(sign_command)
app.command("verify")(verify_command)


@app.command("compare")
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


@app.command("claim")
def claim_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="TOML file with the settings below as keys."),
    ] = None,
    kind: Annotated[NoiseKind | None, typer.Option(help="Distribution of the noise.")] = None,
    clip: Annotated[
        float | None, typer.Option(help="Largest norm that one message keeps (L2; laplace: L1).")
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(help="Noise per value: standard deviation; of Laplace noise its scale."),
    ] = None,
    multiplier: Annotated[
        float | None, typer.Option(help="Instead of --sigma: the same over clip.")
    ] = None,
    noise_for: Annotated[
        float | None,
        typer.Option(
            metavar="EPSILON",
            help="Instead of --sigma: the epsilon that the noise was computed for, with the "
            "declared sensitivity.",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None, typer.Option(help="The sensitivity that somebody declares.")
    ] = None,
    releases: Annotated[
        int | None,
        typer.Option(
            help="Messages of one patient that leave: epochs x samples x levels x parties; "
            "otherwise 1."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Probability of taking part in a release (random batches); otherwise 1."),
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Failure probability; laplace may leave it out.")
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="The epsilon that is stated.")] = None,
    neighbouring: Annotated[
        Neighbours | None,
        typer.Option(
            help="What stands in a patient's place: any other data (replace) or nothing "
            "(zero-out); otherwise both are answered."
        ),
    ] = None,
) -> int:
    """Tell what a mechanism is worth, and whether a stated epsilon can be true.

    Nothing is run: clipping, noise and releases are described. Exits with 1 where the stated
    epsilon cannot be true, with 2 where the description does not settle it.
    """
    from leakaudit.cli.claiming import claim

    given: dict[str, object] = {
        "kind": None if kind is None else kind.value,
        "clip": clip,
        "sigma": sigma,
        "multiplier": multiplier,
        "noise_for": noise_for,
        "sensitivity": sensitivity,
        "releases": releases,
        "rate": rate,
        "delta": delta,
        "epsilon": epsilon,
        "neighbouring": None if neighbouring is None else neighbouring.value,
    }
    return claim(file, {name: value for name, value in given.items() if value is not None})


@app.command("list")
def list_command(
    kind: Annotated[
        Listed | None,
        typer.Argument(
            metavar="KIND",
            help="attacks, defenses, metrics, cohorts, models, reports, adversaries; else all.",
        ),
    ] = None,
) -> None:
    """List what is installed."""
    from leakaudit.cli.listing import show_list

    show_list(None if kind is None else kind.value)


@app.command("explain")
def explain_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="An attack, defense, metric, cohort, report or adversary, or a table of the "
            "configuration such as training.",
        ),
    ],
) -> None:
    """Explain one thing.

    What it does, its settings with ranges and defaults, what it needs or claims, and how to read
    its numbers.
    """
    from leakaudit.cli.explaining import explain

    explain(name)


@app.command("schema")
def schema_command(
    what: Annotated[
        Schema, typer.Argument(metavar="FILE", help="config, record, policy, baseline or trace.")
    ],
) -> None:
    """Print the JSON Schema of a file."""
    from leakaudit.cli.schemas import print_schema

    print_schema(what.value)


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
) -> None:
    """Start an audit of your own data.

    Reads every file of a data folder once, prints what it found or all that is wrong, and writes
    audit.toml and leakage-policy.toml to edit. The audit runs as it is written.
    """
    from leakaudit.cli.starting import init

    init(data, out, force=force, exclude=tuple(exclude or ()), skip_incomplete=skip_incomplete)


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
    except typer.TyperException as problem:
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

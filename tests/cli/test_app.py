"""The command line as a user types it: help, usage errors, exit codes, weight."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Typed

import leakaudit
from leakaudit.cli.app import app
from leakaudit.errors import EXIT_USAGE

COMMANDS = (
    "run", "power", "attack", "report", "check", "baseline", "sign", "verify", "compare", "list",
    "explain", "schema",
    "doctor", "init", "claim", "clean", "samples", "trace", "merge",
)  # fmt: skip
HEAVY = {"torch", "monai", "pandas", "matplotlib", "distributed", "opacus", "lpips"}


def test_help_names_every_command(typed: Typed) -> None:
    said = typed("--help")
    assert said.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in said.out
    assert len(app.registered_commands) == len(COMMANDS)


def test_no_argument_is_a_question_for_help(typed: Typed) -> None:
    assert typed() == typed("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(typed: Typed, command: str) -> None:
    said = typed(command, "--help")
    assert said.code == 0
    assert f"leakaudit {command}" in said.out


def test_version(typed: Typed) -> None:
    assert typed("--version").out == f"leakaudit {leakaudit.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rum"], "Did you mean 'run'?"),
        (["run"], "Missing argument 'CONFIG'"),
        (["run", "audit.toml"], "Missing option '--out'"),
        (["run", "audit.toml", "--out", "x", "--quite"], "--quite"),
        (["list", "attack"], "'attack' is not one of"),
        (["schema", "polices"], "'polices' is not one of"),
    ],
)
def test_usage_errors_exit_with_4(typed: Typed, arguments: list[str], expected: str) -> None:
    said = typed(*arguments)
    assert said.code == EXIT_USAGE
    assert expected in said.err
    assert "--help" in said.err
    assert not said.out


def _loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that a command has loaded when it is done."""
    code = (
        "import sys, json; from leakaudit.cli.app import execute; "
        f"code = execute({list(arguments)!r}); "
        "print('\\n' + json.dumps([code, sorted({m.partition('.')[0] for m in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    exit_code, modules = json.loads(done.stdout.splitlines()[-1])
    assert exit_code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("list",),
        ("schema", "config"),
        ("schema", "record"),
        ("schema", "trace"),
    ],
    ids=" ".join,
)
def test_what_answers_at_once_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not _loaded_by(*arguments) & HEAVY


def test_rendering_loads_no_torch(tmp_path: Path) -> None:
    from example_records import example_record

    from leakaudit.record import write_record

    write_record(example_record(), tmp_path)
    assert not _loaded_by("report", str(tmp_path)) & {"torch", "monai", "pandas"}


def _cpu_seconds(*command: str) -> float:
    """The least processor time of several runs: others on this machine do not count."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, "COLUMNS": "80"}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_help_answers_in_half_a_second() -> None:
    nothing = _cpu_seconds(sys.executable, "-c", "pass")
    helped = _cpu_seconds(sys.executable, "-m", "leakaudit", "--help")
    assert helped < 0.5
    assert helped < 10 * nothing

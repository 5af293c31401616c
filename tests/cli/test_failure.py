"""Errors are one message; nothing that data can say reaches the terminal unescaped."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from command_line import Typed

from leakaudit import errors
from leakaudit.cli import running, schemas
from leakaudit.cli.app import execute
from leakaudit.cli.failure import report_failure
from leakaudit.cli.terminal import printable

HOSTILE = "\x1b]0;owned\x07[red]bold[/red]\r\nerror: fake\u202e\udc80"


def test_printable_leaves_nothing_that_drives_a_terminal() -> None:
    text = printable(HOSTILE)
    assert text.isprintable()
    assert text == r"\x1b]0;owned\x07[red]bold[/red]\r\nerror: fake\u202e\udc80"
    assert printable("Zürich, 東京 ok") == "Zürich, 東京 ok"


@pytest.mark.parametrize(
    "kind",
    [
        errors.ConfigurationError,
        errors.DataError,
        errors.EnvironmentProblemError,
        errors.TraceError,
        errors.RecordError,
        errors.NoValidVerdictError,
        errors.NothingToEvaluateError,
    ],
)
def test_every_error_is_one_message_with_its_exit_code(
    kind: type[errors.LeakauditError], capsys: pytest.CaptureFixture[str]
) -> None:
    code = report_failure(kind("the rule", found=HOSTILE, remedy="this"), debug=False)
    out, err = capsys.readouterr()
    assert code == kind.exit_code
    assert not out
    assert err.splitlines() == ["error: the rule", f"found: {printable(HOSTILE)}", "do:    this"]


def test_what_the_system_refuses_is_no_internal_error(capsys: pytest.CaptureFixture[str]) -> None:
    code = report_failure(OSError(errno.ENOSPC, "No space left on device", "x.bin"), debug=False)
    err = capsys.readouterr().err
    assert code == errors.EXIT_USAGE
    assert "No space left" in err
    assert "x.bin" in err
    assert "finished cells are kept" in err


def test_a_link_to_itself_is_no_internal_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "audit.toml"
    loop.symlink_to(loop)
    code = execute(["run", str(loop), "--out", str(tmp_path / "run")])
    assert code == errors.EXIT_USAGE
    assert "symbolic links" in capsys.readouterr().err


def test_data_in_nobodys_home_is_no_internal_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path / "run"), "--data", "~nobody-has-this-home/x"]
    code = execute(["run", str(tmp_path / "audit.toml"), *arguments])
    assert code == errors.EXIT_USAGE
    assert "--data" in capsys.readouterr().err


def _broken(what: str) -> None:
    raise ZeroDivisionError(HOSTILE + what)


def test_the_unexpected_is_one_line_unless_asked(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "print_schema", _broken)
    said = typed("schema", "config")
    assert said.code == errors.EXIT_INTERNAL
    assert len(said.err.splitlines()) == 1
    assert "run again with --debug" in said.err
    assert "\x1b" not in said.err

    for arguments in (["--debug", "schema", "config"], ["schema", "config", "--debug"]):
        said = typed(*arguments)
        assert said.code == errors.EXIT_INTERNAL
        assert "Traceback" in said.err


def test_interrupted_says_how_to_continue(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("leakaudit.plan.configuration.read_configuration", interrupted)
    said = typed("run", "my audit.toml", "--out", tmp_path, "--set", "seeds=[1]")
    assert said.code == 130
    assert "finished cells are kept" in said.err
    assert f"leakaudit run 'my audit.toml' --out {tmp_path} --set 'seeds=[1]'" in said.err
    assert running.Request(Path("a"), Path("b")).command() == "leakaudit run a --out b"

"""A full disk: one message that says what was needed, nothing half-written taken for whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Typed, typed
from gate_records import budget, gate_record, policy_file

from leakaudit.cells.folder import finished, partial_folder, put_in_place, room_for
from leakaudit.errors import EXIT_USAGE, ConfigurationError, EnvironmentProblemError
from leakaudit.policy import write_baseline
from leakaudit.record import read_record, write_record
from leakaudit.whole import write_whole

__all__ = ["typed"]

Fill = Callable[[], None]


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """From now on the disk takes half of what is written."""

    def write(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(Path, "write_bytes", write)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("audit.json", lambda folder: write_record(gate_record(seed=2), folder)),
        ("b.json", lambda folder: write_baseline(gate_record(seed=2), folder / "b.json")),
        ("report.html", lambda folder: write_whole(folder / "report.html", "new")),
    ],
)
def test_what_stood_there_stays_whole(
    tmp_path: Path, fill: Fill, name: str, write: Callable[[Path], object]
) -> None:
    write_record(gate_record(), tmp_path)
    for other in ("b.json", "report.html"):
        (tmp_path / other).write_text("old")
    before = (tmp_path / name).read_bytes()
    fill()
    with pytest.raises(EnvironmentProblemError, match=rf"room for .*{name}.*KiB needed, .* free"):
        write(tmp_path)
    assert (tmp_path / name).read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))
    assert read_record(tmp_path).content_sha256 == gate_record().content_sha256


def test_a_report_goes_on_once_there_is_room(
    tmp_path: Path, typed: Typed, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(gate_record(), tmp_path)
    with monkeypatch.context():
        fill()
        said = typed("report", tmp_path, "--only", "markdown")
        assert said.code == EXIT_USAGE
        assert "KiB needed" in said.err
        assert not (tmp_path / "summary.md").exists()
    monkeypatch.undo()
    assert typed("report", tmp_path, "--only", "markdown").code == 0


@pytest.mark.parametrize(
    "said",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    ],
)
def test_a_cell_that_does_not_fit_is_no_finished_cell(tmp_path: Path, said: OSError) -> None:
    target = tmp_path / "cells" / "a"
    partial = partial_folder(target)
    (partial / "guesses").write_bytes(b"x" * 2048)
    with pytest.raises(EnvironmentProblemError, match=r"more than 2 KiB needed"), room_for(partial):
        raise said
    assert not finished(target)
    put_in_place(partial_folder(target), target, "{}")
    assert finished(target)


def test_a_library_that_does_not_give_the_systems_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = partial_folder(tmp_path / "a")
    with pytest.raises(RuntimeError, match="write failed"), room_for(partial):
        raise RuntimeError("write failed")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(EnvironmentProblemError, match="must have room"), room_for(partial):
        raise RuntimeError("write failed")
    with pytest.raises(ConfigurationError, match="its own"), room_for(partial):
        raise ConfigurationError("its own rule")


def test_what_check_writes_is_told_too(tmp_path: Path, typed: Typed, fill: Fill) -> None:
    write_record(gate_record(), tmp_path)
    policy = policy_file(tmp_path, budget())
    fill()
    said = typed("check", tmp_path, "--policy", policy, "--junit", tmp_path / "j.xml")
    assert said.code == EXIT_USAGE
    assert "needed" in said.err
    assert not (tmp_path / "j.xml").exists()

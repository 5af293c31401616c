"""Cells are put in place whole, by whoever comes first."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from leakaudit.cells import folder as room
from leakaudit.cells.folder import RESULT_FILE, finished, partial_folder, put_in_place, take_away


def test_a_cell_that_another_worker_finished_in_between_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cells" / "a"
    first = partial_folder(target)
    put_in_place(first, target, "first")
    stood = target.stat().st_ino
    late = partial_folder(target)
    monkeypatch.setattr(room, "finished", lambda _: not target.exists())
    monkeypatch.setattr(room, "take_away", lambda *_: None)  # it looked before the first was there
    put_in_place(late, target, "late")
    assert (target / RESULT_FILE).read_text() == "first"
    assert target.stat().st_ino == stood
    assert not late.exists()


def test_a_folder_without_a_result_gives_way(tmp_path: Path) -> None:
    target = tmp_path / "cells" / "a"
    target.mkdir(parents=True)
    (target / "left").write_text("of a run that was stopped")
    put_in_place(partial_folder(target), target, "{}")
    assert finished(target)
    assert [each.name for each in target.iterdir()] == [RESULT_FILE]
    assert [each.name for each in target.parent.iterdir()] == ["a"]


def test_what_cannot_be_put_in_place_for_another_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cells" / "a"
    partial = partial_folder(target)

    def refused(*_: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError):
        put_in_place(partial, target, "{}")
    assert partial.exists()


def test_what_is_taken_away_is_never_there_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cells" / "a"
    put_in_place(partial_folder(target), target, "{}")

    def killed(gone: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            take_away(target, target)
    assert not target.exists()
    put_in_place(partial_folder(target), target, "{}")
    take_away(target, target)
    assert not list(target.parent.iterdir())

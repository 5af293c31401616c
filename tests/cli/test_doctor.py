"""`leakaudit doctor` finds what is broken and says how to mend it."""

from __future__ import annotations

import builtins
import shutil
from collections import namedtuple
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from command_line import Typed

from leakaudit.cli import doctor
from leakaudit.errors import EXIT_USAGE
from leakaudit.plugins import Kind

Usage = namedtuple("Usage", "total used free")


def test_a_working_machine_has_everything(typed: Typed, tmp_path: Path) -> None:
    said = typed("doctor", "--out", tmp_path / "not" / "yet")
    assert said.code == 0, said.out
    for what in ("Python", "packages", "torch", "devices", "plug-ins", "writing", "free disk",
                 "LPIPS weights", "PDF engine"):  # fmt: skip
        assert what in said.out
    assert "Everything an audit needs works." in said.out


def test_lpips_weights_are_optional(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKAUDIT_LPIPS_WEIGHTS", str(tmp_path))
    said = typed("doctor", "--out", tmp_path)
    assert said.code == 0
    assert "LPIPS weights: copy torchvision's alexnet" in said.out


def test_a_broken_plugin_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = {"torn": EntryPoint("torn", "no_such_module:Torn", "leakaudit.attacks")}
    monkeypatch.setattr(doctor, "entries", lambda kind: torn if kind is Kind.ATTACK else {})
    first, *_ = doctor._plugins()
    assert first.state == "broken"
    assert first.what == "attack torn"
    assert "no_such_module" in first.found
    assert first.mend


def test_a_full_disk_is_broken(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
    monkeypatch.setattr(doctor, "_torch", lambda: iter(()))
    said = typed("doctor", "--out", tmp_path)
    assert said.code == EXIT_USAGE
    assert "free disk: free at least 1 GiB" in said.out
    assert "1 broken" in said.out


def test_a_folder_that_cannot_be_written_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    writing, _ = doctor._writing(tmp_path)
    assert writing.state == "broken"
    assert "Permission denied" in writing.found


def test_packages_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=999", "no-such-package>=1", 'other; extra == "dev"', "rich>=1"]
    monkeypatch.setattr(doctor, "requires", lambda _: wanted)
    (found,) = doctor._packages()
    assert found.state == "broken"
    assert "is not >=999" in found.found
    assert "no-such-package is not installed" in found.found
    assert "other" not in found.found


@pytest.mark.parametrize(("module", "what"), [("torch", "torch"), ("torchvision", "torchvision")])
def test_torch_that_does_not_import_is_broken(
    module: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def failing(name: str, *rest: Any) -> Any:
        if name == module:
            raise ImportError("operator torchvision::nms does not exist")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", failing)
    found = {one.what: one for one in doctor._torch()}
    assert found[what].state == "broken"
    assert found[what].mend


def test_a_pdf_engine_that_fails_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    import typst

    def failing(_: Path) -> bytes:
        raise RuntimeError("wrong processor")

    monkeypatch.setattr(typst, "compile", failing)
    (found,) = doctor._pdf()
    assert found.state == "broken"
    assert "wrong processor" in found.found

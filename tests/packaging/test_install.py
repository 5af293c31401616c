"""What is installed: pins that fit, a Makefile that explains itself, a wheel that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    "line",
    PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"],
)
def test_every_requirement_is_pinned_to_what_it_allows(line: str) -> None:
    requirement = Requirement(line)
    pins = {_normal(name): version for name, version in PINS.items()}
    assert requirement.specifier.contains(pins[_normal(requirement.name)])


def test_constraints_hold_versions_only() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text
    assert "+" not in text
    assert "leakaudit" not in {_normal(name) for name in PINS}


def _copy(folder: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
    )  # fmt: skip


def test_an_old_python_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.8.1'\nexit 1\n")
    old.chmod(0o755)
    done = _make(_copy(tmp_path), "audit", f"PYTHON={old}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "found: Python 3.8.1" in done.stderr
    assert "PYTHON=" in done.stderr


def test_stamps_do_not_fight(tmp_path: Path) -> None:
    """After `make test`, `make audit` installs nothing; and the other way only what is missing."""
    folder = _copy(tmp_path)
    venv = folder / ".venv"
    venv.mkdir()
    for stamp in (".made", ".installed", ".installed-dev"):
        (venv / stamp).touch()
    assert "pip install" not in _make(folder, "-n", "audit").stdout
    assert "pip install" not in _make(folder, "-n", "test").stdout

    (venv / ".installed-dev").unlink()
    assert "pip install" not in _make(folder, "-n", "audit").stdout
    test = _make(folder, "-n", "test").stdout
    assert '-e ".[dev]"' in test
    assert "touch .venv/.installed .venv/.installed-dev" in test

    later = (venv / ".installed").stat().st_mtime + 10
    os.utime(folder / "constraints.txt", (later, later))
    audit = _make(folder, "-n", "audit").stdout
    assert "-e ." in audit
    assert "-m venv" not in audit


def test_the_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert text.index("\nmake test") < text.index("\nmake lint")


@pytest.mark.slow
def test_a_wheel_works_away_from_the_source(tmp_path: Path) -> None:
    """Built from a copy: a build leaves folders behind in the place it is started from."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("leakaudit", "attacks", "defenses", "reports"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    python = [sys.executable, "-m"]
    subprocess.run(
        [*python, "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("leakaudit-*.whl")
    site = tmp_path / "site"
    subprocess.run(
        [*python, "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def ran(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=elsewhere, capture_output=True, text=True,
            check=False, env={**os.environ, "PYTHONPATH": str(site)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    # The folder on PYTHONPATH comes before the editable install of this environment.
    where = ran(
        "-c", "import leakaudit, leakaudit.attacks as a; print(leakaudit.__file__, a.__file__)"
    )
    assert all(path.startswith(str(site)) for path in where.split())
    assert "Run an audit" in ran("-m", "leakaudit", "--help")
    assert "decoder-inversion" in ran("-m", "leakaudit", "list", "attacks")
    for data in ("leakaudit/py.typed", "leakaudit/cli/_templates/audit.toml"):
        assert (site / data).is_file()
    for folder in ("_web", "_typst"):
        assert any((site / "leakaudit" / "reports" / folder).iterdir())
    assert not [
        path.name for path in site.iterdir() if path.name in ("attacks", "defenses", "reports")
    ]

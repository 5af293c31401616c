"""Which room may know which, and what nobody may do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "leakaudit"
PLUGINS = ("attacks", "defenses", "reports")
SOURCES = [path for room in ("leakaudit", *PLUGINS) for path in sorted((ROOT / room).rglob("*.py"))]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_import_contract_holds() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_are_never_imported_by_their_installed_name(path: Path) -> None:
    """The contract above sees folders; this is the spelling that it cannot see."""
    for name in _imported(path):
        assert not re.match(r"leakaudit\.(attacks|defenses|reports)\b", name), name
        assert name.partition(".")[0] not in PLUGINS, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_assert_and_no_pickle(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    # torch's safe loader raises pickle's error: catching it unpickles nothing.
    unpickling = {"pickle", "pickle.UnpicklingError"}
    names = set(_imported(path))
    assert not {n for n in names if n.partition(".")[0] in ("dill", "joblib", "cloudpickle")}
    assert not ({"pickle"} & names) or unpickling <= names


def test_importing_leakaudit_is_light() -> None:
    code = "import sys, leakaudit; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    plain = "import sys; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    loaded, bare = (
        set(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True,
                           check=True).stdout.split())
        for source in (code, plain)
    )  # fmt: skip
    assert loaded - bare == {"leakaudit"}


def test_every_package_is_shipped() -> None:
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
            "packages"
        ]
    )
    there = set()
    for room in ("leakaudit", *PLUGINS):
        for folder in {path.parent for path in (ROOT / room).rglob("*.py")}:
            dotted = ".".join(folder.relative_to(ROOT).parts)
            there.add(dotted if room == "leakaudit" else f"leakaudit.{dotted}")
    assert listed == there


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    """Paths come from arguments and the environment."""
    forbidden = re.compile(
        r"(?<![\w.])/(?:" + "|".join(("work", "home", "Users", "root")) + r")/\w"
    )
    suffixes = {".py", ".toml", ".md", ".txt", ".yaml", ".yml", ".json", ".typ", ".j2", ""}
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout: nobody can say which files belong to the repository")
    for name in filter(None, done.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in suffixes and path.is_file():
            found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{name}: {found.group()}"

"""Every kind of odd input loads as it should, or is refused with a message that says why."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _inputs() -> ModuleType:
    folder = ROOT / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("inputs", folder / "inputs.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["inputs"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


INPUTS = _inputs()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", INPUTS.KINDS, ids=lambda kind: kind.name)
def test_kind(kind: Any) -> None:
    loads, said, persons = INPUTS.tried(kind)
    if kind.right == "loads":
        assert loads, said
        assert "nearly black" not in said
        assert "no lesion" not in said
    else:
        assert kind.right in said
    if loads:
        assert persons == kind.persons
    else:
        assert "do: " in said


def test_the_page_lists_every_kind() -> None:
    page = (ROOT / "docs" / "results" / "inputs.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines()]
    assert all(kind.name in rows for kind in INPUTS.KINDS)

"""The page on statistics says what was simulated, and the simulation judges as audits do."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType

import pytest
from fenced import ROOT

PAGE = ROOT / "docs" / "statistics.md"
RESULTS = ROOT / "docs" / "results" / "benchmarks"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location(
        f"{name}_script", ROOT / "benchmarks" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_newest_result(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = max(RESULTS.glob("coverage-*.json"))
    result = json.loads(newest.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    shown = text.split("<!-- coverage -->")[1].split("<!-- end of coverage -->")[0]
    assert shown.strip().splitlines() == list(script("coverage_table", monkeypatch).lines(result))
    assert result["command"] in text


def test_the_simulation_prints_and_judges_as_audits_do(monkeypatch: pytest.MonkeyPatch) -> None:
    coverage = script("coverage", monkeypatch)
    monkeypatch.setattr(coverage, "_TRUTHS", 20_000)
    found = list(coverage.simulate(20, ["zero-inflated"]))
    assert len(found) == 80
    for cell in found:
        assert (cell.covered is None) == (cell.patients < 40 or cell.seeds < 3)
    silent = {cell.none_shown for cell in found if cell.seeds < 3 or cell.patients < 10}
    assert silent == {0.0}

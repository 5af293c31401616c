"""`import leakaudit`: every name is there, nothing is loaded before it is used."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from example_records import example_record

import leakaudit
from leakaudit.audit import from_file
from leakaudit.record import write_record

DOCUMENTED = (
    "leakaudit.rehearsal", "leakaudit.testing", "leakaudit.testing.attacks",
    "leakaudit.testing.defenses",
)  # fmt: skip


@pytest.mark.parametrize("name", leakaudit.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(leakaudit, name) is getattr(leakaudit, name)
    assert name in dir(leakaudit)
    assert sorted(leakaudit.__all__) == sorted(leakaudit._PLACES)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'atack'"):
        leakaudit.atack  # noqa: B018


def test_a_record_is_opened_without_torch(tmp_path: Path) -> None:
    write_record(example_record(), tmp_path)
    code = (
        "import sys, leakaudit\n"
        f"frame = leakaudit.open_record({str(tmp_path)!r}).to_frame()\n"
        "print(len(frame), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(example_record().findings)), "False"]


def test_the_table_holds_what_the_findings_hold() -> None:
    record = example_record()
    frame = record.to_frame()
    assert len(frame) == len(record.findings)
    for finding, (_, row) in zip(record.findings, frame.iterrows(), strict=True):
        assert (row.attack, row.cuts, row.metric) == (
            finding.attack, finding.cuts, finding.metric,
        )  # fmt: skip
        assert row.value == finding.estimate.mean
        assert row.patients == finding.estimate.patients
        for name, estimate in (("blind", finding.blind), ("advantage", finding.advantage)):
            if estimate is None or estimate.lower is None:
                assert row[f"{name}_lower"] != row[f"{name}_lower"]  # NaN: never measured, never 0
            else:
                assert row[f"{name}_lower"] == estimate.lower
    empty = record.model_copy(update={"findings": ()}).to_frame()
    assert list(empty.columns) == list(frame.columns)


def test_a_file_is_audited_as_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def run(configuration: Any, given: Any, out: Path, **more: Any) -> str:
        told.update(more, configuration=configuration, given=given, out=out)
        return "done"

    monkeypatch.setattr(from_file, "run_audit", run)
    file = Path(__file__).resolve().parents[2] / "examples" / "quickstart.toml"
    private = {"cohort.patients": 9}
    assert leakaudit.audit_file(str(file), str(tmp_path / "run"), changes=private) == "done"
    assert told["out"] == tmp_path / "run"
    assert told["configuration"].cohort.settings["patients"] == 9
    assert told["given"] == tomllib.loads(file.read_text(encoding="utf-8"))
    assert told["command"] == "leakaudit run quickstart.toml --out run --set cohort.patients=..."


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0

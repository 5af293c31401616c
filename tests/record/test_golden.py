"""A record of every schema version ever written still loads, whole and unaltered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leakaudit.record import SCHEMA_VERSION, Governance, read_record, record_text

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(folder.name for folder in GOLDEN.iterdir())


@pytest.mark.parametrize("version", VERSIONS)
def test_it_loads_and_is_printed_again_as_it_was(version: str) -> None:
    text = (GOLDEN / version / "audit.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema_version"] == version
    record = read_record(GOLDEN / version)
    assert record.findings
    assert record_text(record) == text


def test_the_version_before_this_one_is_kept() -> None:
    major, minor = map(int, SCHEMA_VERSION.split("."))
    assert {f"{major}.{older}" for older in range(minor)} <= set(VERSIONS)


def test_older_records_hold_no_answer() -> None:
    assert read_record(GOLDEN / "1.0").answer is None
    assert read_record(GOLDEN / "1.1").trade_offs == ()


def test_older_records_state_nothing_of_governance() -> None:
    assert read_record(GOLDEN / "1.3").governance == Governance()

"""The record as a file: whole, unaltered, of a schema this version knows, or refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from example_records import example_record
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.errors import EXIT_USAGE, RecordError
from leakaudit.record import SCHEMA_VERSION, canonical, read_record, record_text, write_record


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_record(example_record(), tmp_path_factory.mktemp("run")).read_text("utf-8")


def changed(text: str, **fields: Any) -> str:
    return canonical({**json.loads(text), **fields})


def refused(folder: Path, text: str) -> str:
    (folder / "audit.json").write_text(text, "utf-8")
    with pytest.raises(RecordError) as told:
        read_record(folder)
    assert told.value.remedy
    return str(told.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_the_fast_writer_writes_what_the_standard_one_does(value: Any) -> None:
    """Hashes in records of every version stand on these bytes."""
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    assert canonical(value) == plain


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")], {"a": [[float("nan")]]}])
def test_no_nan_is_written(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


def test_cut_short(text: str, tmp_path: Path) -> None:
    for length in (0, 1, len(text) // 2, len(text) - 1):
        assert "whole JSON" in refused(tmp_path, text[:length])


def test_not_a_record_at_all(tmp_path: Path) -> None:
    assert "schema" in refused(tmp_path, "[]")
    assert "schema" in refused(tmp_path, '{"schema_version": {"a": 1}}')
    assert "whole JSON" in refused(tmp_path, "[" * 100_000)
    (tmp_path / "audit.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="whole JSON"):
        read_record(tmp_path)


def test_a_newer_schema(text: str, tmp_path: Path) -> None:
    major, minor = SCHEMA_VERSION.split(".")
    for newer in (f"{int(major) + 1}.0", f"{major}.{int(minor) + 1}", "1.x", ""):
        told = refused(tmp_path, changed(text, schema_version=newer, unknown=1))
        assert SCHEMA_VERSION in told
        assert "update" in told


def test_edited_by_hand(text: str, tmp_path: Path) -> None:
    assert "content_sha256" in refused(tmp_path, changed(text, title="A better result"))
    assert "content_sha256" in refused(tmp_path, changed(text, findings=[]))
    assert "no hash" in refused(tmp_path, changed(text, content_sha256=""))


def test_not_a_number_is_no_number(text: str, tmp_path: Path) -> None:
    for word in ("NaN", "Infinity", "-Infinity"):
        for place in ('"mean": ', '"patients": '):
            head, found, tail = text.partition(place)
            assert found
            rest = tail[tail.index(",") :] if "," in tail else tail
            assert "no number" in refused(tmp_path, head + found + word + rest)


def test_what_the_clock_measured_may_change(text: str, tmp_path: Path) -> None:
    volatile = {**json.loads(text)["volatile"], "seconds_total": 1.0}
    (tmp_path / "audit.json").write_text(changed(text, volatile=volatile), "utf-8")
    assert read_record(tmp_path).volatile.seconds_total == 1.0


def test_a_record_of_an_older_minor_version_loads(text: str, tmp_path: Path) -> None:
    """Its hash covers what it held; it is printed again as it was."""
    old = json.loads(text)
    old["schema_version"] = "1.0"
    for finding in old["findings"]:
        del finding["match_curve"]
    content = {k: v for k, v in old.items() if k not in {"content_sha256", "volatile"}}
    old["content_sha256"] = hashlib.sha256(canonical(content).encode()).hexdigest()
    (tmp_path / "audit.json").write_text(canonical(old), "utf-8")
    record = read_record(tmp_path)
    assert all(finding.match_curve == () for finding in record.findings)
    assert record_text(record) == canonical(old)


def test_every_refusal_is_a_usage_error() -> None:
    assert RecordError.exit_code == EXIT_USAGE

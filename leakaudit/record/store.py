"""Read and write the record: canonical JSON, a hash that tells of edits, one atomic file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leakaudit.errors import RecordError
from leakaudit.record.former import upgraded
from leakaudit.record.model import SCHEMA_VERSION, Record
from leakaudit.whole import write_whole

RECORD_FILE = "audit.json"
_FORMER = {"1.0", "1.1", "1.2", "1.3", "1.4"}
_SCALARS = {float, int, str, bool, type(None)}


def canonical(value: Any) -> str:
    """JSON with sorted keys and no NaN: the same value, the same bytes.

    What `json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)` writes.
    That one leaves the fast encoder wherever it indents, and a record is mostly lists of numbers:
    here they keep it.
    """
    return "".join(_pieces(value, "\n"))


def _pieces(value: Any, margin: str) -> Iterator[str]:
    inner = margin + " "
    if isinstance(value, dict) and value:
        start = "{"
        for key in sorted(value):
            yield f"{start}{inner}{_flat(key)}: "
            yield from _pieces(value[key], inner)
            start = ","
        yield margin + "}"
    elif isinstance(value, list | tuple) and value:
        if set(map(type, value)) <= _SCALARS:
            yield f"[{inner}{_flat(value, ',' + inner)[1:-1]}{margin}]"
        else:
            start = "["
            for entry in value:
                yield start + inner
                yield from _pieces(entry, inner)
                start = ","
            yield margin + "]"
    else:
        yield _flat(value)


def _flat(value: Any, separator: str = ",") -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(separator, ": "))


def content_sha256(record: Record) -> str:
    """The hash over everything but itself and what was measured on the clock."""
    return _sha256(record.model_dump(mode="json", exclude={"content_sha256", "volatile"}))


def _sha256(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def record_text(record: Record) -> str:
    """The record as its file holds it, byte for byte, also where an older version wrote it.

    Fields that the older version did not know are left out again: its hash does not cover them. Of
    an older major version its content is kept as it was.
    """
    if record.former is not None and record.former["content_sha256"] == record.content_sha256:
        return canonical(record.former)
    newer = record.content_sha256 == content_sha256(record)
    return canonical(record.model_dump(mode="json", exclude_unset=not newer))


def sealed(record: Record) -> Record:
    """The record with its hash filled in."""
    return record.model_copy(update={"content_sha256": content_sha256(record)})


def write_record(record: Record, folder: Path) -> Path:
    """Write `audit.json`, whole or not at all; one that says the same already is left alone."""
    target = folder / RECORD_FILE
    text = canonical(sealed(record).model_dump(mode="json"))
    if target.is_file() and target.read_bytes() == text.encode():
        # Its age tells whether the reports beside it are newer.
        return target
    return write_whole(target, text)


def read_record(path: Path) -> Record:
    """Load a record from a file or from the run folder that holds one.

    Raises:
        RecordError: missing, cut short, of a newer schema, or edited by hand.
    """
    file = path / RECORD_FILE if path.is_dir() else path
    try:
        raw = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except FileNotFoundError:
        raise RecordError(
            "a run folder must hold audit.json", found=str(file), remedy="run `leakaudit run` first"
        ) from None
    except (ValueError, RecursionError) as problem:  # cut short, other bytes, NaN, endless nesting
        raise RecordError(
            f"audit.json must be whole JSON ({problem})",
            found=str(file),
            remedy="the file is damaged; run the audit again: finished cells are kept",
        ) from None
    version = str(raw.get("schema_version", "")) if isinstance(raw, dict) else ""
    if not _readable(version):
        raise RecordError(
            f"this leakaudit reads records of schema 1.0 to {SCHEMA_VERSION}",
            found=version[:40] or "no schema_version",
            remedy="update leakaudit, or run the audit again",
        )
    try:
        if _former(version):
            record = Record.model_validate(upgraded(raw)).written_as(raw)
        else:
            record = Record.model_validate(raw)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise RecordError(
            f"audit.json breaks its schema at {'.'.join(map(str, first['loc']))}: {first['msg']}",
            found=repr(first["input"])[:200],
            remedy="the file was edited or damaged; run the audit again",
        ) from None
    # Of the file, not of the model: fields that came later have a default, and no old hash.
    content = {key: raw[key] for key in raw if key not in {"content_sha256", "volatile"}}
    try:
        sha256 = _sha256(content)
    except ValueError as problem:  # half a character, or a number beyond all numbers
        raise RecordError(
            f"audit.json must hold text and numbers that can be written ({problem})",
            found=str(file),
            remedy="the file was edited or damaged; run the audit again",
        ) from None
    if record.content_sha256 != sha256:
        raise RecordError(
            "the record's content must match its content_sha256",
            found=record.content_sha256 or "no hash",
            remedy="the file was edited after the audit; run the audit again",
        )
    return record


def _readable(version: str) -> bool:
    """Of no newer schema: that may hold what this version cannot read."""
    major, _, minor = version.partition(".")
    ours = SCHEMA_VERSION.partition(".")
    known = major == ours[0] and minor.isdecimal() and int(minor) <= int(ours[2])
    return known or _former(version)


def _former(version: str) -> bool:
    return version in _FORMER


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")

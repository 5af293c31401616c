"""The audit record: its model, and how it is read and written."""

from leakaudit.record.model import SCHEMA_VERSION, Record
from leakaudit.record.store import (
    canonical,
    content_sha256,
    read_record,
    record_text,
    sealed,
    write_record,
)

__all__ = [
    "SCHEMA_VERSION",
    "Record",
    "canonical",
    "content_sha256",
    "read_record",
    "record_text",
    "sealed",
    "write_record",
]

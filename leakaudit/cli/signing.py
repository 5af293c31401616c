"""`leakaudit sign` and `leakaudit verify`: who vouches for a record."""

from __future__ import annotations

from pathlib import Path

from leakaudit.cli.terminal import printable, say
from leakaudit.errors import RecordError
from leakaudit.policy import read_baseline
from leakaudit.policy.gate import record_file
from leakaudit.record import read_record
from leakaudit.record.signature import sign as signed
from leakaudit.record.signature import verify as verified


def sign(run: Path, key: Path) -> None:
    """Sign the record of a run, or a baseline: only one that is whole and unedited."""
    file = _checked(run)
    say(f"Wrote {printable(signed(file, key))}")


def verify(run: Path, allowed_signers: Path) -> None:
    """Say who signed the record of a run, or a baseline."""
    file = _checked(run)
    signer = verified(file, allowed_signers)
    say(f"{printable(file)} was signed by {printable(signer)}, and not changed since.")


def _checked(run: Path) -> Path:
    """The file, where it is a record or a baseline as leakaudit wrote it."""
    file = record_file(run)
    try:
        read_record(file)
    except RecordError as problem:
        try:
            read_baseline(file)
        except RecordError:
            raise problem from None
    return file

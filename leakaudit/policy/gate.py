"""From files to an answer: record, policy and baseline are read, signatures held to the policy."""

from __future__ import annotations

import datetime
from pathlib import Path

from leakaudit.errors import ConfigurationError
from leakaudit.policy.baseline import read_baseline
from leakaudit.policy.evaluate import evaluate
from leakaudit.policy.reading import PolicyFile, read_policy
from leakaudit.policy.result import Evaluation
from leakaudit.record import Record, read_record
from leakaudit.record.signature import verify
from leakaudit.record.store import RECORD_FILE


def record_file(run: Path) -> Path:
    """The record of a run folder, or the file itself."""
    return run / RECORD_FILE if run.is_dir() else run


def gate(
    run: Path, policy: Path, *, baseline: Path | None = None, allowed_signers: Path | None = None
) -> tuple[Record, Evaluation]:
    """Hold a run against a policy, today.

    Args:
        run: run folder, or the record in it.
        policy: its file.
        baseline: what regression rules compare with.
        allowed_signers: OpenSSH's file of who may sign; needed where the policy has ``signed_by``.

    Raises:
        NoValidVerdictError: the policy asks for a signature that record or baseline lacks; the
            baseline cannot be compared.
        ConfigurationError: as :func:`leakaudit.policy.evaluate.evaluate`; signers without
            ``signed_by``, or the reverse.
        RecordError: record or baseline is missing, damaged or edited.
    """
    file = read_policy(policy)
    _check_signatures(file, run, baseline, allowed_signers)
    record = read_record(run)
    today = datetime.datetime.now(datetime.UTC).date()
    earlier = None if baseline is None else read_baseline(baseline)
    return record, evaluate(file, record, today=today, baseline=earlier)


def _check_signatures(
    file: PolicyFile, run: Path, baseline: Path | None, allowed_signers: Path | None
) -> None:
    wanted = file.policy.signed_by
    if allowed_signers is None:
        if wanted:
            raise ConfigurationError(
                f"{file.path.name} counts only what is signed by {', '.join(wanted)}",
                found="no file of allowed signers",
                remedy="pass --allowed-signers FILE: who may sign, and with which key",
            )
        return
    if not wanted:
        raise ConfigurationError(
            "allowed signers are held against the policy's `signed_by`",
            found=f"none in {file.path.name}",
            remedy='write signed_by = ["NAME"] at the top of the policy, or leave the option out',
        )
    for signed in (record_file(run), *([baseline] if baseline else [])):
        if signed.is_file():  # a missing one gets the message of whoever reads it
            verify(signed, allowed_signers, wanted)

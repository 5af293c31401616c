"""An audit that is killed at random moments and started again: no finished cell may be lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from copies import begun

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONGEST_SECONDS = 600.0


@dataclass
class Killed:
    """What killing one audit again and again came to.

    Attributes:
        kills: how many times it was stopped before its end.
        lost: cells that stood finished and were computed anew, or are gone.
        differing: whether the record, once it was there, says something else than an undisturbed
            one.
        unexpected: what was said where a start that was let alone did not end as it must, or one
            that was stopped did not end.
    """

    kills: int = 0
    lost: int = 0
    differing: bool = False
    unexpected: str = ""


def audited(configuration: Path, run: Path) -> ForkProcess:
    """An audit under way; what it says on standard error stands beside its folder."""
    arguments = ["run", str(configuration), "--out", str(run), "--quiet", "--no-report"]
    return begun(arguments, said_of(run))


def said_of(run: Path) -> Path:
    return run.parent / f"{run.name}.said"


def standing(run: Path) -> dict[str, int]:
    """Finished cells, and when each was."""
    return {file.parent.name: file.stat().st_mtime_ns for file in run.glob("cells/*/result.json")}


def killed(
    configuration: Path,
    run: Path,
    undisturbed: str,
    longest: float,
    rng: random.Random,
    until: float,
) -> Killed:
    """Stop an audit until it is done or the time is up, then let it end.

    Args:
        configuration: of the audit.
        run: its folder, empty.
        undisturbed: what the record of the same audit says that was left alone.
        longest: seconds after which it is stopped at the latest.
        rng: when and how it is stopped.
        until: on the monotonic clock.
    """
    found = Killed()
    while time.monotonic() < until and not (run / "audit.json").exists():
        before = standing(run)
        process = audited(configuration, run)
        process.join(longest * rng.random() * rng.random() * rng.random())
        if process.exitcode is None:
            found.kills += 1
            found.unexpected = found.unexpected or _stopped(process, rng)
        elif process.exitcode != 0:
            found.unexpected = found.unexpected or _ending(process, run)
        found.lost += lost(before, standing(run))
    before = standing(run)
    process = audited(configuration, run)
    process.join(LONGEST_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    found.lost += lost(before, standing(run))
    if process.exitcode != 0:
        found.unexpected = found.unexpected or _ending(process, run)
    else:
        record = json.loads((run / "audit.json").read_text())
        found.differing = content(record) != undisturbed
    return found


def _stopped(process: ForkProcess, rng: random.Random) -> str:
    """Stop it alone, or with its workers as a terminal does; what is wrong with how it ended."""
    sent, identifier = rng.choice(SIGNALS), process.pid
    assert identifier is not None
    together = rng.random() < 0.5
    try:
        (os.killpg if together else os.kill)(identifier, sent)
    except ProcessLookupError:
        # It has no session of its own yet, and no worker.
        os.kill(identifier, sent)
    process.join(60)
    if process.exitcode is None:
        process.kill()
        process.join()
        return f"no end within 60 s of {sent.name}"
    return ""


def _ending(process: ForkProcess, run: Path) -> str:
    said = said_of(run).read_text(errors="replace").strip()[-300:]
    return f"exit code {process.exitcode}: {said}"


def lost(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(after.get(cell) != when for cell, when in before.items())


def content(record: dict[str, Any]) -> str:
    """What a record says, without what names its folder or the state of the source tree."""
    left_out = ("content_sha256", "volatile", "command", "environment")
    said = {key: value for key, value in record.items() if key not in left_out}
    tree = ("git_commit", "git_dirty")
    said["environment"] = {k: v for k, v in record["environment"].items() if k not in tree}
    return json.dumps(said, sort_keys=True)

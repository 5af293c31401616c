"""An audit that is killed at random moments and started again: no finished cell may be lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

COMMAND = [sys.executable, "-m", "leakaudit"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Killed:
    """What killing one audit again and again came to.

    Attributes:
        kills: how many times it was stopped before its end.
        lost: cells that stood finished and were computed anew, or are gone.
        differing: whether the record, once it was there, says something else than an undisturbed
            one.
        unexpected: what was said where the last, undisturbed start did not end as it must.
    """

    kills: int = 0
    lost: int = 0
    differing: bool = False
    unexpected: str = ""


def audited(configuration: Path, run: Path) -> subprocess.Popen[str]:
    arguments = ["run", str(configuration), "--out", str(run), "--quiet", "--no-report"]
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def standing(run: Path) -> dict[str, int]:
    """Finished cells, and when each was."""
    return {file.parent.name: file.stat().st_mtime_ns for file in run.glob("cells/*/result.json")}


def killed(
    configuration: Path, run: Path, undisturbed: str, rng: random.Random, until: float
) -> Killed:
    """Stop an audit until it is done or the time is up, then let it end.

    Args:
        configuration: of the audit.
        run: its folder, empty.
        undisturbed: hash of the record of the same audit left alone.
        rng: when and how it is stopped.
        until: on the monotonic clock.
    """
    found, longest = Killed(), 30.0
    while time.monotonic() < until and not (run / "audit.json").exists():
        before = standing(run)
        process = audited(configuration, run)
        try:
            process.wait(rng.uniform(0.5, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(rng.choice(SIGNALS))
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            found.kills += 1
        found.lost += lost(before, standing(run))
    before = standing(run)
    process = audited(configuration, run)
    said = process.communicate()[1]
    found.lost += lost(before, standing(run))
    if process.returncode != 0:
        found.unexpected = f"exit code {process.returncode}: {said.strip()[-300:]}"
    else:
        record = json.loads((run / "audit.json").read_text())
        found.differing = content(record) != undisturbed
    return found


def lost(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(after.get(cell) != when for cell, when in before.items())


def content(record: dict[str, object]) -> str:
    """What a record says, without the command, which names its folder."""
    left_out = ("content_sha256", "volatile", "command")
    return json.dumps({k: v for k, v in record.items() if k not in left_out}, sort_keys=True)

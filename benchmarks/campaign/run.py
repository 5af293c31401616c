"""Kills and mutations for a while: what an audit does when it is stopped, or given nonsense.

    make campaign CAMPAIGN_MINUTES=10
    python benchmarks/campaign/run.py --only records --seed 17 --count 1

Every trial has a seed of its own, which is printed where something is found; the second line
repeats it. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Copies of this process must find no threads in it, and Dask makes its workers from copies.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD"] = "forkserver"
sys.path.insert(0, str(Path(__file__).parent.parent))

import odd_inputs as odd
from combinations import combination
from kills import audited, content, killed, said_of
from once import once
from subjects import Base, Trial, cohorts, configurations, policies, records, traces

# What a command imports when it needs it: once here, and in no copy.
import leakaudit.audit.run
import leakaudit.cells.attack_cell
import leakaudit.cells.training_cell  # noqa: F401
from leakaudit.cli.app import execute

HERE = Path(__file__).parent
# A share of the time each; the rest is for kills.
SHARES = {"configurations": 0.15, "policies": 0.1, "records": 0.2, "traces": 0.1, "cohorts": 0.1,
          "combinations": 0.1}  # fmt: skip
LAYOUTS = {
    "brats": odd.of_patients(), "nifti": odd.of_patients(ending=".nii"), "msd": odd.described(),
    "npz": odd.archive(), "png": odd.pictures(), "bids": odd.bids, "nnunet": odd.nnunet,
    "tif": odd.pictures("{0}/{0}_{1}.tif", "{0}/{0}_{1}_mask.tif"),
}  # fmt: skip


@dataclass
class Count:
    """Trials of one kind."""

    tried: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def mutated(trial: Trial, kind: str, first: int, until: float, most: int | None) -> Count:
    count, seed = Count(), first
    while time.monotonic() < until and (most is None or count.tried < most):
        with tempfile.TemporaryDirectory() as folder:
            tried = trial(random.Random(seed), Path(folder))
        count.tried += 1
        count.codes[tried.ended.code] += 1
        if tried.ended.unexpected:
            count.unexpected.append(f"{kind}, seed {seed}: {tried.ended.said.strip()[-300:]}")
        if tried.wrong:
            count.wrong.append(f"{kind}, seed {seed}: {tried.wrong}")
        seed += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=[*SHARES, "kills"])
    parser.add_argument("--count", type=int, help="trials of each kind; unset: as time allows")
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made, once():
        # Whoever is killed leaves what was temporary behind.
        tempfile.tempdir = made
        base = Base(HERE / "audit.toml", Path(made) / "run", HERE / "leakage-policy.toml")
        if chosen.only not in ("kills", "cohorts", "combinations"):
            finished(base.configuration, base.run)
        kinds: dict[str, Callable[[], Trial]] = {
            "configurations": lambda: configurations(base), "policies": lambda: policies(base),
            "records": lambda: records(base), "traces": lambda: traces(base),
            "cohorts": lambda: cohorts(LAYOUTS, Path(made) / "data"),
            "combinations": lambda: combination,
        }  # fmt: skip
        bad = 0
        for kind, trial in kinds.items():
            if chosen.only in (None, kind):
                share = 1.0 if chosen.only else SHARES[kind]
                until = time.monotonic() + 60 * chosen.minutes * share
                count = mutated(trial(), kind, chosen.seed, until, chosen.count)
                bad += told(kind, count)
        if chosen.only in (None, "kills"):
            until = max(begun + 60 * chosen.minutes, time.monotonic() + 30)
            bad += stopped(Path(made), chosen.seed, until)
    return 1 if bad else 0


def finished(configuration: Path, run: Path) -> float:
    """Let an audit end; how many seconds it took."""
    began = time.monotonic()
    audited(configuration, run).join()
    seconds = time.monotonic() - began
    if not (run / "audit.json").exists():
        raise SystemExit(f"the audit to start from did not end: {said_of(run).read_text()}")
    # Of the finished audit: what is the same in every other one is remembered from here on.
    again = ["run", str(configuration), "--out", str(run), "--no-report", "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        execute(again)
    return seconds


def told(kind: str, count: Count) -> int:
    codes = ", ".join(f"{each} of {code}" for code, each in sorted(count.codes.items()))
    print(f"{kind}: {count.tried} tried (exit codes: {codes}), "
          f"{len(count.unexpected)} unexpected, {len(count.wrong)} wrong passes")  # fmt: skip
    for each in (*count.unexpected, *count.wrong):
        print(f"  {each}")
    sys.stdout.flush()
    return len(count.unexpected) + len(count.wrong)


def stopped(made: Path, seed: int, until: float) -> int:
    configuration, alone = HERE / "killed.toml", made / "alone"
    longest = finished(configuration, alone)
    undisturbed = content(json.loads((alone / "audit.json").read_text()))
    kills = lost = differing = audits = 0
    unexpected, counted = [], "kills: 0"
    while time.monotonic() < until:
        rng = random.Random(seed + audits)
        run = made / f"killed-{audits}"
        found = killed(configuration, run, undisturbed, longest, rng, until)
        shutil.rmtree(run, ignore_errors=True)
        audits += 1
        kills, lost, differing = kills + found.kills, lost + found.lost, differing + found.differing
        unexpected += [f"seed {seed + audits - 1}: {found.unexpected}"] if found.unexpected else []
        counted = (f"kills: {kills} in {audits} audits, {lost} finished cells lost, "
                   f"{differing} records differing, {len(unexpected)} unexpected ends")  # fmt: skip
        print(f"until now, {counted}", file=sys.stderr, flush=True)
    print(counted)
    for each in unexpected:
        print(f"  {each}")
    return lost + differing + len(unexpected)


if __name__ == "__main__":
    sys.exit(main())

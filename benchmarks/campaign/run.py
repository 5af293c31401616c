"""Kills and mutations for a while: what an audit does when it is stopped, or given nonsense.

    make campaign CAMPAIGN_MINUTES=10
    python benchmarks/campaign/run.py --only records --seed 17 --count 1

Every trial has a seed of its own, which is printed where something is found; the second line
repeats it. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import odd_inputs as odd
from kills import audited, content, killed
from subjects import Base, Trial, cohorts, configurations, policies, records, traces

HERE = Path(__file__).parent
# A share of the time each; the rest is for kills.
SHARES = {"configurations": 0.15, "policies": 0.1, "records": 0.2, "traces": 0.1, "cohorts": 0.15}
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
    with tempfile.TemporaryDirectory() as made:
        base = base_in(Path(made))
        kinds: dict[str, Trial] = {
            "configurations": configurations(base), "policies": policies(base),
            "records": records(base), "traces": traces(base),
            "cohorts": cohorts(LAYOUTS, Path(made) / "data"),
        }  # fmt: skip
        bad = 0
        for kind, trial in kinds.items():
            if chosen.only in (None, kind):
                share = 1.0 if chosen.only else SHARES[kind]
                until = time.monotonic() + 60 * chosen.minutes * share
                count = mutated(trial, kind, chosen.seed, until, chosen.count)
                bad += told(kind, count)
        if chosen.only in (None, "kills"):
            until = max(begun + 60 * chosen.minutes, time.monotonic() + 30)
            bad += stopped(base, Path(made), chosen.seed, until)
    return 1 if bad else 0


def base_in(made: Path) -> Base:
    """The audit that is mutated and killed."""
    base = Base(HERE / "audit.toml", made / "run", HERE / "leakage-policy.toml")
    process = audited(base.configuration, base.run)
    said = process.communicate()[1]
    if not (base.run / "audit.json").exists():
        raise SystemExit(f"the audit to start from did not end: {said}")
    return base


def told(kind: str, count: Count) -> int:
    codes = ", ".join(f"{each} of {code}" for code, each in sorted(count.codes.items()))
    print(f"{kind}: {count.tried} tried (exit codes: {codes}), "
          f"{len(count.unexpected)} unexpected, {len(count.wrong)} wrong passes")  # fmt: skip
    for each in (*count.unexpected, *count.wrong):
        print(f"  {each}")
    sys.stdout.flush()
    return len(count.unexpected) + len(count.wrong)


def stopped(base: Base, made: Path, seed: int, until: float) -> int:
    undisturbed = content(json.loads((base.run / "audit.json").read_text()))
    kills = lost = differing = audits = 0
    unexpected = []
    while time.monotonic() < until:
        rng = random.Random(seed + audits)
        found = killed(base.configuration, made / f"killed-{audits}", undisturbed, rng, until)
        audits += 1
        kills, lost, differing = kills + found.kills, lost + found.lost, differing + found.differing
        unexpected += [found.unexpected] if found.unexpected else []
    print(f"kills: {kills} in {audits} audits, {lost} finished cells lost, {differing} records "
          f"differing, {len(unexpected)} unexpected ends")  # fmt: skip
    for each in unexpected:
        print(f"  {each}")
    return lost + differing + len(unexpected)


if __name__ == "__main__":
    sys.exit(main())

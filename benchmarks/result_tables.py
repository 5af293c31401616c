"""Print a finished audit's main figures as markdown tables, for docs/results.

Run ``python benchmarks/result_tables.py RUN``, and with ``--victim FLAIR`` for one party's images
level by level in one small table. Everything is read from the run's record.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from leakaudit.record import Estimate, Finding, Record, read_record


def interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "undefined"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.mean:.2f}"
    return f"{estimate.mean:.2f} ({estimate.lower:.2f} to {estimate.upper:.2f})"


def utility(record: Record) -> Iterator[str]:
    yield "| setting | region | metric | mean (95 % interval) | patients | seeds |"
    yield "|---|---|---|---|---|---|"
    for entry in record.utility:
        estimate = entry.estimate
        yield (
            f"| {entry.setting} | {entry.region} | {entry.metric} | {interval(estimate)} "
            f"| {estimate.patients} | {estimate.seeds} |"
        )


def leakage(record: Record) -> Iterator[str]:
    yield (
        "| setting | victim | cuts | metric | region | attack | blind | advantage "
        "| worst patient | flat |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    shown = {("ssim", "whole"), ("ssim", "foreground"), ("lpips", "whole"), ("dice", "whole"),
             ("re-identification", "whole")}  # fmt: skip
    for finding in record.findings:
        if (finding.metric, finding.region) in shown:
            yield leak_row(finding)


def leak_row(finding: Finding) -> str:
    worst = finding.estimate.worst
    flat = {True: "yes", False: "no", None: ""}[finding.converged]
    return (
        f"| {finding.defense} | {finding.victim} | {', '.join(finding.cuts)} "
        f"| {finding.metric} | {finding.region} | {interval(finding.estimate)} "
        f"| {interval(finding.blind)} | {interval(finding.advantage)} "
        f"| {'' if worst is None else f'{worst.value:.2f}'} | {flat} |"
    )


def by_level(record: Record, victim: str) -> Iterator[str]:
    """One row per setting and cuts: each metric's attack, blind in brackets."""
    columns = {
        ("ssim", "whole"): "SSIM",
        ("ssim", "foreground"): "SSIM, head only",
        ("lpips", "whole"): "LPIPS",
        ("re-identification", "whole"): "picked out",
    }
    rows: dict[tuple[str, tuple[str, ...]], dict[tuple[str, str], Finding]] = {}
    for finding in record.findings:
        if finding.victim == victim and (finding.metric, finding.region) in columns:
            row = rows.setdefault((finding.defense, finding.cuts), {})
            row[finding.metric, finding.region] = finding
    yield f"| setting | cuts | {' | '.join(columns.values())} | advantage |"
    yield "|---" * (len(columns) + 3) + "|"
    for (setting, cuts), row in rows.items():
        cells = [compared(row.get(column)) for column in columns]
        primary = row.get(("ssim", "foreground"))
        gained = interval(None if primary is None else primary.advantage)
        yield f"| {setting} | {', '.join(cuts)} | {' | '.join(cells)} | {gained} |"


def compared(finding: Finding | None) -> str:
    if finding is None:
        return "not measured"
    blind = "undefined" if finding.blind is None else f"{finding.blind.mean:.2f}"
    return f"{interval(finding.estimate)} [{blind}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--victim", help="only this party's images, level by level")
    given = parser.parse_args()
    record = read_record(given.run)
    if given.victim is not None:
        sys.stdout.write("\n".join(by_level(record, given.victim)) + "\n")
        return 0
    cohort = record.cohort
    lines = [
        f"`{record.command}`, {record.volatile.created[:10]}, leakaudit "
        f"{record.environment.leakaudit}: {cohort.training.patients} training patients "
        f"({cohort.training.samples} samples), {cohort.auxiliary.patients} auxiliary, "
        f"{cohort.validation.patients} validation; {len(cohort.victims)} attacked; "
        f"{' x '.join(map(str, cohort.space))}; seeds {', '.join(map(str, record.seeds))}.",
        "",
        *utility(record),
        "",
        *leakage(record),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

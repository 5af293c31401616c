"""Print the audits of several networks side by side, as markdown for docs/results/models.md.

Run ``python benchmarks/model_tables.py RUN [RUN ...]``, one run per network. Everything is read
from the runs' records; an advantage is that of verdicts on images, over the blind guess.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from result_tables import interval

from leakaudit.cells.scores import PRIMARY
from leakaudit.record import Estimate, Finding, Record, read_record
from leakaudit.split import SplitSpec


def network(record: Record) -> str:
    split = SplitSpec.model_validate(record.configuration_resolved["split"])
    return split.network_name.rpartition(":")[2]


def images(record: Record, setting: str) -> list[Finding]:
    return [
        finding
        for finding in record.findings
        if finding.defense == setting and (finding.metric, finding.region) == PRIMARY["images"]
    ]


def bounded(estimate: Estimate | None) -> str:
    """Mean with its interval, or with the bounds from one side where it has none."""
    if estimate is None or estimate.lower is not None:
        return interval(estimate)
    least, most = estimate.one_sided_lower, estimate.one_sided_upper
    sides = [
        f"{words} {end:.2f}"
        for words, end in (("at least", least), ("at most", most))
        if end is not None
    ]
    return f"{estimate.mean:.2f} ({', '.join(sides)})" if sides else f"{estimate.mean:.2f}"


def settings(records: Sequence[Record]) -> Iterator[str]:
    """One row per network and setting; every bound that images are held against."""
    yield "| network | setting | Dice | Dice over all pixels | images: surely at most |"
    yield "|---|---|---|---|---|"
    for record in records:
        for defense in record.defenses:
            dice = {
                each.metric: each.estimate
                for each in record.utility
                if each.setting == defense.label and not each.reference
            }
            bounds = [
                None if each.advantage is None else each.advantage.one_sided_upper
                for each in images(record, defense.label)
            ]
            known = [bound for bound in bounds if bound is not None]
            # One answer without a bound leaves all of them without.
            most = f"{max(known):.2f}" if known and len(known) == len(bounds) else "undefined"
            yield (
                f"| {network(record)} | {defense.label} | {bounded(dice.get('dice'))} "
                f"| {bounded(dice.get('dice over all pixels'))} | {most} |"
            )


def cuts(records: Sequence[Record]) -> Iterator[str]:
    """One row per network, setting and cuts; a column per party."""
    parties = list(dict.fromkeys(each.victim for record in records for each in record.findings))
    yield f"| network | setting | cuts | {' | '.join(parties)} |"
    yield "|---" * (len(parties) + 3) + "|"
    for record in records:
        for defense in record.defenses:
            found = images(record, defense.label)
            for together in sorted(
                {each.cuts for each in found}, key=lambda each: (len(each), each)
            ):
                row = {each.victim: each for each in found if each.cuts == together}
                said = [
                    bounded(row[party].advantage) if party in row else "not measured"
                    for party in parties
                ]
                yield (
                    f"| {network(record)} | {defense.label} | {' and '.join(together)} "
                    f"| {' | '.join(said)} |"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+")
    records = [read_record(run) for run in parser.parse_args().runs]
    sys.stdout.write("\n".join((*settings(records), "", *cuts(records))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

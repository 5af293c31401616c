"""Print what a finished sweep came to as markdown, for docs/results.

Run ``python benchmarks/sweep_tables.py RUN``: the recommendation, the trade-off of every actor, how
settings stand to the targets, and what each costs. Everything is read from the run's record.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from leakaudit.record import Answer, Estimate, Record, SearchSummary, TradeOff, read_record


def spread(estimate: Estimate | None, signed: bool = False) -> str:
    if estimate is None:
        return "not measured"
    form = "+.2f" if signed else ".2f"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.mean:{form}} (no interval)"
    return f"{estimate.mean:{form}} ({estimate.lower:{form}} to {estimate.upper:{form}})"


def recommendation(answer: Answer) -> Iterator[str]:
    for target in answer.targets:
        who = f"{target.asset} by {target.adversary or 'anyone attacked'}"
        bound = f"{who}, advantage in {target.metric} ({target.region}) at most {target.max}"
        yield f"- Target: {target.says or bound}."
    if answer.least_dice is not None:
        out = ", ".join(answer.useless) or "none"
        yield f"- Dice surely below {answer.least_dice:g}, left out: {out}."
    meeting = sorted(
        {each.setting for each in answer.standings}
        - {each.setting for each in answer.standings if each.outcome != "met"}
        - set(answer.useless)
    )
    yield f"- Settings that meet every target: {', '.join(meeting) or 'none'}."
    if answer.least is None:
        yield (
            f"- No least defense: {answer.reason}. Nearest: {answer.nearest}, price in Dice "
            f"{spread(answer.dice_change, signed=True)}."
        )
    else:
        also = f"; not surely dearer: {', '.join(answer.rivals)}" if answer.rivals else ""
        yield (
            f"- **Least defense: {answer.least}**, price in Dice {answer.region} "
            f"{spread(answer.dice_change, signed=True)}{also}."
        )


def trade_off(found: TradeOff) -> Iterator[str]:
    yield (
        f"| setting | worst victim | leakage | Dice {found.region} | price in Dice "
        "| surely beaten by | DCS |"
    )
    yield "|---|---|---|---|---|---|---|"
    for point in found.points:
        score = "" if point.defense_capability is None else f"{point.defense_capability:.2f}"
        beaten = point.dominated_by
        by = "front" if not beaten else beaten[0] + (f" +{len(beaten) - 1}" if beaten[1:] else "")
        price = "reference" if point.setting == "none" else spread(point.dice_change, signed=True)
        yield (
            f"| {point.setting} | {point.victim} | {spread(point.leakage)} | {spread(point.dice)} "
            f"| {price} | {by} | {score} |"
        )


def standings(answer: Answer) -> Iterator[str]:
    yield "| setting | target | upper bound | stands | decided by |"
    yield "|---|---|---|---|---|"
    for each in answer.standings:
        target = answer.targets[each.target]
        bound = "undefined" if each.bound is None else f"{each.bound:.2f}"
        yield (
            f"| {each.setting} | {target.rule or target.asset} | {bound} | {each.outcome} "
            f"| {each.victim or ''}: {each.reason} |"
        )


def costs(record: Record) -> Iterator[str]:
    yield "| setting | kB per patient and epoch | ms per step | peak memory, MB |"
    yield "|---|---|---|---|"
    for cost in record.costs:
        step = record.volatile.seconds_per_step.get(cost.setting)
        memory = record.volatile.peak_memory_bytes.get(cost.setting)
        yield (
            f"| {cost.setting} | {cost.bytes_per_patient / 1e3:,.0f} "
            f"| {'' if step is None else f'{1e3 * step:,.0f}'} "
            f"| {'' if memory is None else f'{memory / 1e6:,.0f}'} |"
        )


def searched(found: SearchSummary) -> str:
    return (
        f"- {found.title}: {found.found or 'nothing'} found; {len(found.tried)} of "
        f"{len(found.strengths)} strengths audited, {found.cells_saved} cells saved; "
        f"{found.reason}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    record = read_record(parser.parse_args().run)
    lines = [
        f"Record {record.content_sha256[:12]}, commit {record.environment.git_commit}, "
        f"{len(record.seeds)} seeds, {len(record.cohort.victims)} attacked patients, "
        f"{record.cohort.validation.patients} validation patients, "
        f"{len(record.failures)} failures.",
        "",
    ]
    if record.answer is not None:
        lines += ["Recommendation:", "", *recommendation(record.answer), ""]
    lines += [searched(found) for found in record.searches]
    for found in record.trade_offs:
        lines += ["", f"Trade-off, {found.asset} by {found.adversary}:", "", *trade_off(found)]
    if record.answer is not None:
        lines += ["", "Standings:", "", *standings(record.answer)]
    lines += ["", "Costs:", "", *costs(record)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The verdicts of an audit as a small table."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from leakaudit.cli.ends import ends
from leakaudit.cli.terminal import printable, say, table
from leakaudit.record import Verdict
from leakaudit.record.bound import deciding_bound

if TYPE_CHECKING:
    from leakaudit.record import Record

# From what must be read first to what says nothing.
_NOT_TESTED = "not tested"
_ORDER = ("leak shown", "inconclusive", "attack invalid", _NOT_TESTED, "none shown")
_COLUMNS = ("defense", "adversary", "asset", "verdict", "bound", "advantage", "victim", "Dice")


def show_verdicts(record: Record) -> None:
    """One line per defense, adversary and asset: the victim who fares worst."""
    groups: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in record.verdicts:
        groups[verdict.defense, verdict.adversary, verdict.asset].append(verdict)
    if not groups:
        say("This audit holds no verdict.")
        return
    dice = _dice(record)
    rows, untested = [], []
    for (defense, adversary, asset), members in groups.items():
        worst = min(members, key=_worst_first)
        if worst.verdict == _NOT_TESTED:
            untested.append(f"{asset} by {adversary}")
            continue
        others = f" +{len(members) - 1}" if len(members) > 1 else ""
        rows.append(
            (defense, adversary, asset, _said(worst), deciding_bound(worst), _share(worst),
             worst.victim + others,
             dice.get(defense, ""))
        )  # fmt: skip
    if rows:
        table("Verdicts, for the worst victim of each", _COLUMNS, rows)
    if untested:
        say(f"Not tested: {printable(', '.join(dict.fromkeys(untested)))}.")
    say(
        "Advantage: 0 is what the adversary knows anyway, 1 a perfect copy. Leak shown: surely "
        f"above 0. None shown: surely below {record.verdicts[0].threshold:g}."
    )


def _worst_first(verdict: Verdict) -> tuple[int, float]:
    return (
        _ORDER.index(verdict.verdict),
        -verdict.advantage.mean if verdict.advantage is not None else 0.0,
    )


def _said(verdict: Verdict) -> str:
    """The verdict, and how many patients leak where it is single ones."""
    patients = verdict.patients_said
    return f"{verdict.verdict}: {patients}" if patients else verdict.verdict


def _share(verdict: Verdict) -> str:
    estimate = verdict.advantage
    if estimate is None:
        return "not measured"
    return f"{estimate.mean:.2f} {ends(estimate)}"


def _dice(record: Record) -> dict[str, str]:
    """Mean Dice over the regions, by setting."""
    values: dict[str, list[float]] = defaultdict(list)
    for utility in record.utility:
        if utility.metric == "dice":
            values[utility.setting].append(utility.estimate.mean)
    return {setting: f"{sum(means) / len(means):.2f}" for setting, means in values.items()}

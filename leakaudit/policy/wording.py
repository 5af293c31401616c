"""How findings and figures read in a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leakaudit.policy.model import Scope, Tail
from leakaudit.record import Finding
from leakaudit.record.cuts import cuts_text
from leakaudit.split.spec import CutChoice

TAILS = {"mean": "mean", "p95": "95th percentile of patients", "worst": "worst patient"}


def named(chosen: Iterable[CutChoice], cuts: Sequence[str]) -> tuple[str, ...]:
    """Cuts by name, whether a rule writes their names or their numbers.

    Args:
        chosen: as written, and known to exist.
        cuts: names of the split's cuts, by their numbers.
    """
    return tuple(each if isinstance(each, str) else cuts[each] for each in chosen)


def subject(finding: Finding) -> str:
    """Who attacks what of whom, with what."""
    held = f" ({finding.question})" if finding.question is not None else ""
    return (
        f"{finding.adversary} on {finding.asset}{held} of {finding.victim} by {finding.attack}, "
        f"{cuts_text(finding.cuts)}"
    )


def measured(finding: Finding, scope: Scope, tail: Tail = "mean") -> str:
    """Which number is meant."""
    metric = f"advantage in {finding.metric}" if scope.on == "advantage" else finding.metric
    region = "" if finding.region == "whole" else f" in the {finding.region}"
    return f"{metric}{region}, {TAILS[tail]}"


def number(value: float) -> str:
    """Three figures behind the point, without trailing zeros beyond two."""
    text = f"{value:.3f}"
    return text[:-1] if text.endswith("0") else text


def counted(number: int, noun: str) -> str:
    """`1 patient`, `3 patients`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentences(parts: Sequence[str]) -> str:
    """Several reasons as one."""
    return "; ".join(dict.fromkeys(parts))


def limited(reasons: Sequence[str], most: int = 4) -> list[str]:
    """The first few of many reasons, and how many more there are."""
    distinct = list(dict.fromkeys(reasons))
    if len(distinct) <= most:
        return distinct
    return [*distinct[: most - 1], f"and {len(distinct) - most + 1} more reasons"]

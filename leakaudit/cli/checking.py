"""`leakaudit check` and `leakaudit baseline`: an audit held against a policy."""

from __future__ import annotations

import datetime
from pathlib import Path

from leakaudit.cli.terminal import printable, say, table
from leakaudit.policy import (
    Evaluation,
    Measured,
    Result,
    Status,
    evaluate,
    read_baseline,
    read_policy,
    write_baseline,
)
from leakaudit.record import read_record

_LONGEST = 400
_MARKS = {
    Status.PASS: "pass",
    Status.FAIL: "FAIL",
    Status.INCONCLUSIVE: "inconclusive",
    Status.INVALID: "INVALID",
    Status.WAIVED: "waived",
}


def check(run: Path, policy: Path, baseline: Path | None) -> int:
    """Hold a run against a policy and say how it came out.

    Returns:
        The exit code.
    """
    file = read_policy(policy)
    earlier = None if baseline is None else read_baseline(baseline)
    evaluation = evaluate(
        file, read_record(run), today=datetime.datetime.now(datetime.UTC).date(), baseline=earlier
    )
    _show(evaluation)
    return evaluation.exit_code


def baseline(run: Path, out: Path) -> None:
    """Write a run's baseline."""
    say(f"Wrote {printable(write_baseline(read_record(run), out))}")


def _show(evaluation: Evaluation) -> None:
    table(
        "",
        ("rule", "outcome", "figure", "95 % bounds", "allowed", "line"),
        [
            (
                _clipped(result.placed.name),
                _MARKS[result.status],
                *_figures(result.measured),
                result.placed.line,
            )
            for result in evaluation.results
        ],
    )
    for result in evaluation.results:
        if result.status is not Status.PASS or result.notes:
            _explain(evaluation, result)
    say(evaluation.headline)


def _figures(measured: Measured | None) -> tuple[str, str, str]:
    if measured is None:
        return "", "", ""
    ends = [
        "open" if end is None else f"{end:.3f}" for end in (measured.at_least, measured.at_most)
    ]
    sign = "<=" if measured.higher_is_worse else ">="
    return f"{measured.value:.3f}", f"{ends[0]} to {ends[1]}", f"{sign} {measured.bound:g}"


def _explain(evaluation: Evaluation, result: Result) -> None:
    """One block per rule: where, what, why, and what to do."""
    placed = result.placed
    place = f"{evaluation.file.path}:{placed.line}"
    say(f"{_MARKS[result.status]}: {_clipped(placed.name)} ({printable(place)})")
    lines = [("", result.reason), ("waived ", result.waived)]
    lines += [("also: ", note) for note in result.notes]
    lines += [("do: ", result.remedy), ("set by: ", placed.rule.source)]
    for label, text in lines:
        if text:
            say(f"  {label}{_clipped(text)}")
    say()


def _clipped(text: str, most: int = _LONGEST * 3) -> str:
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\u2026"

"""An evaluation as markdown: for a CI step summary or a pull request."""

from __future__ import annotations

from leakaudit.escaping import clipped, printable
from leakaudit.escaping import markdown as escaped
from leakaudit.policy.looking import NO_FLOORS
from leakaudit.policy.result import Evaluation, Result, Status

LIMIT = 900_000
"""Bytes: a CI step summary holds 1 MiB, and others write into the same file."""
_ROWS = 200
_NAME = 120
_TEXT = 2000
_MARKS = {
    Status.FAIL: "\u2715 violated",
    Status.INVALID: "? no valid verdict",
    Status.INCONCLUSIVE: "\u25d0 inconclusive",
    Status.WAIVED: "\u2013 waived",
    Status.PASS: "\u2713 kept",
}


def markdown(evaluation: Evaluation) -> str:
    """What must be read first stands first: the answer, a table, then what is not kept."""
    order = list(_MARKS)
    results = sorted(evaluation.results, key=lambda result: order.index(result.status))
    parts = [
        f"## Leakage policy: {_text(evaluation.headline, _TEXT)}",
        _table(results[:_ROWS]),
    ]
    if len(results) > _ROWS:
        parts.append(f"{len(results) - _ROWS} more rules, all later in this order.")
    if evaluation.file.policy.audit is None:
        parts.append(f"Note: {NO_FLOORS}.")
    if evaluation.weaknesses:
        lines = "\n".join(f"- {_text(each, _TEXT)}" for each in evaluation.weaknesses[:_ROWS])
        parts.append(f"Weaknesses of this audit:\n\n{lines}")
    told = [r for r in results if r.status is not Status.PASS or r.notes]
    parts += [_told(evaluation, result) for result in told[:_ROWS]]
    parts.append(
        f"Audit {_text(evaluation.audit_id, _NAME)} ({_text(evaluation.record_title, _NAME)}), "
        f"record SHA-256 {_text(evaluation.record_sha256, _NAME)}, policy SHA-256 "
        f"{evaluation.file.sha256}. Bounds are one-sided, at 95 %, over patients and seeds."
    )
    text = "\n\n".join(parts) + "\n"
    raw = text.encode()
    if len(raw) > LIMIT:
        text = raw[:LIMIT].decode(errors="ignore") + "\n\nCut here: see the terminal's output.\n"
    return text


def _table(results: list[Result]) -> str:
    lines = [
        "| rule | outcome | figure | 95 % bounds | allowed |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for result in results:
        lines.append(
            f"| {_text(result.placed.name, _NAME)} | {_MARKS[result.status]} | {_figures(result)} |"
        )
    return "\n".join(lines)


def _figures(result: Result) -> str:
    measured = result.measured
    if measured is None:
        return " | | "
    low, high = (
        "open" if end is None else f"{end:.3f}" for end in (measured.at_least, measured.at_most)
    )
    word = "at most" if measured.higher_is_worse else "at least"
    return f"{measured.value:.3f} | {low} to {high} | {word} {measured.bound:g}"


def _told(evaluation: Evaluation, result: Result) -> str:
    name = _text(result.placed.name, _NAME)
    place = f"{_text(evaluation.file.path.name, _NAME)}, line {result.placed.line}"
    lines = [f"**{_MARKS[result.status]}: {name}** ({place})", "", _text(result.reason, _TEXT)]
    lines += [
        f"- {label}: {_text(text, _TEXT)}"
        for label, text in (
            *(("also", note) for note in result.notes),
            ("waived", result.waived),
            ("do", result.remedy),
            ("set by", result.placed.rule.source),
        )
        if text
    ]
    lines.insert(3, "")
    return "\n".join(lines)


def _text(text: str, most: int) -> str:
    return escaped(clipped(printable(text), most))

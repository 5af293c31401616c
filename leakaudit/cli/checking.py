"""`leakaudit check` and `leakaudit baseline`: an audit held against a policy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakaudit.cli.terminal import printable, say, table
from leakaudit.errors import EXIT_NO_VALID_VERDICT, EXIT_OK, ConfigurationError
from leakaudit.escaping import clipped
from leakaudit.policy import (
    Evaluation,
    Measured,
    Result,
    Status,
    false_alarms,
    junit,
    markdown,
    read_policy,
    sarif,
    write_baseline,
)
from leakaudit.policy.gate import gate, record_file
from leakaudit.policy.looking import NO_FLOORS
from leakaudit.policy.selftest import ALLOWED
from leakaudit.record import read_record
from leakaudit.whole import write_whole

_LONGEST = 1200
_MARKS = {
    Status.PASS: "pass",
    Status.FAIL: "FAIL",
    Status.INCONCLUSIVE: "inconclusive",
    Status.INVALID: "INVALID",
    Status.WAIVED: "waived",
}


@dataclass(frozen=True)
class Outputs:
    """Files to write beside the terminal; None for none.

    Attributes:
        junit: JUnit XML.
        sarif: SARIF 2.1.0.
        summary: markdown; added to what stands there, as a CI step summary wants it.
    """

    junit: Path | None = None
    sarif: Path | None = None
    summary: Path | None = None

    def given(self) -> Iterator[tuple[str, Path]]:
        """Those that were asked for, by the option that did."""
        for option in ("junit", "sarif", "summary"):
            path = getattr(self, option)
            if path is not None:
                yield f"--{option}", path

    def clear(self) -> None:
        """Remove what an earlier check wrote: it must not outlive one that stops before writing.

        Regular files only: a device such as `/dev/stdout`, or a link, is written to.
        """
        for path in (self.junit, self.sarif):
            if path is not None and path.is_file() and not path.is_symlink():
                path.unlink()

    def write(self, evaluation: Evaluation) -> None:
        """Write what was asked for."""
        for path, render in ((self.junit, junit), (self.sarif, sarif)):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                _written(path, render(evaluation))
        if self.summary is not None:
            self.summary.parent.mkdir(parents=True, exist_ok=True)
            with self.summary.open("a", encoding="utf-8") as file:
                file.write(markdown(evaluation))


def check(
    run: Path,
    policy: Path,
    baseline: Path | None = None,
    outputs: Outputs | None = None,
    allowed_signers: Path | None = None,
) -> int:
    """Hold a run against a policy, say how it came out, and write what was asked for.

    Returns:
        The exit code.
    """
    outputs = outputs or Outputs()
    inputs = [("the record", record_file(run)), ("the policy", policy)]
    if baseline is not None:
        inputs.append(("the baseline", baseline))
    _keep_apart(inputs, outputs.given())
    outputs.clear()
    _, evaluation = gate(run, policy, baseline=baseline, allowed_signers=allowed_signers)
    _show(evaluation)
    outputs.write(evaluation)
    return evaluation.exit_code


def baseline(run: Path, out: Path) -> None:
    """Write a run's baseline."""
    _keep_apart([("the record", record_file(run))], [("--out", out)])
    say(f"Wrote {printable(write_baseline(read_record(run), out))}")


def self_test(
    run: Path, policy: Path, seed: int, baseline: Path | None = None, outputs: Outputs | None = None
) -> int:
    """Print how often the gate would raise a false alarm on this record.

    Returns:
        0, or 2 where some rule surely raises more than its 5 %.

    Raises:
        ConfigurationError: a baseline or outputs were given, which a self-test has no use for.
    """
    unused = ["--baseline"] if baseline is not None else []
    unused += [option for option, _ in (outputs or Outputs()).given()]
    if unused:
        raise ConfigurationError(
            "a self-test compares a record with itself, and writes no file",
            found=f"--selftest with {', '.join(unused)}",
            remedy="leave them out, or run the check itself",
        )
    file = read_policy(policy)
    rates = false_alarms(file, read_record(run), np.random.default_rng(seed))
    table(
        f"The system compared with itself, margin 0, {rates[0].repeats} times each, seed {seed}",
        ("rule", "findings", "false alarms", "rate"),
        [
            (_clipped(rate.rule), rate.findings, rate.alarms, f"{100 * rate.rate:.1f} %")
            for rate in rates
        ],
    )
    worst = max(rates, key=lambda rate: rate.rate)
    say(
        f"False-alarm rate: at most {100 * worst.rate:.1f} % for any rule; "
        f"{100 * ALLOWED:.0f} % is promised."
    )
    return EXIT_OK if all(rate.sound for rate in rates) else EXIT_NO_VALID_VERDICT


def _written(path: Path, text: str) -> None:
    """Whole or not at all; a device or a link is written to as it stands."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_text(text, encoding="utf-8")
    else:
        write_whole(path, text)


def _keep_apart(inputs: Iterable[tuple[str, Path]], outputs: Iterable[tuple[str, Path]]) -> None:
    """Refuse to write over what is read, or twice to one file."""
    taken = list(inputs)
    for option, path in outputs:
        for other, theirs in taken:
            if _same(path, theirs):
                raise ConfigurationError(
                    "what is written has a file of its own",
                    found=f"{option} and {other} are both {path}",
                    remedy=f"name another file for {option}",
                )
        taken.append((option, path))


def _same(one: Path, other: Path) -> bool:
    """Also by another name."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _show(evaluation: Evaluation) -> None:
    if evaluation.file.policy.audit is None:
        say(f"Note: {NO_FLOORS}.")
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
    for weakness in evaluation.weaknesses:
        say(f"weakness of this audit: {_clipped(weakness)}")
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


def _clipped(text: str) -> str:
    return clipped(printable(text), _LONGEST)

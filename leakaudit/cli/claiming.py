"""`leakaudit claim`: what a described mechanism is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leakaudit.accounting import FILTERS, Mechanism, Truth, Worth, judged, read_mechanism, worth
from leakaudit.cli.terminal import say, table
from leakaudit.errors import EXIT_NO_VALID_VERDICT, EXIT_OK, EXIT_POLICY_VIOLATED

_RELATION = {
    "zero-out": "zero-out: nothing in a patient's place",
    "replace": "replace: any other data in a patient's place",
}
_NORM = {"gaussian": "L2", "laplace": "L1"}
_NOISE = {"gaussian": "standard deviation", "laplace": "scale"}


def claim(file: Path | None, given: Mapping[str, Any]) -> int:
    """Print the epsilon of a mechanism, and whether a stated one can be true.

    Args:
        file: TOML with its settings; None for none.
        given: settings from options; they stand before the file's.

    Returns:
        0 where no epsilon is stated or the stated one can be true; 1 where it cannot; 2 where it
        is true of one relation between neighbours alone, or the accountants do not settle it.

    Raises:
        ConfigurationError: no mechanism, or one without an epsilon.
    """
    mechanism = read_mechanism(file, given)
    answers = worth(mechanism)
    _describe(mechanism, answers)
    say()
    table(
        "",
        ("neighbours", "sensitivity", "epsilon", "accountant"),
        [
            (
                _RELATION[answer.neighbouring],
                f"{answer.sensitivity:g}",
                _epsilon(answer),
                answer.spent.accountant,
            )
            for answer in answers
        ],
    )
    if mechanism.deployed is not None:
        say(FILTERS[mechanism.deployed].unit)
    if mechanism.stated is None:
        return EXIT_OK
    return _judge(mechanism.stated, answers)


def _describe(mechanism: Mechanism, answers: Sequence[Worth]) -> None:
    noise = answers[0].noise
    taking_part = "" if mechanism.rate == 1 else f", each with probability {mechanism.rate:g}"
    number = "1 release" if mechanism.releases == 1 else f"{mechanism.releases} releases"
    say(
        f"Mechanism: {mechanism.kind} noise of {_NOISE[mechanism.kind]} {noise:.4g} per value, "
        f"{_NORM[mechanism.kind]} norm clipped to {mechanism.clip:g}, {number}{taking_part}, "
        f"delta {mechanism.delta or 0:g}."
    )
    if mechanism.noise_for is not None:
        say(
            f"Noise: the least that gives epsilon {mechanism.noise_for:g} at the declared "
            f"sensitivity {mechanism.sensitivity:g}."
        )
    if mechanism.sensitivity is not None:
        say(f"Sensitivity: declared {mechanism.sensitivity:g}; {_ensured(mechanism, answers)}.")


def _ensured(mechanism: Mechanism, answers: Sequence[Worth]) -> str:
    """What clipping makes of a declared sensitivity."""
    least = min(answer.sensitivity for answer in answers)
    if mechanism.sensitivity is None or mechanism.sensitivity >= least:
        return "what clipping ensures counts"
    return (
        f"messages clipped to {mechanism.clip:g} can differ by {least:g}, "
        f"{least / mechanism.sensitivity:.4g} times as much, and that counts"
    )


def _epsilon(answer: Worth) -> str:
    spent = answer.spent
    if spent.exact:
        return f"{spent.epsilon:.5g}"
    return f"at most {spent.epsilon:.5g}, at least {spent.least:.4g}"


def _judge(stated: float, answers: Sequence[Worth]) -> int:
    truths = {answer.neighbouring: judged(stated, answer.spent) for answer in answers}
    say(f"Stated: epsilon {stated:g}.")
    for answer in answers:
        truth = truths[answer.neighbouring]
        why = {
            Truth.CAN: f"the mechanism keeps to {answer.spent.epsilon:.5g}",
            Truth.CANNOT: f"an adversary reaches {answer.spent.least:.5g}",
            Truth.OPEN: f"it lies between {answer.spent.least:.4g} and {answer.spent.epsilon:.5g}",
        }[truth]
        say(f"  {answer.neighbouring}: {truth}; {why}.")
    if len(set(truths.values())) > 1:
        say("The claim must say who its neighbours are: set neighbouring.")
        return EXIT_NO_VALID_VERDICT
    return {
        Truth.CAN: EXIT_OK,
        Truth.CANNOT: EXIT_POLICY_VIOLATED,
        Truth.OPEN: EXIT_NO_VALID_VERDICT,
    }[next(iter(truths.values()))]

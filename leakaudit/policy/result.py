"""What holding a record against a policy comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from leakaudit.errors import EXIT_NO_VALID_VERDICT, EXIT_OK, EXIT_POLICY_VIOLATED
from leakaudit.policy.model import UtilityFloor
from leakaudit.policy.reading import Placed, PolicyFile


class Status(StrEnum):
    """How a rule came out; only the first is a pass."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    WAIVED = "waived"


@dataclass(frozen=True)
class Measured:
    """The figure a rule was decided by.

    Attributes:
        label: what was measured, such as `advantage of ssim, foreground, mean`.
        value: of the strongest finding.
        at_least: one-sided 95 % bound, corrected for having picked the strongest; None: undefined.
        at_most: the other bound; None: undefined.
        bound: what the policy allows.
        higher_is_worse: whether crossing the bound upwards breaks the rule.
    """

    label: str
    value: float
    at_least: float | None
    at_most: float | None
    bound: float
    higher_is_worse: bool


@dataclass(frozen=True)
class Result:
    """One rule's outcome.

    Attributes:
        placed: the rule and its place in the file.
        status: how it came out.
        reason: in one sentence, with actor, cuts and figures.
        subject: who attacks whom with what; empty where nothing was found.
        measured: the deciding figure; None where there is none.
        remedy: what to do about it; empty for a pass.
        notes: what else a reader must know.
        waived: reason and last day, where the rule is let go.
    """

    placed: Placed
    status: Status
    reason: str
    subject: str = ""
    measured: Measured | None = None
    remedy: str = ""
    notes: tuple[str, ...] = ()
    waived: str = ""


@dataclass(frozen=True)
class Evaluation:
    """A record held against a policy.

    Attributes:
        file: the policy.
        results: one for each rule, in the order of the file's kinds.
        audit_id: of the record.
        record_sha256: its content hash.
        record_title: the audit's title.
        baseline_sha256: of the baseline it was compared with; empty without one.
        weaknesses: choices by which the audit found less than it could, in words.
    """

    file: PolicyFile
    results: tuple[Result, ...]
    audit_id: str
    record_sha256: str
    record_title: str
    baseline_sha256: str = ""
    weaknesses: tuple[str, ...] = ()

    @property
    def strict(self) -> bool:
        """Whether the policy makes an inconclusive rule an error."""
        return self.file.policy.inconclusive == "error"

    def of(self, status: Status) -> tuple[Result, ...]:
        """The results that came out so."""
        return tuple(result for result in self.results if result.status is status)

    @property
    def exit_code(self) -> int:
        """1 where a rule is violated, otherwise 2 where one could not be judged, otherwise 0.

        An inconclusive rule counts as violated where the policy asks for conclusive evidence.
        """
        if self.of(Status.FAIL) or (self.strict and self.of(Status.INCONCLUSIVE)):
            return EXIT_POLICY_VIOLATED
        return EXIT_NO_VALID_VERDICT if self.of(Status.INVALID) else EXIT_OK

    @property
    def headline(self) -> str:
        """The answer in one line."""
        counts = ", ".join(
            f"{len(found)} {_COUNTED[status]}" for status in _COUNTED if (found := self.of(status))
        )
        return f"{self._answer}: {_plural(self.results)}, {counts}."

    @property
    def _on_leakage(self) -> tuple[Result, ...]:
        return tuple(
            each for each in self.results if not isinstance(each.placed.rule, UtilityFloor)
        )

    @property
    def _answer(self) -> str:
        """Kept is said only of what was shown to be kept."""
        if self.exit_code == EXIT_OK:
            if self.of(Status.INCONCLUSIVE):
                return "Not violated, and not shown to be kept"
            if all(each.status is Status.WAIVED for each in self._on_leakage):
                return "Nothing judged on leakage, for it is all waived"
            if self.of(Status.WAIVED):
                return "Policy kept but for what is waived"
        return _ANSWERS[self.exit_code]


_COUNTED = {
    Status.FAIL: "violated",
    Status.INVALID: "without a valid verdict",
    Status.INCONCLUSIVE: "inconclusive",
    Status.WAIVED: "waived",
    Status.PASS: "kept",
}
_ANSWERS = {
    EXIT_OK: "Policy kept",
    EXIT_POLICY_VIOLATED: "Policy violated",
    EXIT_NO_VALID_VERDICT: "No valid verdict",
}


def _plural(results: Sequence[Result]) -> str:
    return "1 rule" if len(results) == 1 else f"{len(results)} rules"

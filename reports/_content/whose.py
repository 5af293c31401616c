"""What an adversary holds of the people it could name, and what that lets the truth tell."""

from __future__ import annotations

from leakaudit.record import AdversarySummary, Estimate, Finding

from .frequencies import ends_of_100

HOLDS = {
    "same image": "the same image that was sent",
    "same scan": "another slice of the same scan",
    "another study": "an earlier or later scan",
}
"""By question: what a message or a rebuilt picture is held against."""


def question_of(adversary: AdversarySummary, finding: Finding | None) -> str:
    """As the finding says; records before 1.4 ask about the same scan."""
    return (finding.question if finding is not None else None) or adversary.question


def held_against(question: str) -> str:
    """`by another slice of the same scan`."""
    return f"by {HOLDS[question]}"


def ceiling_sentence(finding: Finding | None) -> str:
    """What the same picker finds from the true images; empty where that was not measured."""
    if finding is None or finding.ceiling_estimate is None:
        return ""
    return f"; the true images themselves would give {of_100(finding.ceiling_estimate)}"


def of_100(estimate: Estimate) -> str:
    """`98 (91 to 100)`; without an interval `98 (at least 90, at most 100)`."""
    text = f"{100 * estimate.mean:.0f}"
    low, high = ends_of_100(estimate)
    if low is None or high is None:
        return text
    return (
        f"{text} ({low} to {high})"
        if estimate.lower is not None
        else (f"{text} (at least {low}, at most {high})")
    )

"""What an adversary holds of the people it could name, and what that lets the truth tell."""

from __future__ import annotations

import math

from leakaudit.record import AdversarySummary, Estimate, Finding

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
    """`98 (91 to 100)`."""
    text = f"{100 * estimate.mean:.0f}"
    if estimate.lower is None or estimate.upper is None:
        return text
    low, high = math.floor(100 * estimate.lower), math.ceil(100 * estimate.upper)
    return f"{text} ({max(0, low)} to {min(100, high)})"

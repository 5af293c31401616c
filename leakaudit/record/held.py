"""A policy that an audit was held against, as reports print it: rule by rule, with its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleStatus = Literal["fail", "invalid", "inconclusive", "waived", "pass"]


@dataclass(frozen=True)
class HeldRule:
    """How one rule came out.

    Attributes:
        name: of the rule.
        line: in the policy's file, from 1.
        status: how it came out; only `pass` is a pass.
        subject: who attacks whom with what; empty where nothing was found.
        scale: what its figure measures; rules of one scale can share an axis.
        value: of the strongest finding; None where there is none.
        at_least: one-sided 95 % bound; None where undefined.
        at_most: the other one.
        bound: what the policy allows.
        higher_is_worse: whether crossing the bound upwards breaks the rule.
        reason: in one sentence, with actor, cuts and figures.
        remedy: what to do about it; empty for a pass.
        source: who set the rule.
        notes: what else a reader must know, such as a waiver.
    """

    name: str
    line: int
    status: RuleStatus
    subject: str
    scale: str
    value: float | None
    at_least: float | None
    at_most: float | None
    bound: float
    higher_is_worse: bool
    reason: str
    remedy: str
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldPolicy:
    """How a whole policy came out.

    Attributes:
        title: of the policy.
        file_name: its file.
        sha256: of the file.
        day: on which it was judged, ISO 8601: waivers end.
        headline: the answer in one line.
        kept: whether the gate would let the audit through.
        baseline_sha256: of the baseline it was compared with; empty without one.
        rules: in the order of the file's kinds.
    """

    title: str
    file_name: str
    sha256: str
    day: str
    headline: str
    kept: bool
    baseline_sha256: str
    rules: tuple[HeldRule, ...]

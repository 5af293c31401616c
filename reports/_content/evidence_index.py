"""Looking things up in a record: which finding stands behind a verdict, per actor and asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from leakaudit.record import (
    SERVER,
    AdversarySummary,
    Asset,
    Finding,
    MetricSummary,
    Record,
    Utility,
    Verdict,
    VerdictValue,
)

from .wording import ASSET, GRAVITY, SHORT, joined


@dataclass(frozen=True)
class Question:
    """What one actor could learn of one kind of asset: the unit of the whole report."""

    adversary: AdversarySummary
    asset: Asset

    @property
    def key(self) -> str:
        """An anchor made of nothing that the record's author wrote."""
        return f"{self.adversary.position}-{self.asset}"


class Index:
    """A record with the lookups that several sections need."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Labels of the defense settings, in the order of the record."""
        return tuple(defense.label for defense in self.record.defenses)

    @cached_property
    def undefended(self) -> str | None:
        """The label of the setting without any defense."""
        return next((d.label for d in self.record.defenses if not d.stack), None)

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """Every actor and asset that has a verdict, what was attacked first."""
        order: tuple[Asset, ...] = ("identity", "images", "masks", "membership", "attribute")
        asked = {(v.adversary, v.asset) for v in self.record.verdicts}
        attacked = {(v.adversary, v.asset) for v in self.record.verdicts if v.attack is not None}
        return tuple(
            Question(adversary, asset)
            for adversary in self.record.adversaries
            for mounted in (True, False)
            for asset in order
            if (adversary.name, asset) in asked and ((adversary.name, asset) in attacked) is mounted
        )

    @cached_property
    def useless(self) -> frozenset[str]:
        """Settings whose Dice is surely below the audit's floor: they protect by breaking."""
        answer = self.record.answer
        return frozenset() if answer is None else frozenset(answer.useless)

    def title(self, setting: str) -> str:
        """A setting's name for readers: `none` is a word of the configuration."""
        return "no defense" if setting == self.undefended else setting

    def depth(self, cut: str) -> int:
        """Where a cut stands among those of the split, from 0; behind all of them if unknown."""
        names = [each.name for each in self.record.split.cuts]
        return names.index(cut) if cut in names else len(names)

    def verdicts(self, question: Question, setting: str | None = None) -> tuple[Verdict, ...]:
        """The verdicts on a question, for one setting or all."""
        return tuple(
            verdict
            for verdict in self.record.verdicts
            if verdict.adversary == question.adversary.name
            and verdict.asset == question.asset
            and setting in (None, verdict.defense)
        )

    def worst(self, question: Question, setting: str) -> Verdict | None:
        """The victim who leaks most under a setting: the one the actor's headline speaks of."""
        found = self.verdicts(question, setting)
        if not found:
            return None
        return max(
            found,
            key=lambda v: (
                -GRAVITY.index(v.verdict),
                v.advantage.mean if v.advantage is not None else float("-inf"),
            ),
        )

    def finding(self, verdict: Verdict) -> Finding | None:
        """The finding a verdict was read from."""
        return self._by_verdict.get(
            (verdict.defense, verdict.adversary, verdict.victim, verdict.asset)
        )

    @cached_property
    def _by_verdict(self) -> dict[tuple[str, str, str, str], Finding]:
        wanted = {(v.defense, v.adversary, v.victim, v.asset): v for v in self.record.verdicts}
        found: dict[tuple[str, str, str, str], Finding] = {}
        for finding in self.record.findings:
            key = (finding.defense, finding.adversary, finding.victim, finding.asset)
            verdict = wanted.get(key)
            if (
                verdict is not None
                and key not in found
                and finding.attack == verdict.attack
                and finding.cuts == verdict.cuts
                and finding.metric == verdict.metric
                and verdict.region in (None, finding.region)
            ):
                found[key] = finding
        return found

    def findings(self, question: Question, *, metric: str | None = None) -> tuple[Finding, ...]:
        """All findings on a question."""
        return tuple(
            finding
            for finding in self.record.findings
            if finding.adversary == question.adversary.name
            and finding.asset == question.asset
            and metric in (None, finding.metric)
        )

    def gravest(self, verdicts: Sequence[Verdict]) -> VerdictValue | None:
        """The gravest of several verdicts."""
        values = {verdict.verdict for verdict in verdicts}
        return next((value for value in GRAVITY if value in values), None)

    def dice(self, setting: str, region: str | None = None) -> Utility | None:
        """Per-patient Dice of a setting, for the cohort's first region unless one is named."""
        return self.utility(setting, "dice", region)

    def utility(self, setting: str, metric: str, region: str | None = None) -> Utility | None:
        """One utility entry; the region defaults to the first of the cohort."""
        wanted = region or self.main_region
        return next(
            (
                entry
                for entry in self.record.utility
                if (entry.setting, entry.metric, entry.region) == (setting, metric, wanted)
            ),
            None,
        )

    @cached_property
    def main_region(self) -> str:
        """The region that stands for utility: the cohort's first that was measured."""
        measured = [entry.region for entry in self.record.utility]
        return next(
            (region for region in self.record.cohort.regions if region in measured),
            measured[0] if measured else "",
        )

    @cached_property
    def references(self) -> tuple[str, ...]:
        """Labels of the reference settings: pooled, each party alone."""
        return tuple(dict.fromkeys(u.setting for u in self.record.utility if u.reference))

    def metric(self, name: str | None) -> MetricSummary | None:
        """What a metric means, where the record says it."""
        return next((metric for metric in self.record.metrics if metric.name == name), None)

    def metric_label(self, name: str | None) -> str:
        """A metric's name for readers."""
        if name in SHORT:
            return SHORT[name]
        known = self.metric(name)
        return known.label if known is not None else (name or "none")


def actor(adversary: AdversarySummary) -> str:
    """Who attacks, at the start of a sentence or in a heading."""
    if adversary.position == "server":
        return "The server"
    if adversary.position == "wire":
        return "Someone on the wire"
    if adversary.position == "coalition":
        return f"A coalition of {joined([owner(name) for name in adversary.members])}"
    return f"Party {joined(adversary.members)}" if adversary.members else "A party"


def owner(victim: str) -> str:
    """Whose asset is attacked, inside a sentence."""
    return "the server" if victim == SERVER else victim


def target(asset: Asset, victim: str) -> str:
    """What is attacked and whose it is."""
    if victim == SERVER:
        return f"{ASSET[asset]} held by the server"
    return f"{ASSET[asset]} of {victim}"

"""What claims allow at most, beside what was measured: more would be an error of ours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy import special

from leakaudit.accounting import picked_at_most, picked_at_most_pure
from leakaudit.record import Bound, ClaimSummary, DefenseSummary, Dependence, Finding
from leakaudit.record.cuts import cuts_text

_INFORMATION = "infonce"
_LEAST_SEEDS = 3
_SURE = 0.99


def bounds(
    defenses: Iterable[DefenseSummary],
    findings: Sequence[Finding],
    dependence: Sequence[Dependence],
) -> tuple[Bound, ...]:
    """Every figure that a claim on activations limits, the strongest of each kind and victim.

    Args:
        defenses: with their claims.
        findings: of all settings.
        dependence: of all settings and seeds.
    """
    return tuple(
        bound
        for defense in defenses
        for claim in defense.claims
        for bound in (
            *_identity(defense.label, claim, findings),
            *_information(defense.label, claim, dependence),
        )
    )


def _identity(setting: str, claim: ClaimSummary, findings: Sequence[Finding]) -> Iterator[Bound]:
    groups: dict[tuple[str, str], list[tuple[Finding, float]]] = defaultdict(list)
    for finding in findings:
        if (
            finding.defense == setting
            and finding.asset == "identity"
            and finding.victim in claim.parties
            and finding.chance
            and (allowed := _picked(claim, finding)) is not None
        ):
            groups[finding.adversary, finding.victim].append((finding, allowed))
    for (adversary, victim), group in groups.items():
        finding, allowed = max(group, key=lambda each: _excess(*each))
        at_least = finding.estimate.one_sided_lower
        surely = _picked(claim, finding, cautious=True)
        yield Bound(
            setting=setting,
            kind="identity",
            adversary=adversary,
            victim=victim,
            at_most=allowed,
            measured=finding.estimate.mean,
            at_least=at_least,
            contradicted=at_least is not None and surely is not None and at_least > surely,
            reason=f"{finding.attack}, {finding.metric}: share of patients picked out",
        )


def _excess(finding: Finding, allowed: float) -> float:
    lower = finding.estimate.one_sided_lower
    return (finding.estimate.mean if lower is None else lower) - allowed


def _picked(claim: ClaimSummary, finding: Finding, *, cautious: bool = False) -> float | None:
    """The most of a rate; None where the claim has no formula for it.

    Args:
        claim: what is claimed.
        finding: the rate.
        cautious: what succeeds without the messages, the better of guessing and the blind
            baseline, is taken at the upper end of its interval.
    """
    blind = finding.blind
    without = 0.0 if blind is None else blind.mean
    if cautious and blind is not None:
        upper = blind.one_sided_upper if blind.upper is None else blind.upper
        without = without if upper is None else max(without, upper)
    chance = max(finding.chance or 0.0, without)
    if chance >= 1:
        return 1.0
    if claim.mu is not None:
        return picked_at_most(chance, claim.mu)
    return picked_at_most_pure(chance, claim.epsilon) if claim.delta == 0 else None


def _information(
    setting: str, claim: ClaimSummary, dependence: Sequence[Dependence]
) -> Iterator[Bound]:
    if claim.bits_at_most is None:
        return
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for entry in dependence:
        if (
            entry.defense == setting
            and entry.metric == _INFORMATION
            and entry.party in claim.parties
        ):
            found[entry.party][entry.cut].append(entry.value)
    for party, cuts in found.items():
        cut = max(cuts, key=lambda each: float(np.mean(cuts[each])))
        values = cuts[cut]
        at_least = _lower(values, len(cuts))
        yield Bound(
            setting=setting,
            kind="information",
            adversary=None,
            victim=party,
            at_most=claim.bits_at_most,
            measured=float(np.mean(values)),
            at_least=at_least,
            contradicted=at_least is not None and at_least > claim.bits_at_most,
            reason=f"InfoNCE at {cuts_text([cut])}, one epoch, against all messages of a patient",
        )


def _lower(values: Sequence[float], tried: int) -> float | None:
    """A one-sided bound over trainings, corrected for having picked a cut."""
    seeds = len(values)
    if seeds < _LEAST_SEEDS:
        return None
    quantile = float(special.stdtrit(seeds - 1, 1 - (1 - _SURE) / tried))
    return float(np.mean(values) - quantile * np.std(values, ddof=1) / math.sqrt(seeds))

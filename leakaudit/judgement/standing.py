"""How settings stand to the targets: the same evidence as verdicts, held against a bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leakaudit.cells.scores import PRIMARY
from leakaudit.errors import ConfigurationError
from leakaudit.judgement.findings import FindingId, Series, ceiling_of
from leakaudit.judgement.single import singles
from leakaudit.judgement.unfinished import Planned, Question
from leakaudit.judgement.verdicts import Evidence, evidence
from leakaudit.plan.configuration import AuditConfiguration, Target
from leakaudit.record import Asset, Control, Region, Standing, TargetSummary
from leakaudit.statistics.verdict import MIN_PATIENTS, PATIENT_THRESHOLD, judge, patient_limit
from leakaudit.statistics.verdict import Verdict as Said

_OUTCOMES: dict[Said, str] = {
    Said.NONE_SHOWN: "met",
    Said.LEAK_SHOWN: "exceeded",
    Said.INCONCLUSIVE: "unsettled",
    Said.NOT_TESTED: "not judged",
    Said.ATTACK_INVALID: "not judged",
}
# The question that decides is the one furthest from being met.
_WORST = ("exceeded", "not judged", "unsettled", "met")


@dataclass(frozen=True, eq=False)
class Findings:
    """What all attacks came to, and how their controls came out.

    Attributes:
        gathered: all series, by finding.
        known: the controls.
        undefended: label of the setting without defenses.
        threshold: of the verdicts.
        planned: what every attack was to deliver, and which did not.
        patient_threshold: of the verdicts, for every single patient.
    """

    gathered: Mapping[FindingId, Series]
    known: Mapping[tuple[FindingId, str], Control]
    undefended: str
    threshold: float
    planned: Planned
    patient_threshold: float = PATIENT_THRESHOLD

    def on(
        self,
        setting: str,
        adversary: str,
        victim: str,
        asset: Asset,
        metric: str,
        region: Region,
        *,
        allowed: float = 0.0,
    ) -> Evidence | None:
        """The strongest attack on one question under one setting; None where there is none.

        Args:
            setting: label.
            adversary: who attacks.
            victim: whom.
            asset: what of it.
            metric: how it is measured.
            region: and where.
            allowed: mean advantage that single patients are held against.
        """
        return evidence(
            Question(setting, adversary, victim, asset, metric, region), self.gathered, self.known,
            self.planned, undefended=self.undefended, threshold=self.threshold,
            patient_threshold=patient_limit(
                allowed, threshold=self.threshold, patient_threshold=self.patient_threshold
            ),
        )  # fmt: skip

    def attacked(self, asset: Asset, metric: str, region: Region) -> list[tuple[str, str]]:
        """Every (adversary, victim) whose question was tried under any setting, in order."""
        return sorted(
            {
                (key.adversary, key.victim)
                for key in self.gathered
                if (key.asset, key.metric, key.region, key.shuffled)
                == (asset, metric, region, False)
            }
        )


@dataclass(frozen=True)
class Limit:
    """A target with everything filled in: what is held against findings, and how far it may go."""

    asset: Asset
    adversary: str | None
    victim: str | None
    metric: str
    region: Region
    max: float

    @property
    def summary(self) -> TargetSummary:
        """The same for the record."""
        return TargetSummary(
            asset=self.asset, adversary=self.adversary, victim=self.victim, metric=self.metric,
            region=self.region, max=self.max,
        )  # fmt: skip


def targets_of(configuration: AuditConfiguration, findings: Findings) -> tuple[Limit, ...]:
    """The targets in effect: those configured, or the threshold for all that was attacked."""
    wanted: Sequence[Target] = configuration.targets
    if not wanted:
        assets = sorted({key.asset for key in findings.gathered})
        wanted = [Target(asset=asset, max=configuration.judgement.threshold) for asset in assets]
    return tuple(_limit(target) for target in wanted)


def check_targets(targets: Sequence[Target]) -> None:
    """Refuse targets that no finding can be held against.

    Raises:
        UnknownNameError: a metric does not exist.
        ConfigurationError: it has no ceiling.
    """
    for target in targets:
        if target.metric is not None and ceiling_of(target.metric, MIN_PATIENTS) is None:
            raise ConfigurationError(
                "a target's metric has a value of a perfect attack, so that an advantage is "
                "defined",
                found=f"{target.metric} has none",
                remedy="leave `metric` out, or name one that has, such as ssim",
            )


def _limit(target: Target) -> Limit:
    metric, region = PRIMARY[target.asset]
    if target.metric not in (None, metric):
        metric, region = str(target.metric), "whole"
    return Limit(
        asset=target.asset, adversary=target.adversary, victim=target.victim, metric=metric,
        region=target.region or region, max=target.max,
    )  # fmt: skip


def standings(
    settings: Sequence[str], targets: Sequence[Limit], findings: Findings
) -> tuple[Standing, ...]:
    """How every setting stands to every target."""
    return tuple(
        standing(setting, number, target, findings)
        for setting in settings
        for number, target in enumerate(targets)
    )


def standing(setting: str, number: int, target: Limit, findings: Findings) -> Standing:
    """How one setting stands to one target: by the question that is furthest from being met.

    Met means what "none shown" means, with the target for the threshold: the upper bound keeps to
    it, the attack leaks on the undefended split and not on shuffled pairs, and more effort did not
    help it.
    """
    questions = [
        (adversary, victim)
        for adversary, victim in findings.attacked(target.asset, target.metric, target.region)
        if target.adversary in (None, adversary) and target.victim in (None, victim)
    ]
    held = [_held(setting, number, target, findings, *question) for question in questions]
    held += [
        Standing(
            setting=setting, target=number, outcome="not judged", bound=None, reason=each.reason,
            adversary=each.adversary, victim=target.victim,
        )
        for each in findings.planned.failures(setting, target.asset)
        if target.adversary in (None, each.adversary)
        and each.adversary not in {adversary for adversary, _ in questions}
    ]  # fmt: skip
    if not held:
        return Standing(
            setting=setting, target=number, outcome="not judged", bound=None,
            adversary=target.adversary, victim=target.victim,
            reason="no attack of this audit goes for it",
        )  # fmt: skip
    decisive = min(
        held,
        key=lambda each: (_WORST.index(each.outcome), -(1.0 if each.bound is None else each.bound)),
    )
    bounds = [each.bound for each in held]
    highest = None if any(bound is None for bound in bounds) else max(b or 0.0 for b in bounds)
    return decisive.model_copy(update={"bound": highest})


def _held(
    setting: str,
    number: int,
    target: Limit,
    findings: Findings,
    adversary: str,
    victim: str,
) -> Standing:
    found = findings.on(
        setting, adversary, victim, target.asset, target.metric, target.region, allowed=target.max
    )
    if found is None:
        return Standing(
            setting=setting, target=number, outcome="not judged", bound=None, adversary=adversary,
            victim=victim, reason="no attack gave a usable value",
        )  # fmt: skip
    judged = judge(
        found.figure,
        found.controls,
        threshold=target.max,
        no_leak=target.max,
        doubts=(*found.doubts, *(found.carries if target.max <= findings.threshold else ())),
        singles=singles(found.single, target.asset, surely=target.max > findings.threshold),
    )
    return Standing(
        setting=setting,
        target=number,
        outcome=_OUTCOMES[judged.verdict],
        bound=found.figure.at_most,
        adversary=adversary,
        victim=victim,
        reason=judged.reason,
    )

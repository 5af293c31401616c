"""What keeps a rule from being judged: an audit that did not look never passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from leakaudit.policy.evidence import Evidence, by_question
from leakaudit.policy.model import Budget, Scope
from leakaudit.policy.wording import counted, named, subject
from leakaudit.record import Failure, Finding, Verdict
from leakaudit.statistics import corrected_level, patients_above
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.verdict import MIN_PATIENTS, MIN_SEEDS, effort_doubts, patient_limit

LEAST_PATIENTS = 2
LEAST_SEEDS = 2
_ATTACK_STAGES = ("attack", "control")


def finding_problem(evidence: Evidence, finding: Finding, scope: Scope) -> str:
    """Why a finding can be held neither against nor for a rule; empty where it can."""
    record = evidence.record
    seeds, planned = len(finding.values), len(record.seeds)
    patients = len(record.cohort.victims)
    where = subject(finding)
    if patients < LEAST_PATIENTS:
        return f"{counted(patients, 'patient')} attacked: no bound can be given from one"
    if min(seeds, planned) < LEAST_SEEDS:
        return (
            f"{counted(min(seeds, planned), 'seed')} of training and attack: "
            f"{LEAST_SEEDS} are needed to know how far they disagree"
        )
    if seeds != planned or any(len(row) != patients for row in finding.values):
        return f"{where}: {seeds} of {planned} seeds finished"
    if missing := evidence.missing(finding):
        return f"{where}: {missing} of {seeds * patients} values of {finding.metric} are missing"
    if evidence.measure(finding, scope.on) is None:
        return f"{where}: the advantage is undefined, for the blind guess is already perfect"
    shuffled = evidence.control("shuffled", finding)
    if shuffled is None:
        return f"{where}: shuffled pairs were not tried (negative control)"
    if not shuffled.passed:
        return f"{where}: the negative control failed ({shuffled.reason})"
    return ""


def rule_problems(
    evidence: Evidence, scope: Scope, setting: str, candidates: Sequence[Finding]
) -> Iterator[str]:
    """What keeps a rule from being passed, whatever its findings say."""
    yield from _unanswered(evidence, scope, setting, candidates)
    yield from _unproven(evidence, candidates)
    yield from _failures(evidence, scope, setting)


def silence_doubts(
    evidence: Evidence, scope: Scope, setting: str, *, allowed: float | None = None
) -> list[str]:
    """What the audit itself says against silence, of every question that a rule asks.

    Records before 1.4 say it of defenses alone.

    Args:
        evidence: the record.
        scope: of the rule.
        setting: label.
        allowed: advantage that the rule allows; where it allows none to speak of, what messages
            surely carry is against it too. None: it bounds no advantage.
    """
    of_questions = (
        doubt
        for verdict in _asked(evidence, scope, setting)
        for doubt in (
            *verdict.doubts,
            *(verdict.carries if allowed is not None and allowed <= verdict.threshold else ()),
        )
    )
    return list(dict.fromkeys([*evidence.unattacked(setting), *of_questions]))


def single_doubts(
    evidence: Evidence, budget: Budget, setting: str, findings: Sequence[Finding]
) -> list[str]:
    """Patients who surely leak far more than a budget allows all of them together.

    Records before 1.4 do not say how much a single patient may leak: the mean spoke for all.
    """
    said = [(v.threshold, v.single.threshold) for v in _asked(evidence, budget, setting)
            if v.single is not None]  # fmt: skip
    if budget.tail == "worst" or not said:
        return []
    threshold, patient_threshold = min(said)
    level = corrected_level(LEVEL, len(findings))
    leaking: set[str] = set()
    for finding in findings:
        cells = evidence.cells(finding, budget.on)
        if finding.asset not in ("images", "masks") or finding.ceiling is None or cells is None:
            continue
        if budget.on == "advantage":
            limit = patient_limit(
                budget.bound, threshold=threshold, patient_threshold=patient_threshold
            )
        else:
            limit = (budget.bound + finding.ceiling) / 2
        direction = evidence.direction(finding, budget.on)
        leaking |= set(patients_above(cells, limit, direction=direction, level=level))
    if not leaking:
        return []
    patients = len(evidence.record.cohort.victims)
    return [
        f"{len(leaking)} of {patients} patients ({len(leaking) / patients:.0%}) surely leak far "
        "more: what all leak together says nothing of them"
    ]


def too_few(patients: int, seeds: int) -> list[str]:
    """Why so few patients, or seeds, pass nothing."""
    found = []
    if patients < MIN_PATIENTS:
        found.append(f"{counted(patients, 'patient')} attacked, {MIN_PATIENTS} are needed to pass")
    return found + too_few_seeds(seeds)


def too_few_seeds(seeds: int) -> list[str]:
    """Why so few seeds pass nothing: two that agree by chance look like trainings that agree."""
    if seeds >= MIN_SEEDS:
        return []
    return [f"{counted(seeds, 'seed')} of training and attack, {MIN_SEEDS} are needed to pass"]


def unsettled(evidence: Evidence, findings: Sequence[Finding]) -> list[str]:
    """Of every attack a rule is decided by: whether more effort might have found more.

    Args:
        evidence: the record.
        findings: those a rule is decided by.
    """
    return effort_doubts({subject(finding): evidence.converged(finding) for finding in findings})


def _unanswered(
    evidence: Evidence, scope: Scope, setting: str, candidates: Sequence[Finding]
) -> Iterator[str]:
    """Questions the rule asks and the audit does not answer."""
    record = evidence.record
    answered = by_question(candidates)
    # Without a metric a rule speaks of each: the one that verdicts are read from must be there.
    metrics = {(*question, finding.metric) for question, group in answered.items()
               for finding in group}  # fmt: skip
    asked = _asked(evidence, scope, setting)
    for verdict in asked:
        question = (verdict.adversary, verdict.victim, verdict.asset)
        owed = verdict.metric if scope.metric is None else None
        if question in answered and (owed is None or (*question, owed) in metrics):
            continue
        who = f"{verdict.adversary} on {verdict.asset} of {verdict.victim}"
        if verdict.verdict == "not tested":
            yield f"{who} was not tested ({verdict.reason})"
        elif question in answered:
            yield f"{who} has no finding in {owed}, from which its verdict was read"
        else:
            yield f"{who} has no finding that this rule speaks of{_crossing(evidence, scope)}"
    if not candidates and not asked:
        yield f"the audit has no finding that this rule speaks of{_crossing(evidence, scope)}"
    if scope.metric in record.not_available and not candidates:
        yield f"{scope.metric} was not measured: {record.not_available[scope.metric]}"


def _asked(evidence: Evidence, scope: Scope, setting: str) -> list[Verdict]:
    """The questions that a rule asks."""
    record = evidence.record
    assets = {
        asset
        for asset, metric in evidence.measured
        if scope.metric in (None, metric) and scope.asset in (None, asset)
    } | ({scope.asset} if scope.asset else set())
    return [
        verdict
        for verdict in record.verdicts
        if verdict.defense == setting
        and scope.adversary in (None, verdict.adversary)
        and scope.victim in (None, verdict.victim)
        and verdict.asset in assets
    ]


def _crossing(evidence: Evidence, scope: Scope) -> str:
    """Where a rule names cuts: which combinations the audit attacked."""
    if scope.cuts is None:
        return ""
    cuts = named(scope.cuts, evidence.record.split.cut_names)
    known = sorted({finding.cuts for finding in evidence.record.findings})
    return (
        f" ({', '.join(cuts)} alone; leave `cuts` out to judge whatever "
        f"crosses; attacked were {'; '.join(map(', '.join, known))})"
    )


def _unproven(evidence: Evidence, candidates: Sequence[Finding]) -> Iterator[str]:
    """Attacks that leak nothing even where nothing protects: their silence says nothing.

    Each attack must leak in at least one combination of cuts: a deep one alone may well be silent,
    and then the others speak for the attack.
    """
    for (adversary, victim, asset), group in by_question(candidates).items():
        for attack in dict.fromkeys(finding.attack for finding in group):
            controls = [evidence.control("open", f) for f in group if f.attack == attack]
            if any(control is not None and control.passed for control in controls):
                continue
            reason = next(
                (control.reason for control in controls if control is not None),
                "the undefended split was not attacked",
            )
            yield (
                f"{adversary} on {asset} of {victim} by {attack}: the positive control failed "
                f"({reason})"
            )


def _failures(evidence: Evidence, scope: Scope, setting: str) -> Iterator[str]:
    """Whatever did not finish and may belong to the rule; what cannot be placed belongs to all."""
    known = _places(evidence)
    for failure in evidence.record.failures:
        if failure.stage not in ("training", *_ATTACK_STAGES):
            continue
        place = known.get(failure.where)
        if place is None or _concerns(place, scope, {setting, evidence.undefended}):
            yield f"{_named(failure)} did not finish ({failure.reason})"


Place = tuple[str, str | None, str | None]
"""Setting, adversary, attack."""


def _places(evidence: Evidence) -> dict[str, Place]:
    """How the record words where a cell stands, and what it means."""
    record = evidence.record
    settings = {d.label for d in record.defenses} | {u.setting for u in record.utility}
    found: dict[str, Place] = {}
    for setting, seed in product(settings, record.seeds):
        found[f"{setting}, seed {seed}"] = (setting, None, None)
        for adversary, attack in product(record.adversaries, record.attacks):
            where = f"{attack.label} by {adversary.name} on {setting}, seed {seed}"
            found[where] = (setting, adversary.name, attack.label)
    return found


def _concerns(place: Place, scope: Scope, settings: set[str]) -> bool:
    setting, adversary, attack = place
    return (
        setting in settings
        and (adversary is None or scope.adversary in (None, adversary))
        and (attack is None or scope.attack in (None, attack))
    )


def _named(failure: Failure) -> str:
    return f"{failure.stage} of {failure.where}"

"""Controls and verdicts: what the evidence allows to say about each actor, victim and asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from leakaudit.cells.scores import PRIMARY
from leakaudit.judgement.doubts import all_doubts, artefacts, efforts_flat, picked_every_time
from leakaudit.judgement.findings import (
    FindingId,
    Series,
    advantage_figure,
    cannot_tell,
    is_primary,
)
from leakaudit.judgement.picked import corrected
from leakaudit.judgement.single import every_time, single_patients, singles, threshold_of
from leakaudit.judgement.unfinished import Planned, Question
from leakaudit.record import Asset, Control, SinglePatients, Verdict, VerdictValue
from leakaudit.record.estimates import recorded
from leakaudit.statistics import Figure
from leakaudit.statistics.verdict import (
    PATIENT_THRESHOLD,
    Controls,
    effort_doubts,
    judge,
    silence_doubts,
)
from leakaudit.statistics.verdict import Verdict as Said

_WORDS: dict[Said, VerdictValue] = {
    Said.LEAK_SHOWN: "leak shown",
    Said.NONE_SHOWN: "none shown",
    Said.INCONCLUSIVE: "inconclusive",
    Said.NOT_TESTED: "not tested",
    Said.ATTACK_INVALID: "attack invalid",
}


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the strongest attack on one question came to.

    Attributes:
        best: the attack with the highest estimated advantage.
        figure: its advantage, bounds corrected for its having been picked.
        controls: how the controls of this attack came out.
        doubts: everything that keeps silence from counting, whatever the threshold.
        carries: what the messages surely carry: against "none shown", not against a budget.
        single: patients one by one, by all attacks that are to be believed.
    """

    best: FindingId
    figure: Figure
    controls: Controls
    doubts: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()
    single: SinglePatients | None = None


def controls(
    gathered: Mapping[FindingId, Series], undefended: str
) -> dict[tuple[FindingId, str], Control]:
    """The open and the shuffled control of every attacked target, by its undefended finding.

    Args:
        gathered: all series, shuffled ones included.
        undefended: label of the setting without defenses.
    """
    found: dict[tuple[FindingId, str], Control] = {}
    for key, series in gathered.items():
        if not is_primary(key) or key.setting != undefended:
            continue
        advantage = advantage_figure(key, series)
        kind = "shuffled" if key.shuffled else "open"
        at_least = None if advantage is None else advantage.at_least
        leaks = at_least is not None and at_least > 0
        if key.shuffled:
            mean = 0.0 if advantage is None or advantage.mean is None else advantage.mean
            passed = not leaks and (at_least is not None or mean <= 0)
            reason = (
                "finds nothing on shuffled pairs, as it must"
                if passed
                else "finds patients on shuffled pairs: its findings are artefacts"
            )
        else:
            passed = leaks
            reason = (
                "leaks on the undefended split, as it must"
                if passed
                else "does not surely beat the blind baseline even on the undefended split"
            )
        found[replace(key, shuffled=False), kind] = Control(
            kind="shuffled" if key.shuffled else "open",
            adversary=key.adversary,
            victim=key.victim,
            asset=key.asset,
            attack=key.attack,
            cuts=key.cuts,
            metric=key.metric,
            advantage=None if advantage is None else recorded(advantage),
            passed=passed,
            reason=reason,
        )
    return found


def verdicts(
    gathered: Mapping[FindingId, Series],
    known: Mapping[tuple[FindingId, str], Control],
    questions: Iterable[tuple[str, str, str, Asset, str]],
    planned: Planned,
    *,
    undefended: str,
    threshold: float,
    patient_threshold: float = PATIENT_THRESHOLD,
) -> tuple[Verdict, ...]:
    """One verdict per question, from the strongest attack that was mounted.

    Args:
        gathered: all series.
        known: the controls.
        questions: (setting, adversary, victim, asset, why nothing was mounted if nothing was).
        planned: what every attack was to deliver, and which did not.
        undefended: label of the setting without defenses.
        threshold: the advantage that "none shown" must exclude.
        patient_threshold: the same of every single patient.
    """
    return tuple(
        _verdict(
            Question(setting, adversary, victim, asset, *PRIMARY[asset]), gathered, known, planned,
            absent, undefended, threshold, patient_threshold,
        )
        for setting, adversary, victim, asset, absent in questions
    )  # fmt: skip


def evidence(
    question: Question,
    gathered: Mapping[FindingId, Series],
    known: Mapping[tuple[FindingId, str], Control],
    planned: Planned,
    *,
    undefended: str,
    threshold: float,
    patient_threshold: float = PATIENT_THRESHOLD,
) -> Evidence | None:
    """The strongest of the attacks on one question; None where none gave a usable value.

    Args:
        question: as asked.
        gathered: all series.
        known: the controls.
        planned: what every attack was to deliver, and which did not.
        undefended: label of the setting without defenses.
        threshold: the advantage that "none shown" must exclude.
        patient_threshold: the same of every single patient.
    """
    candidates = {key: series for key, series in gathered.items() if question.asks(key)}
    figures = {
        key: measured
        for key, series in candidates.items()
        if (measured := advantage_figure(key, series)) is not None and measured.mean is not None
    }
    if not figures:
        return None
    # An artefact must not stand before a finding that holds.
    sound = [
        key
        for key in figures
        if (control := known.get((_baseline(key, known, undefended), "shuffled"))) is None
        or control.passed
    ]
    best = max(sound or figures, key=lambda key: figures[key].mean or 0.0)
    there = replace(question, setting=undefended)
    able = {
        key.attack
        for key in gathered
        if there.asks(key) and _open_leaks(known.get((key, "open")), threshold) is not False
    }
    baseline = _baseline(best, known, undefended)
    opened, mixed = known.get((baseline, "open")), known.get((baseline, "shuffled"))
    flat = {
        attack: efforts_flat(attack, figures, gathered)
        for attack in dict.fromkeys(key.attack for key in figures)
    }
    figure = corrected(candidates, {key: figures[key] for key in sound or figures}, best)
    outcome = Controls(
        open_leaks=_open_leaks(opened, threshold),
        shuffled_silent=None if mixed is None else mixed.passed,
        effort_flat=flat.pop(best.attack),
    )
    believed = {key: candidates[key] for key in sound or figures}
    single = single_patients(believed, threshold_of(question.asset, patient_threshold))
    unsound = {key: figures[key] for key in figures if sound and key not in sound}
    return Evidence(
        best=best,
        figure=figure,
        controls=outcome,
        doubts=all_doubts(
            filter(None, [cannot_tell(best, candidates[best])]),
            silence_doubts(figure, outcome),
            planned.doubts(question, candidates, able),
            artefacts(unsound, threshold),
            picked_every_time(every_time(believed) if question.asset == "identity" else ()),
            effort_doubts(flat),
        ),
        carries=planned.carries(question),
        single=single,
    )


def _verdict(
    question: Question,
    gathered: Mapping[FindingId, Series],
    known: Mapping[tuple[FindingId, str], Control],
    planned: Planned,
    absent: str,
    undefended: str,
    threshold: float,
    patient_threshold: float,
) -> Verdict:
    found = evidence(
        question, gathered, known, planned, undefended=undefended, threshold=threshold,
        patient_threshold=patient_threshold,
    )  # fmt: skip
    asked = {
        "defense": question.setting, "adversary": question.adversary, "victim": question.victim,
        "asset": question.asset, "threshold": threshold,
    }  # fmt: skip
    if found is None:
        asks = {key: series for key, series in gathered.items() if question.asks(key)}
        tried = bool(asks)
        if blind := next(filter(None, (cannot_tell(*each) for each in asks.items())), ""):
            return Verdict(
                **asked, attack=None, verdict="not tested", reason=blind, doubts=(blind,)
            )
        reason = "no attack gave a usable value" if tried else absent
        failed = planned.failed(question).values()
        return Verdict(
            **asked, attack=None, verdict="attack invalid" if tried else "not tested",
            reason="; ".join(failed) or reason, doubts=tuple(failed) or (reason,),
        )  # fmt: skip
    judged = judge(
        found.figure, found.controls, threshold=threshold,
        doubts=all_doubts(found.doubts, found.carries),
        singles=singles(found.single, question.asset),
    )  # fmt: skip
    best = found.best
    return Verdict(
        **asked, question=gathered[best].question, attack=best.attack, cuts=best.cuts,
        metric=best.metric, region=best.region,
        verdict=_WORDS[judged.verdict], advantage=recorded(found.figure), reason=judged.reason,
        doubts=found.doubts, carries=found.carries, single=found.single,
    )  # fmt: skip


def _baseline(
    best: FindingId, known: Mapping[tuple[FindingId, str], Control], undefended: str
) -> FindingId:
    """The undefended finding whose controls speak for this one.

    The same cuts where they were attacked; otherwise all cuts together: where a defense
    withholds one, "all that cross" are fewer than on the undefended split.
    """
    same = replace(best, setting=undefended)
    if (same, "open") in known:
        return same
    others = [key for key, kind in known if kind == "open" and replace(same, cuts=key.cuts) == key]
    return max(others, key=lambda key: len(key.cuts), default=same)


def _open_leaks(control: Control | None, threshold: float) -> bool | None:
    """Whether the undefended split leaked; None where it was not tried or is not sure."""
    if control is None or control.advantage is None:
        return None
    return control.passed or (None if control.advantage.mean > threshold else False)

"""Controls and verdicts: what the evidence allows to say about each actor, victim and asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from leakaudit.cells.scores import PRIMARY
from leakaudit.judgement.doubts import all_doubts, artefacts, efforts_flat
from leakaudit.judgement.findings import (
    FindingId,
    Series,
    advantage_figure,
    cannot_tell,
    is_primary,
)
from leakaudit.judgement.unfinished import Planned, Question
from leakaudit.record import Asset, Control, Verdict, VerdictValue
from leakaudit.record.estimates import recorded
from leakaudit.statistics import Direction, corrected_level, strongest_figure
from leakaudit.statistics import Estimate as Figure
from leakaudit.statistics.estimate import LEVEL
from leakaudit.statistics.verdict import Controls, effort_doubts, judge, silence_doubts
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
    """

    best: FindingId
    figure: Figure
    controls: Controls
    doubts: tuple[str, ...] = ()


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
            levels=key.levels,
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
) -> tuple[Verdict, ...]:
    """One verdict per question, from the strongest attack that was mounted.

    Args:
        gathered: all series.
        known: the controls.
        questions: (setting, adversary, victim, asset, why nothing was mounted if nothing was).
        planned: what every attack was to deliver, and which did not.
        undefended: label of the setting without defenses.
        threshold: the advantage that "none shown" must exclude.
    """
    return tuple(
        _verdict(
            Question(setting, adversary, victim, asset, *PRIMARY[asset]), gathered, known, planned,
            absent, undefended, threshold,
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
) -> Evidence | None:
    """The strongest of the attacks on one question; None where none gave a usable value.

    Args:
        question: as asked.
        gathered: all series.
        known: the controls.
        planned: what every attack was to deliver, and which did not.
        undefended: label of the setting without defenses.
        threshold: the advantage that "none shown" must exclude.
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
    figure = _corrected(candidates, {key: figures[key] for key in sound or figures}, best)
    outcome = Controls(
        open_leaks=_open_leaks(opened, threshold),
        shuffled_silent=None if mixed is None else mixed.passed,
        effort_flat=flat.pop(best.attack),
    )
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
            effort_doubts(flat),
        ),
    )


def _verdict(
    question: Question,
    gathered: Mapping[FindingId, Series],
    known: Mapping[tuple[FindingId, str], Control],
    planned: Planned,
    absent: str,
    undefended: str,
    threshold: float,
) -> Verdict:
    found = evidence(question, gathered, known, planned, undefended=undefended, threshold=threshold)
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
    judged = judge(found.figure, found.controls, threshold=threshold, doubts=found.doubts)
    best = found.best
    return Verdict(
        **asked, question=gathered[best].question, attack=best.attack, levels=best.levels,
        metric=best.metric, region=best.region,
        verdict=_WORDS[judged.verdict], advantage=recorded(found.figure), reason=judged.reason,
        doubts=found.doubts,
    )  # fmt: skip


def _baseline(
    best: FindingId, known: Mapping[tuple[FindingId, str], Control], undefended: str
) -> FindingId:
    """The undefended finding whose controls speak for this one.

    The same levels where they were attacked; otherwise all levels together: where a defense
    withholds a level, "all that cross" are fewer than on the undefended split.
    """
    same = replace(best, setting=undefended)
    if (same, "open") in known:
        return same
    others = [
        key for key, kind in known if kind == "open" and replace(same, levels=key.levels) == key
    ]
    return max(others, key=lambda key: len(key.levels), default=same)


def _open_leaks(control: Control | None, threshold: float) -> bool | None:
    """Whether the undefended split leaked; None where it was not tried or is not sure."""
    if control is None or control.advantage is None:
        return None
    return control.passed or (None if control.advantage.mean > threshold else False)


def _corrected(
    candidates: Mapping[FindingId, Series], figures: Mapping[FindingId, Figure], best: FindingId
) -> Figure:
    """The strongest attack's figure, its bounds corrected for having been picked of many.

    The interval is corrected like the one-sided bounds: another attack that surely leaks lifts it,
    however unsure the strongest one is.
    """
    strict = corrected_level(LEVEL, len(figures))
    plain = {str(place): figure for place, figure in enumerate(figures.values())}
    corrected = {
        str(place): advantage_figure(key, candidates[key], strict) or figures[key]
        for place, key in enumerate(figures)
    }
    bounds = strongest_figure(plain, corrected, direction=Direction.HIGHER)
    ends = strongest_figure(
        _by_interval(plain), _by_interval(corrected), direction=Direction.HIGHER
    )
    return replace(
        figures[best],
        at_least=bounds.at_least,
        at_most=bounds.at_most,
        lower=ends.at_least,
        upper=ends.at_most,
        method=f"{figures[best].method}; bounds corrected for picking one of {len(figures)}",
    )


def _by_interval(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """The figures with the ends of their intervals in place of the one-sided bounds."""
    return {
        name: replace(figure, at_least=figure.lower, at_most=figure.upper)
        for name, figure in figures.items()
    }

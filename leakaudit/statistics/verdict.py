"""The five verdicts an audit may give on one attack, and the conditions of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from leakaudit.statistics.estimate import Figure

MIN_PATIENTS = 10
MIN_SEEDS = 3
# The smallest, in steps of .05, at which a perfect defense reaches "none shown" in images, with 30
# patients and 5 seeds, in at least 80 % of audits (tests/statistics/test_verdict.py).
PATIENT_THRESHOLD = 0.15


class Verdict(StrEnum):
    """What the evidence allows to say; there is no sixth, and none of them is "safe"."""

    LEAK_SHOWN = "leak shown"
    NONE_SHOWN = "none shown above X"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"
    ATTACK_INVALID = "attack invalid"


@dataclass(frozen=True)
class Controls:
    """Runs whose answer is known. None: the control was not run, or left it open.

    Attributes:
        open_leaks: the same attack leaks on the undefended split, as it must.
        shuffled_silent: it finds nothing on shuffled pairs, as it must.
        effort_flat: more steps or more auxiliary patients no longer help it.
    """

    open_leaks: bool | None
    shuffled_silent: bool | None
    effort_flat: bool | None


@dataclass(frozen=True)
class Singles:
    """What is known of audited patients one by one.

    Attributes:
        audited: how many.
        leaking: of them those whose advantage is surely above ``threshold``.
        at_most: upper bound on the worst; None where there is none.
        threshold: advantage of one patient that counts as a leak.
    """

    audited: int
    leaking: int
    at_most: float | None
    threshold: float

    @property
    def shown(self) -> str:
        """Who leaks, in words."""
        return (
            f"{self.leaking} of {self.audited} patients ({self.leaking / self.audited:.0%}) surely "
            f"above {self.threshold:.2f}"
        )


@dataclass(frozen=True)
class Judgement:
    """A verdict and the sentence that justifies it.

    Attributes:
        verdict: one of the five.
        reason: why, in plain words.
        above: the X of "none shown above X": the advantage that could have been missed.
    """

    verdict: Verdict
    reason: str
    above: float | None = None


def patient_limit(allowed: float, *, threshold: float, patient_threshold: float) -> float:
    """Above which advantage a single patient belies a mean that is allowed so much.

    Args:
        allowed: of the mean.
        threshold: of the mean, as verdicts have it.
        patient_threshold: the same of one patient.

    Returns:
        The verdicts' own threshold for one patient; for a looser mean, half of the way from it to a
        total leak: patients differ.
    """
    if allowed <= threshold:
        return patient_threshold
    return max(patient_threshold, (allowed + 1) / 2)


def judge(
    advantage: Figure | None,
    controls: Controls,
    *,
    threshold: float,
    no_leak: float = 0.0,
    doubts: Sequence[str] = (),
    singles: Singles | None = None,
    min_patients: int = MIN_PATIENTS,
    min_seeds: int = MIN_SEEDS,
) -> Judgement:
    """Turn evidence into a verdict.

    A leak is shown where the advantage over the blind baseline surely exceeds ``no_leak`` and the
    attack finds nothing on shuffled pairs; that needs no positive control, for the leak itself is
    one. "None shown" needs everything: patients, seeds, both controls, a flat effort curve, an
    upper bound within ``threshold``, and no other doubt.

    Args:
        advantage: the attack's advantage, higher is leak, 0 is the blind baseline and 1 a total
            leak; None where the attack was not run.
        controls: how the control runs came out.
        threshold: X of "none shown above X", the advantage that must be excluded.
        no_leak: advantage that counts as none; 0, or the shuffled control's own upper bound.
        singles: patients one by one: one who surely leaks is a leak, whatever the mean, and "none
            shown" bounds the worst of them too; None where a mean is all there is to say.
        doubts: what else keeps silence from being an answer, such as attacks that did not finish.
        min_patients: fewer never yield "none shown".
        min_seeds: fewer never yield "none shown".
    """
    if advantage is None:
        return Judgement(Verdict.NOT_TESTED, "the attack was not run")
    if advantage.mean is None:
        return Judgement(Verdict.ATTACK_INVALID, "the attack gave no usable value")
    if controls.shuffled_silent is False:
        return Judgement(
            Verdict.ATTACK_INVALID,
            "the attack also 'finds' patients in shuffled pairs, so its finding is an artefact",
        )
    if singles is not None and singles.leaking and controls.shuffled_silent:
        return Judgement(Verdict.LEAK_SHOWN, f"a leak of {singles.shown}")
    if advantage.at_least is None or advantage.at_most is None:
        return Judgement(Verdict.INCONCLUSIVE, f"the interval is {advantage.undefined}")
    if advantage.at_least > no_leak:
        if controls.shuffled_silent is None:
            return Judgement(
                Verdict.INCONCLUSIVE,
                "the advantage is above the blind baseline, but shuffled pairs were not tried",
            )
        return Judgement(
            Verdict.LEAK_SHOWN,
            f"the advantage is at least {advantage.at_least:.2f}, above {no_leak:.2f}",
        )
    if controls.open_leaks is False:
        return Judgement(
            Verdict.ATTACK_INVALID,
            "the attack finds nothing even on the undefended split, so its silence says nothing",
        )
    missing = silence_doubts(advantage, controls, min_patients=min_patients, min_seeds=min_seeds)
    if advantage.at_most is None or not advantage.at_most <= threshold:  # a NaN threshold too
        missing.append(f"an advantage above {threshold:.2f} cannot be excluded")
    if singles is not None:
        missing += _any_patient(singles)
    if missing := list(dict.fromkeys([*missing, *doubts])):
        return Judgement(Verdict.INCONCLUSIVE, "; ".join(missing))
    return Judgement(
        Verdict.NONE_SHOWN,
        f"the advantage is at most {advantage.at_most:.2f}, within {threshold:.2f}"
        + ("" if singles is None else f", and for no single patient above {singles.at_most:.2f}")
        + "; "
        "both controls hold and more effort did not help",
        above=advantage.at_most,
    )


def _any_patient(singles: Singles) -> list[str]:
    """What the worst patient may still leak."""
    if singles.leaking:
        return [f"shuffled pairs were not tried, and there is a leak of {singles.shown}"]
    if singles.at_most is None or not singles.at_most <= singles.threshold:
        return [f"above {singles.threshold:.2f} for a single patient cannot be excluded"]
    return []


def silence_doubts(
    advantage: Figure,
    controls: Controls,
    *,
    min_patients: int = MIN_PATIENTS,
    min_seeds: int = MIN_SEEDS,
) -> list[str]:
    """What keeps an attack's silence from counting, whatever the threshold.

    Args:
        advantage: the attack's.
        controls: how the control runs came out.
        min_patients: fewer never yield "none shown".
        min_seeds: fewer never yield "none shown".
    """
    missing = []
    # Whatever a caller sets, one patient or two seeds are never enough.
    if advantage.n_patients < max(2, min_patients):
        missing.append(f"{advantage.n_patients} patients, {max(2, min_patients)} are needed")
    if advantage.n_seeds < max(MIN_SEEDS, min_seeds):
        missing.append(f"{advantage.n_seeds} seed(s), {max(MIN_SEEDS, min_seeds)} are needed")
    if controls.open_leaks is None:
        missing.append("the undefended split was not attacked, or did not surely leak")
    if controls.open_leaks is False:
        missing.append("the attack finds nothing even on the undefended split")
    if controls.shuffled_silent is None:
        missing.append("shuffled pairs were not tried")
    if controls.shuffled_silent is False:
        missing.append("the attack also 'finds' patients in shuffled pairs")
    return missing + effort_doubts({"": controls.effort_flat})


def effort_doubts(flat: Mapping[str, bool | None]) -> list[str]:
    """Of every attack on a question: whether more effort might have found more.

    The strongest alone is not enough: one a little lower that still rises may pass it.

    Args:
        flat: what each is called ("" where there is one) to whether twice the effort gained next to
            nothing; None where that was not measured.
    """
    return [
        (f"{name}: " if name else "")
        + (
            "the effort curve was not measured"
            if each is None
            else "more effort still helped the attack"
        )
        for name, each in flat.items()
        if not each
    ]

"""Many simulated audits of a defense that leaks nothing, judged at once.

Every figure comes from the functions that measured ones come from, for all audits together: one by
one they would take minutes (``tests/judgement/test_power.py`` holds both side by side).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from leakaudit.judgement.findings import (
    Series,
    ceiling_bounds,
    direction_of,
    total_leak,
)
from leakaudit.judgement.silence import (
    ADVERSARY,
    SETTING,
    UNDEFENDED,
    VICTIM,
    Design,
    controls_of,
    finding_id,
    silent,
)
from leakaudit.judgement.unfinished import Planned, Question
from leakaudit.judgement.verdicts import Evidence, controls, evidence
from leakaudit.plugins import Kind, load
from leakaudit.record.estimates import Doubles, advantage_range, scaled, zero_of_rate
from leakaudit.record.power import Spread
from leakaudit.statistics import Direction, Figure, corrected_level, seeds_margin
from leakaudit.statistics.ends import LEVEL, ROUNDING, one_sided
from leakaudit.statistics.patients import students
from leakaudit.statistics.rates import trial_bounds
from leakaudit.statistics.verdict import Judgement, Singles, judge


@dataclass(frozen=True)
class Said:
    """What one simulated audit came to.

    Attributes:
        judgement: the verdict.
        at_most: upper bound of the advantage.
    """

    judgement: Judgement
    at_most: float | None


@dataclass(frozen=True)
class Audits:
    """All of them.

    Attributes:
        said: one by one.
        doubts: what keeps silence from counting in each of them, whatever is measured.
    """

    said: tuple[Said, ...]
    doubts: tuple[str, ...]


def simulate(
    design: Design,
    threshold: float,
    patient_threshold: float,
    spread: Spread | None,
    audits: int,
) -> Audits:
    """Audits with a generator of their own each, and always the same ones."""
    drawn = [silent(design, np.random.default_rng(number), spread) for number in range(audits)]
    found = _evidence(design, drawn[0], threshold, patient_threshold)
    if found is None:
        return Audits((), ("the attack gave no usable value",))
    single = _singles(design, drawn, patient_threshold) if design.asset == "images" else None
    said = []
    for place, figure in enumerate(_figures(design, drawn, found.figure)):
        judged = judge(
            figure, found.controls, threshold=threshold,
            doubts=(*found.doubts, *found.carries), singles=single[place] if single else None,
        )  # fmt: skip
        said.append(Said(judged, figure.at_most))
    return Audits(tuple(said), found.doubts)


def _evidence(
    design: Design, series: Series, threshold: float, patient_threshold: float
) -> Evidence | None:
    """Of one audit: controls and doubts are the same in all."""
    base = controls_of(design)
    key = finding_id(design, SETTING)
    question = Question(SETTING, ADVERSARY, VICTIM, design.asset, key.metric, key.region)
    return evidence(
        question, {**base, key: series}, controls(base, UNDEFENDED), Planned(design.seeds),
        undefended=UNDEFENDED, threshold=threshold, patient_threshold=patient_threshold,
    )  # fmt: skip


def _figures(design: Design, drawn: Sequence[Series], example: Figure) -> Iterator[Figure]:
    """Every audit's advantage; what is not asked of it stays that of the example."""
    key, first = finding_id(design, SETTING), drawn[0]
    values = np.stack([series.values for series in drawn])
    means = values.mean(axis=(-2, -1))
    if first.chance is None:
        shares, reach = _shares(design, drawn)
        least, most = one_sided(shares, LEVEL, (reach, 1.0), Direction.HIGHER)
        yield from _replaced(example, shares.mean(axis=(-2, -1)), least, most)
        return
    ceiling = total_leak(key, first)
    zero = zero_of_rate(first.chance, first.blind)
    if first.trials is not None and first.trials <= design.patients:
        margins = np.broadcast_to(seeds_margin(values, LEVEL), means.shape)
        pairs = [
            trial_bounds(float(mean), float(margin), max(1, first.trials), LEVEL)
            for mean, margin in zip(means, margins, strict=True)
        ]
        least, most = np.array(pairs).T
    else:
        limits = load(Kind.METRIC, key.metric).range
        least, most = one_sided(values, LEVEL, limits, direction_of(key.metric))
    for figure in _replaced(example, means, least, most):
        yield scaled(figure, zero, ceiling, ceiling_bounds(key, first))


def _replaced(
    example: Figure, means: Doubles, least: Doubles | None, most: Doubles | None
) -> Iterator[Figure]:
    for place, mean in enumerate(means.tolist()):
        yield replace(
            example,
            mean=mean,
            lower=None,
            upper=None,
            at_least=None if least is None else float(least[place]),
            at_most=None if most is None else float(most[place]),
        )


def _shares(design: Design, drawn: Sequence[Series]) -> tuple[Doubles, Doubles]:
    """(audits, seeds, patients) of advantages, and (audits,) the least that each may have."""
    key = finding_id(design, SETTING)
    limits = load(Kind.METRIC, key.metric).range
    ceiling = total_leak(key, drawn[0])
    values = np.stack([series.values for series in drawn])
    blind = np.stack([series.blind for series in drawn])
    span = ceiling - blind.mean(axis=(-2, -1), keepdims=True)
    reach = np.array([advantage_range(series.blind, ceiling, limits)[0] for series in drawn])
    return (values - blind) / span, reach


def _singles(design: Design, drawn: Sequence[Series], threshold: float) -> list[Singles]:
    """Patients one by one, as :func:`leakaudit.judgement.single.single_patients` has them."""
    if design.seeds < 2:  # no replicate: no bound
        return [Singles(design.patients, 0, None, threshold)] * len(drawn)
    shares, _ = _shares(design, drawn)
    floor = np.median(shares.var(axis=-2, ddof=1), axis=-1, keepdims=True)
    floor = np.where(floor > (ROUNDING * np.abs(shares).max()) ** 2, floor, 0.0)
    strict = corrected_level(LEVEL, design.patients)
    least, most = students(shares, floor, strict, LEVEL)
    return [
        Singles(design.patients, int((low > threshold).sum()), float(high.max()), threshold)
        for low, high in zip(least, most, strict=True)
    ]

"""Seeds of the same finding side by side, an attack's repeats averaged within each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.cell_judge import CurveValues, TargetScores, Values
from leakaudit.judgement.findings import FindingId, Series
from leakaudit.plan.plan import AttackId
from leakaudit.record.estimates import Doubles, as_array
from leakaudit.split.spec import SplitSpec

_Scored = tuple[AttackResult, TargetScores]


def gather(
    results: Iterable[tuple[AttackId, AttackResult]], split: SplitSpec
) -> dict[FindingId, Series]:
    """Put the seeds of the same finding side by side, an attack's repeats averaged within each.

    Args:
        results: finished attack cells.
        split: says what the cuts are called.
    """
    scores: dict[FindingId, dict[int, list[_Scored]]] = defaultdict(lambda: defaultdict(list))
    for attack, result in results:
        for score in result.scores:
            key = FindingId(
                attack.training.setting, attack.adversary, attack.attack, attack.shuffled,
                score.victim, score.asset, tuple(map(split.cut_name, score.levels)), score.metric,
                score.region,
            )  # fmt: skip
            scores[key][attack.training.seed].append((result, score))
    return {key: _series(seeds) for key, seeds in scores.items()}


def _series(by_seed: dict[int, list[_Scored]]) -> Series:
    seeds = list(by_seed.values())
    first, example = seeds[0][0]
    ceiling = example.ceiling
    every = [score for repeats in seeds for _, score in repeats]
    return Series(
        values=_rows([[score.values for _, score in repeats] for repeats in seeds]),
        blind=_rows([[score.blind for _, score in repeats] for repeats in seeds]),
        patients=first.patients,
        seeds=tuple(by_seed),
        curve=_curve([[score.curve for _, score in repeats] for repeats in seeds]),
        samples=sum(score.samples for score in every),
        chance=example.chance,
        trials=example.trials,
        match_curve=_mean_curve([score.match_curve for score in every if score.match_curve]),
        question=example.question,
        ceiling=None if ceiling is None else as_array((ceiling,)),
        epochs=tuple(sorted({epoch for score in every for epoch in score.epochs})),
        looked_at=tuple(sorted({epoch for score in every for epoch in score.looked_at})),
        curve_auxiliary=_curve(
            [[score.curve_auxiliary for _, score in repeats] for repeats in seeds]
        ),
    )


def _rows(seeds: Sequence[Sequence[Values]]) -> Doubles:
    """(seeds, patients) the mean over the repeats of each seed.

    A value that one repeat lacks is missing: an average of the others would hide it.
    """
    return np.stack([as_array(tuple(repeats)).mean(axis=0) for repeats in seeds])


def _curve(seeds: Sequence[Sequence[Sequence[CurveValues]]]) -> dict[int, Doubles]:
    """The amounts of effort that every repeat under every seed measured, side by side."""
    measured = [
        [{point.effort: point.values for point in curve} for curve in repeats] for repeats in seeds
    ]
    efforts = set.intersection(*(set(curve) for repeats in measured for curve in repeats))
    return {
        effort: _rows([[curve[effort] for curve in repeats] for repeats in measured])
        for effort in sorted(efforts)
    }


def _mean_curve(curves: list[tuple[float, ...]]) -> tuple[float, ...]:
    """Over the seeds that have one; the line-up is the same for every seed."""
    return tuple(float(np.mean(places)) for places in zip(*curves, strict=True))

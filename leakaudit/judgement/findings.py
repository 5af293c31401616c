"""From seeds side by side to findings: estimates, advantages, effort curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from leakaudit.cells.scores import PRIMARY
from leakaudit.plugins import Kind, load
from leakaudit.record import Asset, CurvePoint, Estimate, Finding, Region, estimates
from leakaudit.record.estimates import (
    RATES,
    Doubles,
    as_table,
    figure,
    recorded,
)
from leakaudit.record.part import IdentityQuestion
from leakaudit.statistics import Direction, Figure

# An effort curve is flat when twice the effort gained less than this share of the way from blind to
# a total leak.
FLAT_GAIN = 0.02
_HALF = 0.52  # of the effort at most: half of it, whatever whole steps make of that


@dataclass(frozen=True, order=True)
class FindingId:
    """What one finding speaks of; ``shuffled`` ones become controls, not findings."""

    setting: str
    adversary: str
    attack: str
    shuffled: bool
    victim: str
    asset: Asset
    cuts: tuple[str, ...]
    metric: str
    region: Region


@dataclass(frozen=True, eq=False)
class Series:
    """One finding's values over all seeds.

    Attributes:
        values: (seeds of the training, patients), each the mean over the attack's repeats on that
            training, NaN where missing.
        blind: the same for the blind baseline.
        patients: pseudonyms, in order.
        curve: effort to (seeds, patients).
        curve_auxiliary: number of auxiliary patients to (seeds, patients).
        samples: samples behind the values, over all seeds and repeats.
        chance: value of guessing; None where undefined.
        trials: independent comparisons behind a rate; None: the patients.
        match_curve: share found among the first 1, 2, ... candidates, mean over seeds.
        question: what the adversary holds of the candidates; None unless about identity.
        ceiling: (1, patients) what the judge finds from the truth, the same for every seed; None
            where the metric knows its ceiling.
        seeds: of the trainings, in the order of ``values``.
        epochs: whose messages the guesses were made from, over all seeds; empty: not said.
        looked_at: epochs that the attack read, or weighed against those it read.
    """

    values: Doubles
    blind: Doubles
    patients: tuple[str, ...]
    curve: Mapping[int, Doubles]
    samples: int
    chance: float | None
    trials: int | None = None
    match_curve: tuple[float, ...] = ()
    question: IdentityQuestion | None = None
    ceiling: Doubles | None = None
    epochs: tuple[int, ...] = ()
    looked_at: tuple[int, ...] = ()
    curve_auxiliary: Mapping[int, Doubles] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()


def direction_of(metric: str) -> Direction:
    """Which way is leak."""
    return Direction(load(Kind.METRIC, metric).direction)


def ceiling_of(metric: str, patients: int) -> float | None:
    """The value of a perfect attack."""
    ceiling: float | None = load(Kind.METRIC, metric)().ceiling(patients)
    return ceiling


def one_of(key: FindingId, series: Series) -> float | None:
    """What counts as a total leak: what the judge finds from the truth, or the metric's ceiling."""
    if series.ceiling is None:
        return ceiling_of(key.metric, len(series.patients))
    measured = ceiling_figure(key, series)
    return None if measured is None else measured.mean


def total_leak(key: FindingId, series: Series) -> float:
    """The same for simulated figures, of which each has one: 1 where nothing says otherwise.

    A measured ceiling of 0 stays 0: the judge finds nobody.
    """
    ceiling = one_of(key, series)
    return 1.0 if ceiling is None else ceiling


def ceiling_figure(key: FindingId, series: Series) -> Figure | None:
    """The measured ceiling with its interval; None where the metric knows its own."""
    if series.ceiling is None or np.isnan(series.ceiling).all():
        return None
    return figure(
        series.ceiling, series.patients, direction=direction_of(key.metric),
        rate=key.metric in RATES, limits=load(Kind.METRIC, key.metric).range,
        trials=series.trials,
    )  # fmt: skip


def ceiling_bounds(key: FindingId, series: Series) -> tuple[float, float] | None:
    """Its one-sided bounds; None where it was not measured."""
    measured = ceiling_figure(key, series)
    if measured is None or measured.at_least is None or measured.at_most is None:
        return None
    return measured.at_least, measured.at_most


def cannot_tell(key: FindingId, series: Series) -> str:
    """Why the judge's silence says nothing: from the truth it is not surely better than guessing.

    Empty where it is, or where the judge is no model.
    """
    if series.ceiling is None or series.chance is None:
        return ""
    measured = ceiling_figure(key, series)
    if measured is not None and measured.at_least is not None:
        if measured.at_least > series.chance:
            return ""
        found = f"{100 * (measured.mean or 0):.0f} of 100 patients"
    else:
        found = "an unknown share"
    return (
        f"this picker cannot tell these people apart: from the true images it finds {found}, "
        f"not surely more than guessing ({100 * series.chance:.0f} of 100)"
    )


def value_figure(key: FindingId, series: Series, level: float = 0.95) -> Figure:
    """The attack's own quality."""
    return figure(
        series.values, series.patients, direction=direction_of(key.metric),
        rate=key.metric in RATES, level=level, limits=load(Kind.METRIC, key.metric).range,
        trials=series.trials,
    )  # fmt: skip


def advantage_figure(key: FindingId, series: Series, level: float = 0.95) -> Figure | None:
    """What the attack adds to the blind baseline; None where blind is perfect or has no ceiling."""
    return estimates.advantage_figure(
        series.values, series.blind, series.patients, ceiling_ends=ceiling_bounds(key, series),
        ceiling=one_of(key, series), chance=series.chance,
        limits=load(Kind.METRIC, key.metric).range, rate=key.metric in RATES,
        trials=series.trials, direction=direction_of(key.metric), level=level,
    )  # fmt: skip


def converged(key: FindingId, series: Series) -> bool | None:
    """Whether twice the effort gained next to nothing on every curve; None where none was measured.

    Between the two last points of a curve little may change because they are close, or because an
    attack takes small steps near its end.
    """
    curves = [curve for curve in (series.curve, series.curve_auxiliary) if len(curve) > 1]
    ceiling = one_of(key, series)
    if ceiling is None or not curves:
        return None
    zero = float(np.nanmean(series.blind))
    if key.metric in RATES and series.chance is not None:
        zero = estimates.zero_of_rate(series.chance, series.blind)
    span = ceiling - zero
    if abs(span) < 1e-9:
        return None
    gains = []
    for curve in curves:
        most = max(curve)
        half = max((spent for spent in curve if spent <= _HALF * most), default=min(curve))
        gains.append(float(np.nanmean(curve[most] - curve[half])) / span)
    return max(gains) < FLAT_GAIN


def finding(key: FindingId, series: Series) -> Finding | None:
    """The record's entry; None where the metric is undefined for every patient."""
    estimate = recorded(value_figure(key, series), series.samples)
    if estimate is None:
        return None
    direction = direction_of(key.metric)
    limits = load(Kind.METRIC, key.metric).range
    advantage = advantage_figure(key, series)
    measured = ceiling_figure(key, series)

    def points(curve: Mapping[int, Doubles]) -> tuple[CurvePoint, ...]:
        estimates = (
            (effort, recorded(figure(values, series.patients, direction=direction, limits=limits)))
            for effort, values in curve.items()
        )
        return tuple(CurvePoint(effort=effort, estimate=e) for effort, e in estimates if e)

    blind: Estimate | None = recorded(
        figure(
            series.blind,
            series.patients,
            direction=direction,
            rate=key.metric in RATES,
            limits=limits,
            trials=series.trials,
        )
    )
    return Finding(
        defense=key.setting,
        adversary=key.adversary,
        victim=key.victim,
        asset=key.asset,
        attack=key.attack,
        cuts=key.cuts,
        metric=key.metric,
        region=key.region,
        direction="higher" if direction is Direction.HIGHER else "lower",
        question=series.question,
        ceiling=one_of(key, series),
        ceiling_estimate=None if measured is None else recorded(measured),
        chance=series.chance,
        trials=series.trials,
        epochs=series.epochs,
        estimate=estimate,
        blind=blind,
        advantage=None if advantage is None else recorded(advantage),
        values=as_table(series.values),
        blind_values=as_table(series.blind),
        curve=points(series.curve),
        curve_auxiliary=points(series.curve_auxiliary),
        converged=converged(key, series),
        match_curve=series.match_curve,
    )


def is_primary(key: FindingId) -> bool:
    """Whether controls and verdicts are read from it."""
    return PRIMARY.get(key.asset) == (key.metric, key.region)

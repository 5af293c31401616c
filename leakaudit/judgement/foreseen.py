"""What a plan can exclude, question by question, before it runs or after."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from leakaudit.cells.views import targets_of
from leakaudit.cohorts.cohort import Group
from leakaudit.judgement.findings import FindingId, Series, ceiling_of, is_primary, one_of
from leakaudit.judgement.power import Enough, enough, reach, smallest_of_the_worst
from leakaudit.judgement.silence import STATED, Design
from leakaudit.judgement.unfinished import assets_of
from leakaudit.plan.configuration import AuditConfiguration, Judgement
from leakaudit.plan.plan import mounted
from leakaudit.plugins import Kind, build
from leakaudit.record import Asset
from leakaudit.record.estimates import Doubles, advantage_values
from leakaudit.record.power import PROMISE, Power, Spread
from leakaudit.threat.attack import Attack
from leakaudit.threat.positions import seen_from

_LEAST_SEEDS, _LEAST_PATIENTS = 2, 5  # below them a spread is a guess

Sizes = Mapping[Group, int]
"""Patients in every group."""


def foresee(
    configuration: AuditConfiguration,
    sizes: Sizes,
    spreads: Mapping[Asset, Spread] | None = None,
    ceiling: float | None = None,
) -> tuple[Power, ...]:
    """The smallest leak that a plan can exclude, and how large it would have to be.

    Args:
        configuration: what is asked of whom.
        sizes: patients in every group.
        spreads: measured ones; the others are assumed as stated.
        ceiling: what was found from the true images, where identity is asked; None: not measured.
    """
    measured = spreads or {}
    alike: dict[tuple[Design, int], list[str]] = defaultdict(list)
    for adversary, design, series in _questions(configuration, sizes, ceiling):
        alike[design, series].append(adversary)
    order = list(dict.fromkeys(design.asset for design, _ in alike))
    return tuple(
        _power(
            design, series, tuple(adversaries), configuration.judgement,
            measured.get(design.asset),
        )
        for (design, series), adversaries in sorted(
            alike.items(), key=lambda entry: order.index(entry[0][0].asset)
        )
    )  # fmt: skip


def measured_spreads(gathered: Mapping[FindingId, Series], undefended: str) -> dict[Asset, Spread]:
    """How advantages strayed where an attack came nearest to finding nothing, by asset.

    Args:
        gathered: all series.
        undefended: label of the setting without defenses; it counts where there is no other.
    """
    found: dict[Asset, Spread] = {}
    for asset in STATED:
        mine = [
            (key, series)
            for key, series in gathered.items()
            if is_primary(key) and key.asset == asset and not key.shuffled
        ]
        behind = [(key, series) for key, series in mine if key.setting != undefended]
        nearest = math.inf
        for key, series in behind or mine:
            ceiling = ceiling_of(key.metric, len(series.patients))
            values = advantage_values(series.values, series.blind, ceiling)
            spread = None if values is None else _spread(values)
            if values is None or spread is None:
                continue
            # Not by the mean: a leak that differs between trainings may be nothing on average.
            leak = float(np.sqrt(np.nanmean(np.square(values))))
            if leak < nearest:
                nearest, found[asset] = leak, spread
    return found


def measured_ceiling(gathered: Mapping[FindingId, Series]) -> float | None:
    """The least share of patients that a picker found from the true images; None: not measured."""
    found = [
        one
        for key, series in gathered.items()
        if is_primary(key)
        and key.asset == "identity"
        and series.ceiling is not None
        and (one := one_of(key, series)) is not None
    ]
    return min(found, default=None)


def _spread(values: Doubles) -> Spread | None:
    """Two-way analysis of variance of (seeds, patients); None where there is too little of it."""
    complete = values[:, ~np.isnan(values).any(axis=0)]
    n_seeds, n_patients = complete.shape
    if n_seeds < _LEAST_SEEDS or n_patients < _LEAST_PATIENTS:
        return None
    patients, seeds = complete.mean(axis=0), complete.mean(axis=1)
    rest = complete - patients - seeds[:, None] + complete.mean()
    rest_variance = float((rest**2).sum()) / (n_seeds - 1) / (n_patients - 1)
    variances = (
        float(patients.var(ddof=1)) - rest_variance / n_seeds,
        float(seeds.var(ddof=1)) - rest_variance / n_patients,
        rest_variance,
    )
    # Rounded: it is an estimate, and the same one is simulated once.
    patient, seed, within = (round(math.sqrt(max(0.0, variance)), 3) for variance in variances)
    if max(patient, seed, within) == 0:
        return None
    return Spread(patient=patient, seed=seed, rest=within)


def _power(
    design: Design,
    series: int,
    adversaries: tuple[str, ...],
    judgement: Judgement,
    measured: Spread | None,
) -> Power:
    threshold, single = judgement.threshold, judgement.patient_threshold
    found = reach(design, threshold, series=series, spread=measured, patient_threshold=single)
    needed: Enough | None = None
    if found.share < PROMISE:
        needed = enough(design, threshold, series=series, spread=measured, patient_threshold=single)
    return Power(
        asset=design.asset,
        adversaries=adversaries,
        patients=design.patients,
        seeds=design.seeds,
        series=series,
        threshold=threshold,
        smallest=found.smallest,
        smallest_worst=smallest_of_the_worst(design, series=series, spread=measured),
        share=found.share,
        reason=found.why,
        patients_needed=None if needed is None else needed.patients,
        seeds_needed=None if needed is None else needed.seeds,
        spread=measured or STATED.get(design.asset),
        measured=measured is not None,
        ceiling=design.ceiling,
    )


def _questions(
    configuration: AuditConfiguration, sizes: Sizes, ceiling: float | None
) -> Iterator[tuple[str, Design, int]]:
    """Adversary, size, and number of attacks and cuts, of everything that is attacked."""
    split = configuration.split
    patients = min(sizes[Group.TRAINING], configuration.victims or sizes[Group.TRAINING])
    if split.orientation == "horizontal":
        patients //= len(split.parties)
    for adversary in configuration.adversaries:
        knowledge = seen_from(adversary, split) | adversary.granted
        series: dict[Asset, int] = defaultdict(int)
        for use in mounted(configuration, adversary):
            attack: Attack = build(Kind.ATTACK, use.use, use.settings)
            levels = {target.levels for target in targets_of(attack, adversary, split)}
            if levels and not attack.required & ~knowledge:
                for asset in assets_of(use):
                    series[asset] += len(levels)
        for asset, count in series.items():
            others = sizes[Group.VALIDATION] if asset == "membership" else 0
            if asset == "membership" and not others:
                continue
            one = ceiling if asset == "identity" else None
            design = Design(asset, patients, len(configuration.seeds), others, one)
            yield adversary.name, design, count

"""Dice against leakage per actor: which settings are surely beaten by another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leakaudit.cells.scores import PRIMARY
from leakaudit.judgement.findings import FindingId, Series, one_of
from leakaudit.judgement.price import change, dice_estimates, difference, labelled
from leakaudit.judgement.standing import Findings
from leakaudit.judgement.verdicts import Evidence
from leakaudit.record import Asset, Estimate, TradeOff, TradeOffPoint, Utility
from leakaudit.record.advantage import advantage_cells
from leakaudit.record.estimates import recorded
from leakaudit.statistics import Cells, Comparison, holm

# A loss nobody would act on: two hundredths of the way to a total leak, or of Dice.
MARGIN = 0.02
SURE = 0.05
# VFLAIR weighs privacy and utility alike unless told otherwise.
CAPABILITY_WEIGHT = 0.5


def defense_capability(attack: float, utility: float, unharmed: float) -> float:
    """The Defense Capability Score of one setting against one attack: 1 is ideal.

    1 / (1 + distance) to the ideal defense, which leaves the attack 0 and the task unharmed.
    Differs: the attack's performance is its advantage over the blind baseline, not below 0.
    Source: Zou et al., VFLAIR, ICLR 2024, arXiv 2310.09827, equation 1, with beta 0.5.

    Args:
        attack: advantage of the strongest attack, 0 to 1.
        utility: Dice with the defense, 0 to 1.
        unharmed: Dice without any.
    """
    beta = CAPABILITY_WEIGHT
    gained, lost = max(attack, 0.0), utility - unharmed
    return 1 / (1 + math.sqrt((1 - beta) * gained**2 + beta * lost**2))


@dataclass(frozen=True, eq=False)
class _Placed:
    """One setting on one map."""

    setting: str
    victim: str
    evidence: Evidence
    leakage: Cells | None


def trade_offs(
    settings: Iterable[str],
    findings: Findings,
    dice: Mapping[str, Cells],
    utility: Iterable[Utility],
    region: str,
) -> tuple[TradeOff, ...]:
    """One map per actor and asset that was attacked.

    Args:
        settings: labels, in the order of the record.
        findings: what all attacks came to.
        dice: by setting.
        utility: of the record.
        region: whose Dice stands for utility.
    """
    labels = list(settings)
    estimates = dice_estimates(utility, region)
    found = []
    for asset in PRIMARY:
        metric, where = PRIMARY[asset]
        pairs = findings.attacked(asset, metric, where)
        for adversary in dict.fromkeys(name for name, _ in pairs):
            victims = [victim for name, victim in pairs if name == adversary]
            placed = [
                worst
                for setting in labels
                if (worst := _worst(setting, adversary, victims, asset, findings))
            ]
            if placed:
                points = _points(placed, dice, estimates, findings.undefended)
                found.append(
                    TradeOff(adversary=adversary, asset=asset, metric=metric, region=region,
                             margin=MARGIN, points=points)
                )  # fmt: skip
    return tuple(found)


def _worst(
    setting: str,
    adversary: str,
    victims: Iterable[str],
    asset: Asset,
    findings: Findings,
) -> _Placed | None:
    """The victim that leaks most under a setting."""
    metric, region = PRIMARY[asset]
    known = {
        victim: evidence
        for victim in victims
        if (evidence := findings.on(setting, adversary, victim, asset, metric, region))
    }
    if not known:
        return None
    victim = max(known, key=lambda name: known[name].figure.mean or 0.0)
    best = known[victim].best
    series = findings.gathered[best]
    return _Placed(setting, victim, known[victim], _leakage(best, series))


def _leakage(key: FindingId, series: Series) -> Cells | None:
    """The advantage by patient and seed: what settings are paired on."""
    shares = advantage_cells(
        series.values, series.blind, metric=key.metric, chance=series.chance,
        ceiling=one_of(key, series),
    )  # fmt: skip
    if shares is None:
        return None
    rows = {
        seed: [None if math.isnan(value) else value for value in row]
        for seed, row in zip(series.seeds, shares.tolist(), strict=True)
    }
    return labelled(rows, series.patients)


def _points(
    placed: list[_Placed],
    dice: Mapping[str, Cells],
    estimates: Mapping[str, Estimate],
    undefended: str,
) -> tuple[TradeOffPoint, ...]:
    beaten = dominated({each.setting: (each.leakage, dice.get(each.setting)) for each in placed})
    unharmed = estimates.get(undefended)
    points = []
    for each in placed:
        leakage = recorded(each.evidence.figure)
        if leakage is None:
            continue
        kept = estimates.get(each.setting)
        points.append(
            TradeOffPoint(
                setting=each.setting,
                victim=each.victim,
                attack=each.evidence.best.attack,
                leakage=leakage,
                dice=kept,
                dice_change=None
                if each.setting == undefended
                else change(dice.get(each.setting), dice.get(undefended)),
                dominated_by=beaten[each.setting],
                defense_capability=None
                if kept is None or unharmed is None
                else defense_capability(leakage.mean, kept.mean, unharmed.mean),
            )
        )
    return tuple(points)


def dominated(
    settings: Mapping[str, tuple[Cells | None, Cells | None]],
) -> dict[str, tuple[str, ...]]:
    """Who surely beats whom.

    One setting beats another where it is significantly better in leakage or in Dice (paired over
    patients and seeds, Holm over all pairs and both), and in the other not worse by more than
    :data:`MARGIN`, by the bound of that pair alone. What was not measured in both beats nothing and
    is not beaten.

    Args:
        settings: label to leakage and Dice, by patient and seed.

    Returns:
        Label to those that beat it.
    """
    pairs = list(itertools.combinations(settings, 2))
    compared = {
        pair: tuple(
            difference(settings[pair[1]][which], settings[pair[0]][which]) for which in (0, 1)
        )
        for pair in pairs
    }
    tested = [
        (pair, which)
        for pair, both in compared.items()
        for which in (0, 1)
        if (one := both[which]) is not None and one.p_value is not None
    ]
    adjusted = dict(
        zip(tested, holm([_p(compared[pair][which]) for pair, which in tested]), strict=True)
    )
    beaten: dict[str, list[str]] = {label: [] for label in settings}
    for pair in pairs:
        leak, dice = compared[pair]
        if leak is None or dice is None:
            continue
        first, second = pair
        # Both are second minus first: leakage up, or Dice down, speaks for the first.
        for winner, loser, sign in ((first, second, 1), (second, first, -1)):
            better_leak = _better(leak, adjusted.get((pair, 0)), sign)
            better_dice = _better(dice, adjusted.get((pair, 1)), -sign)
            if (better_leak and _no_worse(dice, -sign)) or (better_dice and _no_worse(leak, sign)):
                beaten[loser].append(winner)
    return {label: tuple(others) for label, others in beaten.items()}


def _p(found: Comparison | None) -> float:
    return 1.0 if found is None or found.p_value is None else found.p_value


def _better(found: Comparison, p_value: float | None, sign: int) -> bool:
    """Whether the difference surely has that sign."""
    mean = found.difference.mean
    return p_value is not None and p_value < SURE and mean is not None and sign * mean > 0


def _no_worse(found: Comparison, sign: int) -> bool:
    """Whether the difference surely goes no further than the margin against that sign."""
    figure = found.difference
    if found.p_value is None:
        return figure.mean == 0 == figure.worst
    bound = figure.at_least if sign > 0 else figure.at_most
    return bound is not None and sign * bound >= -MARGIN

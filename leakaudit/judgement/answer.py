"""The answer: the least defense that meets every target, its price, or what came nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leakaudit.judgement.price import change, dice_estimates, difference, segments_nothing
from leakaudit.policy import PolicyFile
from leakaudit.record import Answer, Estimate, Standing, TargetSummary, Utility
from leakaudit.statistics import Cells

SURE = 0.05


def answer(
    settings: Sequence[str],
    targets: Sequence[TargetSummary],
    standings: Sequence[Standing],
    dice: Mapping[str, Cells],
    utility: Iterable[Utility],
    *,
    undefended: str,
    region: str,
    least_dice: float | None,
    policy: PolicyFile | None = None,
    idle: Mapping[str, Cells] | None = None,
) -> Answer | None:
    """The setting that meets every target at the least price, or what came nearest.

    That is no defense where none is needed, otherwise the highest Dice. Settings of surely too low
    a Dice are left out.

    Args:
        settings: labels, in the order of the record.
        targets: what must be kept to.
        standings: how every setting stands to every target.
        dice: by setting.
        utility: of the record.
        undefended: label of the setting without defenses.
        region: whose Dice is the price.
        least_dice: Dice below which a setting is of no use; None for no such floor.
        policy: that set the targets; None where the configuration did.
        idle: Dice of a mask that is empty or full, by setting; None: of an empty one.

    Returns:
        None where there is no target.
    """
    if not targets:
        return None
    estimates = dice_estimates(utility, region)
    nothing, without = idle or {}, dice.get(undefended)
    works = not segments_nothing(without, nothing.get(undefended))
    useless = tuple(
        name
        for name in settings
        if hopeless(estimates.get(name), least_dice)
        or (works and segments_nothing(dice.get(name), nothing.get(name), without))
    )
    of = {name: [each for each in standings if each.setting == name] for name in settings}
    kept = [name for name in settings if name not in useless]
    meeting = [name for name in kept if all(each.outcome == "met" for each in of[name])]
    bare = undefended
    known: dict[str, Any] = {
        "targets": tuple(targets),
        "policy": None if policy is None else policy.policy.title,
        "policy_sha256": None if policy is None else policy.sha256,
        "least_dice": least_dice,
        "region": region,
        "standings": tuple(standings),
        "useless": useless,
    }
    if not meeting:
        nearest, excess = _nearest(kept, of, targets)
        return Answer(
            **known, least=None, nearest=nearest, excess=excess,
            dice_change=None if nearest in (None, bare)
            else change(dice.get(nearest or ""), dice.get(bare)),
            reason=_unmet(nearest, excess, of, useless, targets),
        )  # fmt: skip
    least = bare if bare in meeting else max(meeting, key=lambda name: _mean(estimates.get(name)))
    return Answer(
        **known,
        least=least,
        dice_change=None if least == bare else change(dice.get(least), dice.get(bare)),
        rivals=tuple(
            name
            for name in meeting
            if least not in (name, bare) and _not_surely_apart(dice, name, least)
        ),
        reason="the split meets every target without any defense"
        if least == bare
        else f"of {len(meeting)} of {len(settings)} settings that meet every target, the one with "
        "the highest Dice",
    )


def hopeless(dice: Estimate | None, least_dice: float | None) -> bool:
    """Whether Dice is surely below the floor; its mean decides where nothing bounds it."""
    if dice is None or least_dice is None:
        return False
    upper = dice.one_sided_upper if dice.upper is None else dice.upper
    return (dice.mean if upper is None else upper) < least_dice


def _mean(estimate: Estimate | None) -> float:
    return float("-inf") if estimate is None else estimate.mean


def _not_surely_apart(dice: Mapping[str, Cells], name: str, least: str) -> bool:
    found = difference(dice.get(name), dice.get(least))
    return found is None or found.p_value is None or found.p_value >= SURE


def _nearest(
    kept: Sequence[str], of: Mapping[str, Sequence[Standing]], targets: Sequence[TargetSummary]
) -> tuple[str | None, float | None]:
    """The setting whose bounds lie least beyond the targets, at worst; None without any bound."""
    excesses = {
        name: max(_beyond(each, targets[each.target]) for each in of[name])
        for name in kept
        if all(each.bound is not None for each in of[name])
    }
    if not excesses:
        return None, None
    nearest = min(excesses, key=lambda name: excesses[name])
    return nearest, excesses[nearest]


def _beyond(standing: Standing, target: TargetSummary) -> float:
    """How far a bound lies on the wrong side, in the target's own unit."""
    bound = standing.bound or 0.0
    return bound - target.max if target.max is not None else (target.min or 0.0) - bound


def _unmet(
    nearest: str | None,
    excess: float | None,
    of: Mapping[str, Sequence[Standing]],
    useless: Sequence[str],
    targets: Sequence[TargetSummary],
) -> str:
    floor = (
        f"; {len(useless)} left out for a Dice below the floor, or of no mask" if useless else ""
    )
    if nearest is None or excess is None:
        return (
            f"no setting meets every target, and none has bounds to say which came nearest{floor}"
        )
    lacking = next(each for each in of[nearest] if each.outcome != "met")
    if excess <= 0:
        said = "no setting surely meets every target; the nearest lacks proof"
        rule = targets[lacking.target].rule
        whose = "" if rule is None else f"for {rule!r}, "
        return f"{said}: {whose}{lacking.reason}{floor}"
    worst = max(of[nearest], key=lambda each: _beyond(each, targets[each.target]))
    rule = targets[worst.target].rule
    which = "exceeds one" if rule is None else f"misses {rule!r}"
    return f"no setting meets every target; the nearest {which} by {excess:.2f}{floor}"

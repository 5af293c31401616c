"""The answer: the least defense that meets every target, its price, or what came nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from leakaudit.audit.price import change, dice_estimates, difference
from leakaudit.audit.standing import Findings, standing
from leakaudit.record.model import Answer, Estimate, Standing, TargetSummary, Utility
from leakaudit.statistics import Cells

SURE = 0.05


def answer(
    settings: Sequence[str],
    targets: Sequence[TargetSummary],
    findings: Findings,
    dice: Mapping[str, Cells],
    utility: Iterable[Utility],
    *,
    region: str,
    least_dice: float | None,
) -> Answer | None:
    """Hold every setting against every target.

    The least defense is the setting that meets all at the least price: no defense where none is
    needed, otherwise the highest Dice. Settings of surely too low a Dice are left out.

    Args:
        settings: labels, in the order of the record.
        targets: what must be kept to.
        findings: what all attacks came to.
        dice: by setting.
        utility: of the record.
        region: whose Dice is the price.
        least_dice: Dice below which a setting is of no use; None for no such floor.

    Returns:
        None where nothing was attacked.
    """
    if not targets or not findings.gathered:
        return None
    estimates = dice_estimates(utility, region)
    standings = tuple(
        standing(setting, number, target, findings)
        for setting in settings
        for number, target in enumerate(targets)
    )
    useless = tuple(name for name in settings if hopeless(estimates.get(name), least_dice))
    of = {name: [each for each in standings if each.setting == name] for name in settings}
    kept = [name for name in settings if name not in useless]
    meeting = [name for name in kept if all(each.outcome == "met" for each in of[name])]
    bare = findings.undefended
    if not meeting:
        nearest, excess = _nearest(kept, of, targets)
        return Answer(
            targets=tuple(targets), least_dice=least_dice, region=region, standings=standings,
            useless=useless, least=None, nearest=nearest, excess=excess,
            dice_change=None if nearest in (None, bare)
            else change(dice.get(nearest or ""), dice.get(bare)),
            reason=_unmet(nearest, excess, of, useless),
        )  # fmt: skip
    least = bare if bare in meeting else max(meeting, key=lambda name: _mean(estimates.get(name)))
    return Answer(
        targets=tuple(targets),
        least_dice=least_dice,
        region=region,
        standings=standings,
        useless=useless,
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
    """Whether Dice is surely below the floor; its mean decides where there is no interval."""
    if dice is None or least_dice is None:
        return False
    return (dice.mean if dice.upper is None else dice.upper) < least_dice


def _mean(estimate: Estimate | None) -> float:
    return float("-inf") if estimate is None else estimate.mean


def _not_surely_apart(dice: Mapping[str, Cells], name: str, least: str) -> bool:
    found = difference(dice.get(name), dice.get(least))
    return found is None or found.p_value is None or found.p_value >= SURE


def _nearest(
    kept: Sequence[str], of: Mapping[str, Sequence[Standing]], targets: Sequence[TargetSummary]
) -> tuple[str | None, float | None]:
    """The setting whose bounds lie least above the targets, at worst; None without any bound."""
    excesses = {
        name: max((each.bound or 0.0) - targets[each.target].max for each in of[name])
        for name in kept
        if all(each.bound is not None for each in of[name])
    }
    if not excesses:
        return None, None
    nearest = min(excesses, key=lambda name: excesses[name])
    return nearest, excesses[nearest]


def _unmet(
    nearest: str | None,
    excess: float | None,
    of: Mapping[str, Sequence[Standing]],
    useless: Sequence[str],
) -> str:
    floor = f"; {len(useless)} left out for a Dice below the floor" if useless else ""
    if nearest is None or excess is None:
        return (
            f"no setting meets every target, and none has bounds to say which came nearest{floor}"
        )
    lacking = next(each for each in of[nearest] if each.outcome != "met")
    if excess <= 0:
        said = "no setting surely meets every target; the nearest lacks proof"
        return f"{said}: {lacking.reason}{floor}"
    return f"no setting meets every target; the nearest exceeds one by {excess:.2f}{floor}"

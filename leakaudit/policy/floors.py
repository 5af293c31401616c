"""One utility floor against a record: the region that fares worst must keep it."""

from __future__ import annotations

import numpy as np

from leakaudit.policy.budgets import LEARN_MORE, sure
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import UtilityFloor
from leakaudit.policy.reading import Placed
from leakaudit.policy.result import Measured, Result, Status
from leakaudit.policy.validity import LEAST_SEEDS, too_few_seeds
from leakaudit.policy.wording import counted, limited, number, sentences
from leakaudit.record import Utility
from leakaudit.record.estimates import as_array, figure
from leakaudit.statistics import Direction, Figure, corrected_level
from leakaudit.statistics.ends import LEVEL


def judge_floor(evidence: Evidence, placed: Placed, floor: UtilityFloor) -> Result:
    """Hold a floor against the Dice of its setting.

    Every region has to keep it: a pass asks each lower bound to lie above, a failure one upper
    bound, corrected for the number of regions, to lie below. Patients whose Dice is undefined
    (nothing there, nothing found) are counted in the record and left out.
    """
    regions = [
        utility
        for utility in evidence.record.utility
        if utility.setting == placed.setting
        and utility.metric == floor.metric
        and floor.region in (None, utility.region)
    ]
    obstacles = [problem for utility in regions if (problem := _problem(evidence, utility))]
    obstacles += [
        f"{failure.stage} of {failure.where} did not finish ({failure.reason})"
        for failure in evidence.record.failures
        if failure.stage == "training" and failure.where.startswith(f"{placed.setting}, seed ")
    ]
    if not regions:
        obstacles.append(f"the audit measured no {floor.metric} of `{placed.setting}`")
    elif floor.region is None:
        measured = {utility.region for utility in regions}
        obstacles += [
            f"{floor.metric} of {region} was not measured under `{placed.setting}`"
            for region in evidence.record.cohort.regions
            if region not in measured
        ]
    if obstacles:
        return Result(
            placed,
            Status.INVALID,
            sentences(limited(obstacles)),
            remedy="measure Dice on at least two validation patients and two seeds",
        )
    return _decided(evidence, placed, floor, regions)


def no_floor(evidence: Evidence, setting: str) -> str:
    """What to say of a setting that no floor speaks of: whether its model still works."""
    dice = {
        (u.setting, u.region): u.estimate.mean
        for u in evidence.record.utility
        if u.metric == "dice"
    }
    figures = []
    for region in evidence.record.cohort.regions:
        here, open_split = (dice.get((s, region)) for s in (setting, evidence.undefended))
        if here is not None:
            beside = "" if open_split is None else f" (undefended {number(open_split)})"
            figures.append(f"{region} {number(here)}{beside}")
    known = f"its Dice is {', '.join(figures)}" if figures else "its Dice was not measured"
    return (
        f"no [[utility]] floor speaks of `{setting}`, so that a protection that breaks the model "
        f"passes: {known}"
    )


def _decided(
    evidence: Evidence, placed: Placed, floor: UtilityFloor, regions: list[Utility]
) -> Result:
    strict = corrected_level(LEVEL, len(regions))
    plain = {u.region: _figure(evidence, u, LEVEL) for u in regions}
    corrected = {u.region: _figure(evidence, u, strict) for u in regions}
    highs = [f.at_most for f in corrected.values() if f.at_most is not None]
    lows = [f.at_least for f in plain.values()]
    worst = min(plain, key=lambda name: _or(plain[name].mean, 1.0))
    undefined = [f"{name}: {f.undefined}" for name, f in plain.items() if f.at_least is None]
    deciding = Measured(
        label=f"{floor.metric} of {worst}, mean",
        value=_or(plain[worst].mean, float("nan")),
        at_least=None if undefined else min(low for low in lows if low is not None),
        at_most=min(highs) if highs else None,
        bound=floor.min,
        higher_is_worse=False,
    )
    if deciding.at_most is not None and deciding.at_most < floor.min:
        status, remedy = (
            Status.FAIL,
            (
                "Protect less, train longer, or choose another setting: a model that does not work "
                "protects nobody."
            ),
        )
    elif deciding.at_least is not None and deciding.at_least >= floor.min:
        few = too_few_seeds(min(figure.n_seeds for figure in plain.values()))
        status, remedy = (Status.INCONCLUSIVE, LEARN_MORE) if few else (Status.PASS, "")
        undefined += few
    else:
        status, remedy = Status.INCONCLUSIVE, LEARN_MORE
    of = f", the worst of {len(regions)} regions" if len(regions) > 1 else ""
    parts = [
        f"`{placed.setting}`, {worst}{of}: {floor.metric} {number(deciding.value)}{sure(deciding)}",
        f"at least {number(floor.min)} is required",
        *undefined,
    ]
    return Result(placed, status, sentences(parts), worst, deciding, remedy)


def _problem(evidence: Evidence, utility: Utility) -> str:
    seeds, planned = len(utility.values), len(evidence.record.seeds)
    patients = int((~np.isnan(as_array(utility.values)).all(axis=0)).sum())
    if min(seeds, planned) < LEAST_SEEDS:
        return f"{counted(min(seeds, planned), 'seed')} of training, {LEAST_SEEDS} are needed"
    if seeds != planned:
        return f"{utility.region}: {seeds} of {planned} seeds finished"
    if patients < 2:
        return f"{utility.region}: {counted(patients, 'validation patient')} with a value"
    return ""


def _figure(evidence: Evidence, utility: Utility, level: float) -> Figure:
    # Dice ends at both ends of its range, so that both bounds hold for any shape of patients.
    return figure(
        as_array(utility.values),
        evidence.record.cohort.validation_patients,
        direction=Direction.HIGHER,
        level=level,
        limits=(0.0, 1.0),
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value

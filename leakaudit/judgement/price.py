"""What settings cost in Dice, and which differ for sure: paired on patients and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from leakaudit.cells.training_cell import RegionUtility, TrainingResult
from leakaudit.errors import DataError
from leakaudit.judgement.utility import by_setting
from leakaudit.plan.plan import TrainingId
from leakaudit.record import Estimate, Utility
from leakaudit.record.estimates import recorded
from leakaudit.statistics import Cells, Comparison, Direction, compare

# Dice of an empty mask is 0; a few voxels hit by chance are no segmentation.
EMPTY_MASK = 0.05


def main_region(results: Mapping[TrainingId, TrainingResult], regions: Sequence[str]) -> str:
    """The region whose Dice stands for utility: the cohort's first that was measured."""
    measured = {region for result in results.values() for region in result.utility}
    return next((region for region in regions if region in measured), next(iter(regions), ""))


def dice_cells(
    results: Mapping[TrainingId, TrainingResult], region: str, patients: Sequence[str]
) -> dict[str, Cells]:
    """Dice of every setting by patient and seed; settings without any value are left out.

    Args:
        results: finished trainings; references are left out.
        region: whose Dice.
        patients: validation patients.
    """
    return _cells_of(results, region, patients, lambda scores: scores.dice)


def idle_cells(
    results: Mapping[TrainingId, TrainingResult], region: str, patients: Sequence[str]
) -> dict[str, Cells]:
    """Dice of a mask that is empty or marks everything, for the same patients and seeds."""
    return _cells_of(results, region, patients, lambda scores: scores.idle)


def _cells_of(
    results: Mapping[TrainingId, TrainingResult],
    region: str,
    patients: Sequence[str],
    of: Callable[[RegionUtility], Mapping[str, float | None]],
) -> dict[str, Cells]:
    found = {}
    for setting, seeds in by_setting(results).items():
        if seeds[0].reference:
            continue
        rows = {
            identity.seed: [of(results[identity].utility[region]).get(name) for name in patients]
            for identity in seeds
            if region in results[identity].utility
        }
        cells = labelled(rows, patients)
        if cells is not None:
            found[setting] = cells
    return found


def dice_estimates(utility: Iterable[Utility], region: str) -> dict[str, Estimate]:
    """Dice of every defense setting."""
    return {
        entry.setting: entry.estimate
        for entry in utility
        if (entry.metric, entry.region, entry.reference) == ("dice", region, False)
    }


def segments_nothing(dice: Cells | None, idle: Cells | None, bare: Cells | None = None) -> bool:
    """Whether a network draws no better than one that learnt nothing, patient by patient.

    It protects nothing worth protecting. Few patients bound every Dice from below by little: a
    network that surely lost no half of what it draws undefended is given the benefit.

    Args:
        dice: of the setting; None where it was not measured.
        idle: Dice of a mask that is empty or full; None: of an empty one.
        bare: Dice without any defense; None where the mean must decide.
    """
    if dice is None:
        return False
    nothing = replace(dice, values=np.zeros_like(dice.values))
    above = difference(dice, idle or nothing)
    if above is None or above.difference.mean is None:
        return False
    if bare is None or above.difference.at_least is None:
        return above.difference.mean <= EMPTY_MASK
    return above.difference.at_least <= EMPTY_MASK and _lost_half(dice, bare)


def _lost_half(dice: Cells, bare: Cells) -> bool:
    left = difference(dice, replace(bare, values=bare.values / 2))
    if left is None or left.difference.mean is None:
        return True
    most = left.difference.at_most
    return (left.difference.mean if most is None else most) < 0


def labelled(rows: Mapping[int, Sequence[float | None]], patients: Sequence[str]) -> Cells | None:
    """Values by seed and patient as the statistics take them; None where there is no value."""
    values = np.array(
        [[np.nan if value is None else value for value in row] for row in rows.values()],
        dtype=np.float64,
    ).reshape(len(rows), len(patients))
    present = ~np.isnan(values)
    if not present.any():
        return None
    some, runs = np.flatnonzero(present.any(axis=0)), np.flatnonzero(present.any(axis=1))
    kept = values[runs][:, some]
    return Cells(
        values=kept,
        patients=tuple(patients[place] for place in some.tolist()),
        seeds=tuple(list(rows)[run] for run in runs.tolist()),
        n_samples=int(present.sum()),
        n_missing=int((~present).sum()),
    )


def difference(
    today: Cells | None, baseline: Cells | None, *, direction: Direction = Direction.HIGHER
) -> Comparison | None:
    """Today minus baseline, paired; None where they share no patient or seed."""
    if today is None or baseline is None:
        return None
    try:
        return compare(today, baseline, direction=direction)
    except DataError:
        return None


def change(today: Cells | None, baseline: Cells | None) -> Estimate | None:
    """Today minus baseline as the record holds it."""
    found = difference(today, baseline)
    return None if found is None else recorded(found.difference)

"""Hold guesses about a person against the truth: whether it trained, and what it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from leakaudit.cells.scores import PRIMARY, Doubles, Floats, Score
from leakaudit.errors import NotMountableError
from leakaudit.metrics import (
    AreaUnderCurve,
    TruePositiveRate,
)
from leakaudit.threat.properties import Property, median_size, property_of

Names = npt.NDArray[np.str_]
# Scores that differ by less than this are alike: rounding may not break a tie.
_DECIMALS = 6


def score_membership(guess: Floats, candidates: Names, members: Sequence[str]) -> Iterator[Score]:
    """How well scores tell patients who were in training from patients who were not.

    Args:
        guess: (c,) the higher, the likelier in training.
        candidates: (c,) the patient of each candidate.
        members: who was in training.
    """
    inside = np.isin(candidates, members)
    scores: Doubles = guess.astype(np.float64).round(_DECIMALS)
    curve, rate = AreaUnderCurve(), TruePositiveRate()
    outsiders = int((~inside).sum())
    trials = min(int(inside.sum()), outsiders)
    for metric, chance in ((curve, 0.5), (rate, rate.guessing(outsiders))):
        values = metric(scores, inside)[inside]
        yield Score("membership", metric.name, "whole", values, candidates[inside], chance, trials)


def score_attribute(guess: Floats, owners: Names, truth: Doubles) -> Score:
    """How well scores tell patients with a property from patients without.

    Args:
        guess: (n,) per sample, the higher, the likelier the patient has it.
        owners: (n,) the patient of each sample.
        truth: (p,) of the patients in sorted order: 1, 0, or NaN where it cannot be said.

    Raises:
        NotMountableError: all patients are alike in this.
    """
    names, number = np.unique(owners, return_inverse=True)
    totals = np.bincount(number, guess.astype(np.float64))
    scores = np.round(totals / np.bincount(number), _DECIMALS)
    known = ~np.isnan(truth)
    positive = truth[known] == 1
    trials = int(min(positive.sum(), (~positive).sum()))
    if not trials:
        raise NotMountableError(
            "an attribute is told apart among patients who differ in it",
            found=f"all {len(positive)} attacked patients of whom it can be said are alike",
            remedy="attack more patients, or another property",
        )
    values = np.full(len(names), np.nan)
    values[known] = AreaUnderCurve()(scores[known], positive)
    return Score("attribute", *PRIMARY["attribute"], values, names, 0.5, trials)


def true_property(
    masks: npt.NDArray[np.uint8], owners: Names, told: Property, auxiliary: npt.NDArray[np.uint8],
    auxiliary_owners: Names,
) -> Doubles:  # fmt: skip
    """(p,) 1, 0 or NaN per patient in sorted order: see :mod:`leakaudit.threat.properties`."""
    _, number = np.unique(owners, return_inverse=True)
    _, others = np.unique(auxiliary_owners, return_inverse=True)
    median = median_size(torch.from_numpy(auxiliary), torch.from_numpy(others))
    _, found = property_of(torch.from_numpy(masks), torch.from_numpy(number), told, median)
    values: Doubles = found.numpy()
    return values

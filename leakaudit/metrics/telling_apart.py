"""Telling two kinds of patients apart: in training or not, with a property or without."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric, Values
from leakaudit.statistics.direction import Direction

Flags = npt.NDArray[np.bool_]


class AreaUnderCurve(Metric):
    """How often, of two patients of different kinds, the score says rightly which is which.

    Each patient's value is the share of patients of the other kind from whom its score tells it
    apart, ties counting half. The mean over the patients of one kind, or over all, is the area
    under the ROC curve.
    """

    name: ClassVar[str] = "auc"
    title: ClassVar[str] = "AUC"
    unit: ClassVar[str] = "share of pairs"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Hanley and McNeil 1982, Radiology 143; DeLong et al. 1988 (placements)"
    meaning: ClassVar[str] = (
        "Of 100 pairs of patients, one with and one without what is asked about, how often the "
        "adversary says rightly which is which: 50 is guessing."
    )
    remedy: ClassVar[str] = (
        "Send fewer levels or fewer channels, or noise with a formal claim per patient."
    )

    def chance(self, n: int) -> float | None:  # noqa: ARG002
        """A coin."""
        return 0.5

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """Every pair told apart."""
        return 1.0

    def __call__(self, scores: Values, positive: Flags) -> Values:
        """Each patient's placement among those of the other kind.

        Args:
            scores: (n,) the higher, the likelier positive.
            positive: (n,) what is true.

        Returns:
            (n,) 0 to 1; NaN throughout where all are of one kind.

        Raises:
            DataError: shapes disagree, or a score is not finite.
        """
        _check(scores, positive)
        values = np.full(len(scores), np.nan)
        if positive.all() or not positive.any():
            return values
        above = scores[positive][:, None] - scores[~positive][None, :]
        right = (above > 0) + 0.5 * (above == 0)
        values[positive] = right.mean(axis=1)
        values[~positive] = right.mean(axis=0)
        return values


class TruePositiveRate(Metric):
    """Share of members that stand out where hardly any non-member does."""

    name: ClassVar[str] = "tpr-at-low-fpr"
    title: ClassVar[str] = "true positives at few false ones"
    unit: ClassVar[str] = "share of members"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Carlini et al. 2022, IEEE S&P, section III"
    meaning: ClassVar[str] = (
        "Of 100 patients who were in training, how many the adversary can name while being wrong "
        "about at most one in ten of the others."
    )
    remedy: ClassVar[str] = "Noise with a formal claim per patient, on what leaves the party."

    fpr: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="share of non-members that may be accused"
    )

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """Every member named."""
        return 1.0

    def guessing(self, non_members: int) -> float:
        """What scores that tell nothing give: the first of n + 1 that are alike is anyone."""
        return (math.floor(self.fpr * non_members) + 1) / (non_members + 1)

    def __call__(self, scores: Values, positive: Flags) -> Values:
        """Per patient: 1 for a member above all but the allowed share of non-members, 0 for others.

        Args:
            scores: (n,) the higher, the likelier a member.
            positive: (n,) members.

        Returns:
            (n,) NaN for non-members, and throughout where there are none.

        Raises:
            DataError: shapes disagree, or a score is not finite.
        """
        _check(scores, positive)
        values = np.full(len(scores), np.nan)
        others = np.sort(scores[~positive])[::-1]
        if len(others):
            values[positive] = scores[positive] > others[math.floor(self.fpr * len(others))]
        return values


def _check(scores: Values, positive: Flags) -> None:
    if scores.shape != positive.shape or scores.ndim != 1 or not np.isfinite(scores).all():
        raise DataError(
            "every patient has one finite score and one truth",
            found=f"{scores.shape} scores, {positive.shape} truths",
        )

"""Ridge regressions, their penalties chosen and their shares weighed by what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch import Tensor

from .normal_equations import Sums

_Doubles = npt.NDArray[np.float64]
_PENALTIES = (1e-2, 1e-1, 1.0)  # relative to the variance of one standardised feature


@dataclass(frozen=True, eq=False)
class Ridge:
    """One regression: (columns, outputs) weights from all samples, and without each fold.

    Attributes:
        weights: from all samples.
        left_out: without each fold.
        error: summed square over the folds left out.
    """

    weights: Tensor
    left_out: list[Tensor]
    error: float

    @classmethod
    def best(
        cls, everything: Sums, rests: Sequence[Sums], sums: Sequence[Sums], part: Tensor
    ) -> Ridge:
        """With the largest penalty under which folds left out are predicted as well as with any.

        As well: worse by no more than the standard error of the difference. Few patients cannot
        tell nearer, and a penalty too small costs more on other patients than one too large
        (Breiman et al., "Classification and regression trees", 1984, section 3.4.3).
        """
        tried = []
        for penalty in sorted(_PENALTIES, reverse=True):
            left_out = [rest.solve(penalty, part) for rest in rests]
            errors = np.array(
                [own.error(each, each) for own, each in zip(sums, left_out, strict=True)]
            )
            tried.append((errors, penalty, left_out))
        least, *_ = min(tried, key=lambda each: float(each[0].sum()))
        errors, penalty, left_out = next(each for each in tried if _as_well(each[0] - least))
        return cls(everything.solve(penalty, part), left_out, float(errors.sum()))


def _as_well(worse_by: _Doubles) -> bool:
    """Whether errors, fold by fold, exceed others by no more than chance would have them."""
    if len(worse_by) < 2:
        return not worse_by.any()
    spread = float(worse_by.std(ddof=1)) / math.sqrt(len(worse_by))
    return float(worse_by.mean()) <= spread


def shares_of(ridges: Sequence[Ridge], sums: Sequence[Sums]) -> list[float]:
    """How much each regression counts: not negative, one together, of least error left out."""
    if len(ridges) == 1:
        return [1.0]
    pairs = [
        [
            sum(
                own.error(one.left_out[number], other.left_out[number])
                for number, own in enumerate(sums)
            )
            for other in ridges
        ]
        for one in ridges
    ]
    errors = np.array(pairs) / max(np.trace(pairs), 1e-300)
    # Between regressions that say nearly the same, differences of large sums can fall below zero.
    strengths, directions = np.linalg.eigh((errors + errors.T) / 2)
    root = directions * np.sqrt(strengths.clip(1e-9))
    sum_to_one = 1e3 * np.ones((1, len(errors)))
    aims = np.append(np.zeros(len(errors)), 1e3)
    found, _ = optimize.nnls(np.concatenate([root.T, sum_to_one]), aims)
    return list(found / found.sum())


def weighed(shares: Sequence[float], weights: Sequence[Tensor]) -> Tensor:
    """The weights of several regressions as one, each by its share."""
    return torch.stack([share * each for share, each in zip(shares, weights, strict=True)]).sum(0)


def columns_of_ways(sums: Sums, ways: int) -> list[Tensor]:
    """Columns of each way's regression, and of all ways together."""
    every = torch.arange(len(sums.gram))
    if ways == 1:
        return [every]
    channels = sums.kernel[0]
    local = math.prod(sums.kernel)
    owner = torch.arange(channels).div(channels // ways, rounding_mode="floor")
    owners = torch.cat([owner.repeat_interleave(local // channels), owner, owner])
    return [torch.cat([(owners == way).nonzero()[:, 0], every[-1:]]) for way in range(ways)] + [
        every
    ]

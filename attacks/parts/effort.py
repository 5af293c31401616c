"""How much an attack may spend, as one word."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

Effort = Literal["quick", "standard", "thorough"]

_FACTOR = {"quick": 0.3, "standard": 1.0, "thorough": 5.0}


_SHARES = (0.25, 0.5)
_COOLING = 0.25  # of the steps: the last ones, at a falling rate


def scaled(amount: int, effort: Effort) -> int:
    """An amount of standard effort, scaled and never below one."""
    return max(1, round(amount * _FACTOR[effort]))


def endings(steps: int) -> list[tuple[int, int]]:
    """Where an attack that keeps its full rate can be brought to an end, for its effort curve.

    An end on the way is a copy's, and stands where an attack of as few steps would have ended. A
    guess from the middle of a longer one would stand lower, and the curve seem steeper than it is.

    Args:
        steps: of the whole attack, at least 1.

    Returns:
        A quarter, half and all of the steps, each with how many of them are at the full rate; those
        from there on are at a falling one.
    """
    ends = sorted({round(share * steps) for share in (*_SHARES, 1.0)} - {0})
    return [(end, int((1 - _COOLING) * end)) for end in ends]


def fewer_patients(patients: Tensor, rng: Generator) -> list[tuple[int, Tensor]]:
    """For an effort curve: a quarter and a half of the auxiliary patients, the one in the other.

    Args:
        patients: (n,) owner of each auxiliary sample.
        rng: who is taken.

    Returns:
        Rising numbers of patients, at least two, each with the rows that are theirs.
    """
    owners = torch.unique(patients)
    owners = owners[torch.randperm(len(owners), generator=rng)]
    counts = sorted({round(share * len(owners)) for share in _SHARES})
    return [
        (count, torch.isin(patients, owners[:count]).nonzero()[:, 0])
        for count in counts
        if 2 <= count < len(owners)
    ]


def surely(gains: Tensor, sure: float) -> bool:
    """Whether gains (n,) on held-out samples exceed nothing, by that many standard errors."""
    return len(gains) > 1 and bool(gains.mean() > sure * gains.std() / len(gains) ** 0.5)

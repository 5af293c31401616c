"""How much an attack may spend, as one word."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

Effort = Literal["quick", "standard", "thorough"]

_FACTOR = {"quick": 0.3, "standard": 1.0, "thorough": 5.0}


_SHARES = (0.25, 0.5)


def scaled(amount: int, effort: Effort) -> int:
    """An amount of standard effort, scaled and never below one."""
    return max(1, round(amount * _FACTOR[effort]))


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

"""Rows handed to the wrong patients, for negative controls."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from leakaudit.errors import NotMountableError


def derangement(patients: Tensor, rng: Generator) -> Tensor:
    """For each row, a row of some other patient; a permutation wherever sizes allow.

    Args:
        patients: (n,) owner of each row.
        rng: its randomness.

    Raises:
        NotMountableError: all rows belong to one patient.
    """
    owners = torch.unique(patients)
    if len(owners) < 2:
        raise NotMountableError("shuffled pairs need two patients", found=f"{len(owners)} patient")
    cycle = owners[torch.randperm(len(owners), generator=rng)]
    rows = torch.empty_like(patients)
    for owner, other in zip(cycle.tolist(), cycle.roll(1).tolist(), strict=True):
        mine, theirs = (patients == owner).nonzero()[:, 0], (patients == other).nonzero()[:, 0]
        rows[mine] = theirs[torch.arange(len(mine)) % len(theirs)]
    return rows

"""Each party's share of a cohort, and batches drawn from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from leakaudit.cohorts.cohort import Cohort, FloatArray
from leakaudit.errors import UnknownNameError
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.training.step import Batch


@dataclass(frozen=True, eq=False)
class Holdings:
    """What every party holds of every sample of a cohort.

    Attributes:
        images: party name to (n, modalities, *space) float32.
        masks: (n, regions, *space) uint8, 0 or 1; :meth:`labels` gives them as numbers.
        patients: (n,) number of the owner, in sorted order of pseudonyms.
    """

    images: Mapping[str, Tensor]
    masks: Tensor
    patients: Tensor

    def labels(self, rows: Tensor) -> Tensor:
        """(m, regions, *space) float32: the masks of some samples."""
        return self.masks[rows].float()

    def batch(
        self, rows: Tensor, epoch: int, step: int, device: str = "cpu", party: str | None = None
    ) -> Batch:
        """The given samples as one step's data, of every party or of one."""
        names = tuple(self.images) if party is None else (party,)
        return Batch(
            images={name: self.images[name][rows].to(device) for name in names},
            masks=self.labels(rows).to(device),
            samples=rows,
            epoch=epoch,
            step=step,
        )

    def batches(
        self, rows: Tensor, epoch: int, batch_size: int, rng: Generator, device: str = "cpu"
    ) -> Iterator[Batch]:
        """All samples once, in random order."""
        order = rows[torch.randperm(len(rows), generator=rng)]
        for step, chunk in enumerate(torch.split(order, batch_size)):
            yield self.batch(chunk, epoch, step, device)


def hold(cohort: Cohort, split: SplitSpec) -> Holdings:
    """Deal a cohort's modalities out to the parties.

    Raises:
        UnknownNameError: a party holds a modality that the cohort lacks.
    """
    _, numbers = np.unique(cohort.patients, return_inverse=True)
    # Parties of a horizontal split hold the same modalities: their images are kept once.
    kept: dict[tuple[str, ...], Tensor] = {}
    for party in split.parties:
        if party.modalities not in kept:
            kept[party.modalities] = torch.from_numpy(_of(cohort, channels_of(cohort, party)))
    return Holdings(
        images={party.name: kept[party.modalities] for party in split.parties},
        masks=torch.from_numpy(cohort.masks()),
        patients=torch.from_numpy(numbers.astype(np.int64)),
    )


def _of(cohort: Cohort, channels: list[int]) -> FloatArray:
    """(n, m, *space) of some channels; without a copy where they lie beside each other."""
    first, last = channels[0], channels[-1]
    if channels == list(range(first, last + 1)):
        return cohort.images[:, first : last + 1]
    return cohort.images[:, channels]


def channels_of(cohort: Cohort, party: PartySpec) -> list[int]:
    """The image channels that a party holds, in the order of its modalities.

    Raises:
        UnknownNameError: it holds a modality that the cohort lacks.
    """
    for modality in party.modalities:
        if modality not in cohort.modalities:
            raise UnknownNameError.of(
                f"modality of party {party.name}", modality, cohort.modalities
            )
    return [cohort.modalities.index(modality) for modality in party.modalities]

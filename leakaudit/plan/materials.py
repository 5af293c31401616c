"""What every cell needs of the cohort, loaded once per process."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from leakaudit.cohorts.cohort import Cohort, CohortSource, Group
from leakaudit.cohorts.groups import Groups, split_patients
from leakaudit.errors import DataError
from leakaudit.exchange.defense import Exposure
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.prepared import place_of, read
from leakaudit.plugins import Kind, build
from leakaudit.training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Materials:
    """A cohort with its groups.

    Attributes:
        cohort: images, labels, owners.
        groups: who trains, who is auxiliary, who validates.
        masks: (n, regions, *space) uint8.
        absent: training samples that did not cross in some recorded epoch of a job: not attacked.
    """

    cohort: Cohort
    groups: Groups
    masks: npt.NDArray[np.uint8]
    absent: frozenset[int] = frozenset()

    def rows(self, group: Group) -> Tensor:
        """Samples of a group, as indices into the cohort."""
        return torch.from_numpy(self.groups.indices[group])

    def victims(self, at_most: int | None) -> tuple[str, ...]:
        """The attacked patients: all training patients, or the first so many, who crossed."""
        names = self.groups.patients[Group.TRAINING]
        if self.absent:
            crossed = set(self.cohort.patients[self._present()].tolist())
            names = tuple(name for name in names if name in crossed)
        return names[:at_most]

    def victim_rows(self, at_most: int | None) -> Tensor:
        """Their samples, as indices into the cohort."""
        chosen = np.isin(self.cohort.patients, self.victims(at_most))
        rows = np.flatnonzero(chosen)
        return torch.from_numpy(rows if not self.absent else rows[~np.isin(rows, [*self.absent])])

    def crossed_in(self, samples: Iterable[int]) -> Materials:
        """The same, where of the training samples only these crossed in every recorded epoch."""
        rows = self.groups.indices[Group.TRAINING].tolist()
        return replace(self, absent=frozenset(rows) - frozenset(samples))

    def _present(self) -> npt.NDArray[np.int64]:
        rows = self.groups.indices[Group.TRAINING]
        return rows[~np.isin(rows, [*self.absent])]


def load_cohort(source: str, settings: dict[str, object]) -> Cohort:
    """Build a cohort source and read it."""
    built: CohortSource = build(Kind.COHORT, source, settings)
    return built.load()


def materials(choice: CohortChoice, store: Path | None = None) -> Materials:
    """The cohort of a cell.

    Args:
        choice: which.
        store: of prepared cohorts; None, or where it is not among them: read from its source.

    Raises:
        DataError: the data changed since the audit was planned.
    """
    return _materials(choice.model_dump_json(), store)


def exposure_of(given: Materials, training: TrainingSettings) -> Exposure:
    """How often each training patient is released in this training."""
    owners = given.cohort.patients[given.rows(Group.TRAINING).numpy()]
    counts = np.unique(owners, return_counts=True)[1]
    return Exposure(
        epochs=training.epochs,
        samples_per_patient=int(counts.max()),
        patients=len(counts),
        steps_per_epoch=math.ceil(len(owners) / training.batch_size),
        batch_size=training.batch_size,
    )


@lru_cache(maxsize=2)
def _materials(choice_json: str, store: Path | None) -> Materials:
    choice = CohortChoice.model_validate_json(choice_json)
    prepared = None if store is None else place_of(choice.fingerprint, store)
    cohort = (
        load_cohort(choice.cohort.use, choice.cohort.settings)
        if prepared is None or not prepared.is_dir()
        else read(prepared)
    )
    found = cohort.fingerprint()
    if found != choice.fingerprint:
        raise DataError(
            "the cohort must not change while an audit runs",
            found=f"fingerprint {found[:12]} instead of {choice.fingerprint[:12]}",
            remedy="leave the data alone, then run again",
        )
    groups = split_patients(cohort, choice.groups)
    return Materials(cohort, groups, cohort.masks())

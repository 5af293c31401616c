"""Drawing training, auxiliary and validation patients: no patient in two groups, ever."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from leakaudit.cohorts.cohort import Cohort, Group
from leakaudit.errors import DataError, UnknownNameError

_Count = Annotated[int, Field(strict=True, ge=0)]
_Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = _Count | _Fraction | tuple[str, ...]


class GroupSettings(BaseModel):
    """How many patients, or which, belong to each group.

    Either three fractions that sum to at most 1, three counts, or three lists of pseudonyms.
    Patients beyond them stay unused. A count of 0 leaves the auxiliary or validation group empty on
    purpose: such an audit records, but can attack or measure nothing.

    Who is in which group is part of an audit's question, not of its answer: ``seed`` is the same
    for every training and attack. Settings chosen on one draw are judged fairly on another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: Share = Field(default=0.5, description="the victims")
    auxiliary: Share = Field(default=0.3, description="the adversary's own patients")
    validation: Share = Field(default=0.2, description="where Dice is measured")
    seed: int = Field(default=0, ge=0, description="of the draw; lists are taken as they are")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        shares = list(self.shares().values())
        if len({type(share) for share in shares}) > 1:
            raise ValueError("give three fractions, three counts or three lists, not a mixture")
        if self.training == 0:
            raise ValueError("at least one patient must be in training")
        if all(isinstance(share, float) for share in shares):
            total = sum(share for share in shares if isinstance(share, float))
            if total > 1 + 1e-9:
                raise ValueError(f"fractions must sum to at most 1, these sum to {total:.4g}")
        return self

    def shares(self) -> dict[Group, Share]:
        """What was set, by group."""
        return {
            Group.TRAINING: self.training,
            Group.AUXILIARY: self.auxiliary,
            Group.VALIDATION: self.validation,
        }


@dataclass(frozen=True)
class Groups:
    """Who is in which group.

    Attributes:
        patients: pseudonyms of each group, sorted.
        indices: samples of each group as indices into the cohort, ascending.
        left_empty: groups that were given a count of 0.
    """

    patients: Mapping[Group, tuple[str, ...]]
    indices: Mapping[Group, npt.NDArray[np.int64]]
    left_empty: frozenset[Group] = frozenset()

    def __post_init__(self) -> None:
        check_disjoint(self.patients, self.left_empty)

    def group_of(self, patient: str) -> Group | None:
        """The group of a patient; None for an unused one."""
        return next((group for group, names in self.patients.items() if patient in names), None)


def check_disjoint(
    patients: Mapping[Group, tuple[str, ...]], left_empty: Collection[Group] = ()
) -> None:
    """No patient may be in two groups, and no group may be empty unless it was left so.

    Raises:
        DataError: names the patient and the groups, or the empty group.
    """
    for (first, some), (second, others) in combinations(patients.items(), 2):
        if shared := sorted(set(some) & set(others)):
            raise DataError(
                "no patient may be in two groups",
                found=f"{shared[0]} in {first} and {second}",
                remedy="take the patient out of one of the lists",
            )
    for group, names in patients.items():
        if not names and group not in left_empty:
            raise DataError(
                "every group must have at least one patient",
                found=f"none in {group}",
                remedy="use more patients, or a larger share for this group",
            )


def check_nobody_twice(cohort: Cohort, groups: Groups) -> None:
    """No image may be in two groups, under whatever names: who has it would attack what they know.

    Images are compared voxel by voxel, all modalities together; a constant one, such as a slice
    beyond the head, says nothing about whose it is.

    Raises:
        DataError: names the two patients and their groups.
    """
    seen: dict[bytes, tuple[str, Group]] = {}
    for group, indices in groups.indices.items():
        for index in indices.tolist():
            image, patient = cohort.images[index], str(cohort.patients[index])
            if image.min() == image.max():
                continue
            digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
            other, where = seen.setdefault(digest, (patient, group))
            if where is not group:
                raise DataError(
                    "no patient may be in two groups, under whatever names",
                    found=f"{other} in {where} and {patient} in {group} have an identical image",
                    remedy="leave one of the two out of the data, or list them in one group",
                )


def split_patients(cohort: Cohort, settings: GroupSettings) -> Groups:
    """Draw the groups by patient, spread over lesion sizes.

    Patients are ordered by labelled voxels per sample (ties at random) and the groups dealt along
    that order in proportion, jittered: every group gets small and large lesions.

    Args:
        cohort: whose patients.
        settings: how many, or which, and the seed of the draw.

    Raises:
        DataError: a group would be empty, counts exceed the patients, or lists overlap.
        UnknownNameError: a listed patient is not in the cohort.
    """
    shares = settings.shares()
    known = cohort.patient_ids
    if all(isinstance(share, tuple) for share in shares.values()):
        lists = {
            group: tuple(sorted(set(share)))
            for group, share in shares.items()
            if isinstance(share, tuple)
        }
        for names in lists.values():
            for name in names:
                if name not in known:
                    raise UnknownNameError.of("patient", name, known)
        return _groups(cohort, lists)
    counts = _counts(shares, len(known))
    rng = np.random.default_rng(settings.seed)
    ordered = _by_lesion_size(cohort, rng)
    drawn: dict[Group, list[str]] = {group: [] for group in Group}
    for name, group in zip(ordered, _dealt(counts, len(known), rng), strict=True):
        if group is not None:
            drawn[group].append(name)
    patients = {group: tuple(sorted(names)) for group, names in drawn.items()}
    return _groups(cohort, patients, _left_empty(shares))


def group_sizes(settings: GroupSettings, patients: int) -> dict[Group, int]:
    """How many of so many patients every group gets, without looking at any.

    Raises:
        DataError: a group would be empty, or counts exceed the patients.
    """
    shares = settings.shares()
    if any(isinstance(share, tuple) for share in shares.values()):
        return {
            group: len(set(share)) for group, share in shares.items() if isinstance(share, tuple)
        }
    return _counts(shares, patients)


def _left_empty(shares: Mapping[Group, Share]) -> frozenset[Group]:
    """Groups given a count of 0; there are always patients to train on."""
    return frozenset(
        group
        for group, share in shares.items()
        if group is not Group.TRAINING and isinstance(share, int) and share == 0
    )


def _groups(
    cohort: Cohort,
    patients: Mapping[Group, tuple[str, ...]],
    left_empty: frozenset[Group] = frozenset(),
) -> Groups:
    indices = {
        group: np.flatnonzero(np.isin(cohort.patients, names)).astype(np.int64)
        for group, names in patients.items()
    }
    return Groups(patients, indices, left_empty)


def _counts(shares: Mapping[Group, Share], patients: int) -> dict[Group, int]:
    """Patients per group; cumulative rounding keeps the sum within the patients there are."""
    counts: dict[Group, int] = {}
    reached = 0.0
    for group, share in shares.items():
        if isinstance(share, int):
            counts[group] = share
        elif isinstance(share, float):
            before, reached = reached, reached + share
            counts[group] = round(reached * patients) - round(before * patients)
    if sum(counts.values()) > patients:
        raise DataError(
            "groups must not need more patients than there are",
            found=f"{sum(counts.values())} wanted, {patients} in the cohort",
            remedy="lower the counts or add patients",
        )
    empty = [g for g, count in counts.items() if count == 0 and g not in _left_empty(shares)]
    if empty:
        raise DataError(
            "every group must have at least one patient",
            found=f"none in {empty[0]}: {patients} patients at share {shares[empty[0]]}",
            remedy="use more patients, or a larger share for this group",
        )
    return counts


def _by_lesion_size(cohort: Cohort, rng: np.random.Generator) -> list[str]:
    sizes = (cohort.labels > 0).reshape(len(cohort.labels), -1).mean(axis=1)
    burden = {name: float(sizes[cohort.patients == name].mean()) for name in cohort.patient_ids}
    shuffled = [str(name) for name in rng.permutation(np.array(cohort.patient_ids))]
    return sorted(shuffled, key=lambda name: burden[name])


def _dealt(
    counts: Mapping[Group, int], patients: int, rng: np.random.Generator
) -> list[Group | None]:
    """A sequence in which each group is spread evenly, at jittered places."""
    cards: list[tuple[float, int, Group | None]] = []
    unused = patients - sum(counts.values())
    for group, count in [*counts.items(), (None, unused)]:
        places = (np.arange(count) + rng.random(count)) / max(count, 1)
        cards.extend((float(place), len(cards) + at, group) for at, place in enumerate(places))
    return [group for _, _, group in sorted(cards, key=lambda card: card[:2])]

"""Write the sample sheet of an audit: from its cohort, its groups, and the job's own images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from leakaudit.cells.asking import slots_of
from leakaudit.cells.lineup import line_up
from leakaudit.cohorts.cohort import Cohort, Group
from leakaudit.cohorts.groups import check_nobody_twice, split_patients
from leakaudit.errors import DataError, NotMountableError
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials, load_cohort
from leakaudit.recording.sheet import Key, SampleSheet, SheetSample
from leakaudit.threat.target import Asset
from leakaudit.trace.places import BLANK

# As many as the decoder looks at.
_BLANKS = 16
# How much nearer its own sample must be to a row than any other: of what they differ by.
_CLEARLY = 0.5
_LEAST_ALIKE = 0.8

Pixels = npt.NDArray[np.float32]


def sample_sheet(configuration: AuditConfiguration, cohort: Cohort | None = None) -> SampleSheet:
    """The sheet of an audit's cohort; the job's keys are the samples' own numbers.

    Args:
        configuration: of the audit.
        cohort: of the same, where it is loaded already.

    Raises:
        DataError: the cohort breaks a rule.
    """
    cohort = cohort or load_cohort(configuration.cohort.use, configuration.cohort.settings)
    groups = split_patients(cohort, configuration.groups)
    check_nobody_twice(cohort, groups)
    return sheet_of(Materials(cohort, groups, cohort.masks()))


def sheet_of(given: Materials) -> SampleSheet:
    """The same of a cohort that is loaded already."""
    cohort = given.cohort
    return SampleSheet(
        cohort_fingerprint=cohort.fingerprint(),
        modalities=cohort.modalities,
        regions=tuple(cohort.regions),
        space=cohort.space,
        samples=tuple(
            SheetSample(
                sample=number, patient=str(patient), group=given.groups.group_of(str(patient))
            )
            for number, patient in enumerate(cohort.patients)
        ),
        asked=asked_about(given),
    )


def asked_about(given: Materials) -> tuple[int, ...]:
    """Whom a job is asked about, so that every attack that asks can be mounted on its trace.

    All auxiliary samples; of each victim those by which it may be picked out, and those that the
    presence control compares; of validation patients the one they are known by; blank images.
    """
    auxiliary = given.rows(Group.AUXILIARY)
    _, owners = np.unique(given.cohort.patients, return_inverse=True)
    people = torch.from_numpy(owners.astype(np.int64))
    found = [*auxiliary.tolist(), *slots_of(given.victim_rows(None), people).flatten().tolist()]
    goals: tuple[Asset, ...] = ("identity", "membership")
    for goal in goals:
        for question in ("same image", "same scan", "another study"):
            try:
                drawn = line_up(given, goal, None, shuffled=False, question=question)
            except NotMountableError:
                continue
            found += drawn.candidates.tolist()
    return (*dict.fromkeys(found), *(BLANK,) * (_BLANKS if len(auxiliary) else 0))


def matched(
    sheet: SampleSheet, cohort: Cohort, images: Mapping[str, Pixels], keys: Sequence[Key],
    group: Group = Group.TRAINING,
) -> SampleSheet:  # fmt: skip
    """The sheet with a job's keys, found by comparing its images with the cohort's.

    Scale and brightness do not matter, and every row must be clearly one sample's.

    Args:
        sheet: of the cohort.
        cohort: the images the audit judges by.
        images: modality to (n, *space), the job's own rows.
        keys: (n,) what the job calls them.
        group: whose rows they are.

    Raises:
        DataError: sizes differ; or a row is like no sample, or like several.
    """
    rows = torch.tensor([each.sample for each in sheet.samples if each.group is group])
    alike = []
    for modality, own in images.items():
        if modality not in cohort.modalities or tuple(own.shape[1:]) != cohort.space:
            raise DataError(
                "a job's images must be of the cohort's modalities and size",
                found=f"{modality}, {tuple(own.shape[1:])}",
                remedy=f"the cohort has {', '.join(cohort.modalities)} of {cohort.space}",
            )
        known = cohort.images[rows.numpy(), cohort.modalities.index(modality)]
        alike.append(_plain(own) @ _plain(known).T)
    likeness = torch.stack(alike).mean(0)
    best = likeness.topk(min(2, len(rows)), dim=1)
    table: dict[Key, int] = {}
    for number, key in enumerate(keys):
        first = float(best.values[number, 0])
        second = float(best.values[number, 1]) if len(rows) > 1 else -1.0
        sample = int(rows[best.indices[number, 0]])
        if first < _LEAST_ALIKE or 1 - first > _CLEARLY * (1 - second):
            raise DataError(
                f"every row of the job must be clearly one {group} sample of the cohort",
                found=f"row {key!r}: correlation {first:.3f} with the most alike, {second:.3f} "
                "with the next",
                remedy="give all modalities the job has, or name the samples by hand",
            )
        if sample in table.values():
            raise DataError(
                "no two rows of a job may be the same sample",
                found=f"row {key!r} and another are like sample {sample}",
                remedy="take the row out that is there twice",
            )
        table[key] = sample
    return sheet.with_keys(table)


def _plain(images: Pixels) -> Tensor:
    """(n, values) without brightness, of unit length."""
    flat = torch.as_tensor(np.asarray(images, dtype=np.float32)).flatten(1).double()
    apart = flat - flat.mean(1, keepdim=True)
    unit: Tensor = torch.nn.functional.normalize(apart, dim=1)
    return unit

"""What makes data unusable or odd: one rule per function, one message per failure.

Messages may name files: they go to the engineer's terminal, never into a record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import Cohort
from leakaudit.errors import DataError

# Affines written by different tools differ in the last digits of a float32.
_AFFINE_TOLERANCE_MM = 1e-2


def check_modalities(found: Collection[str], wanted: Sequence[str], where: str) -> None:
    """Every patient must have every modality.

    Raises:
        DataError: one is missing.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            "every patient must have every modality",
            found=f"{where} lacks {', '.join(missing)} and has {', '.join(sorted(found))}",
            remedy="add the file, leave the patient out, or choose other `modalities`",
        )


def check_same_shape(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Images and mask of one patient must have one shape.

    Args:
        shapes: file to shape; the first is the reference.

    Raises:
        DataError: one differs from the first.
    """
    reference, expected = next(iter(shapes.items()))
    for name, shape in shapes.items():
        if shape != expected:
            raise DataError(
                "images and mask of one patient must have the same shape",
                found=f"{name} is {shape}, {reference} is {expected}",
                remedy="resample one onto the other's grid",
            )


def check_same_affine(affines: Mapping[str, npt.NDArray[np.float64]]) -> None:
    """Images and mask of one patient must lie on one grid in space.

    Args:
        affines: file to 4 x 4 voxel-to-millimetre matrix; the first is the reference.

    Raises:
        DataError: one differs from the first by more than 0.01.
    """
    reference, expected = next(iter(affines.items()))
    for name, affine in affines.items():
        gap = float(np.abs(affine - expected).max())
        if not gap <= _AFFINE_TOLERANCE_MM:
            raise DataError(
                "images and mask of one patient must have the same affine",
                found=f"{name} differs from {reference} by {gap:.3g}",
                remedy="register and resample them onto one grid",
            )


def check_voxels(voxels: npt.NDArray[np.generic], where: str) -> None:
    """Voxels must be finite and not all the same.

    Raises:
        DataError: voxels are no real numbers, NaN or infinite, or the image is constant.
    """
    if voxels.dtype.kind not in "biuf":
        raise DataError(
            "voxels must be real numbers, one per modality",
            found=f"{where} holds {voxels.dtype}",
            remedy="convert colours and complex numbers to one number per voxel",
        )
    bad = int(voxels.size - np.isfinite(voxels).sum())
    if bad:
        raise DataError(
            "voxels must be finite",
            found=f"{bad} of {voxels.size} voxels of {where} are NaN or infinite",
            remedy="repair or leave out the image; no value is invented for it",
        )
    if voxels.size == 0 or voxels.min() == voxels.max():
        value = "no voxels" if voxels.size == 0 else f"every voxel is {voxels.flat[0]}"
        raise DataError(
            "an image must not be constant",
            found=f"{where}: {value}",
            remedy="an empty or failed acquisition: leave the patient out",
        )


def check_labels(values: Collection[int], allowed: Collection[int], where: str) -> None:
    """Labels must be those of the convention.

    Args:
        values: the values that occur.
        allowed: 0 and the labels of the convention.
        where: the file, for the message.

    Raises:
        DataError: another value occurs.
    """
    strange = sorted(set(values) - set(allowed))
    if strange:
        raise DataError(
            f"labels must be among {', '.join(map(str, sorted(allowed)))}",
            found=f"{where} has {', '.join(map(str, strange[:5]))}",
            remedy="map the labels, or choose the source and regions that fit them",
        )


def check_any_patients(patients: Collection[object], folder: object, looked_for: str) -> None:
    """A cohort must have patients.

    Raises:
        DataError: there are none.
    """
    if not patients:
        raise DataError(
            "a cohort must have at least one patient",
            found=f"none in {folder}",
            remedy=f"looked for {looked_for}",
        )


def copied_pairs(images: npt.NDArray[np.generic]) -> list[tuple[int, int]]:
    """Pairs of modalities that hold the same voxels throughout.

    Args:
        images: (n, m, *space) of one patient.
    """
    return [
        (first, second)
        for first, second in combinations(range(images.shape[1]), 2)
        if np.array_equal(images[:, first], images[:, second])
    ]


def check_studies(study: npt.NDArray[np.int64]) -> None:
    """Studies are numbered by whole numbers, in order of date within each patient.

    Raises:
        DataError: they are dates, names or negative.
    """
    if study.dtype != np.int64 or bool((study < 0).any()):
        raise DataError(
            "studies must be numbered 0, 1, ... in order of date within each patient",
            found=f"type {study.dtype}" if study.dtype != np.int64 else f"{study.min()}",
            remedy="sort each patient's scan dates and give their places, as int64",
        )


def check_cohort(cohort: Cohort) -> None:
    """A cohort must keep the promises of its fields; for sources that somebody else wrote.

    Raises:
        DataError: shapes, types or ranges contradict each other, or a label is in no region.
    """
    samples = len(cohort.images)
    check_any_patients(cohort.patients.tolist(), cohort.name, "samples in the cohort")
    dimensions = cohort.images.ndim - 2
    if dimensions not in {2, 3} or cohort.images.shape[1] != len(cohort.modalities):
        raise DataError(
            "images must be (n, m, h, w) or (n, m, d, h, w), with one channel per modality",
            found=f"{cohort.images.shape} for {len(cohort.modalities)} modalities",
            remedy="reorder the axes of Cohort.images",
        )
    if cohort.labels.shape != (samples, *cohort.space):
        raise DataError(
            "labels must be (n, *space)",
            found=f"{cohort.labels.shape} for images {cohort.images.shape}",
            remedy="one label map per sample, without a channel axis",
        )
    for field in ("patients", "positions", "study", "site"):
        owners = getattr(cohort, field)
        if owners is not None and owners.shape != (samples,):
            raise DataError(
                f"{field} must have one entry per sample",
                found=f"{owners.shape} for {samples} samples",
                remedy=f"repeat the patient's entry in Cohort.{field} for each of its samples",
            )
    if cohort.images.dtype != np.float32 or cohort.labels.dtype != np.uint8:
        raise DataError(
            "images must be float32 and labels uint8",
            found=f"{cohort.images.dtype} and {cohort.labels.dtype}",
            remedy="convert with .astype(...)",
        )
    if cohort.study is not None:
        check_studies(cohort.study)
    for channel, modality in enumerate(cohort.modalities):
        check_voxels(cohort.images[:, channel], f"modality {modality}")
    low, high = float(cohort.images.min()), float(cohort.images.max())
    if low < 0 or high > 1:
        raise DataError(
            "voxels must be scaled to [0, 1]",
            found=f"{low:.4g} to {high:.4g}",
            remedy="scale them and say how in Cohort.scaling",
        )
    allowed = {0}.union(*cohort.regions.values())
    check_labels(np.unique(cohort.labels).tolist(), allowed, f"cohort {cohort.name}")

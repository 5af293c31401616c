"""Reading the files of one case onto one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._labels import counted
from leakaudit.cohorts._persons import Owner
from leakaudit.cohorts._scaling import Scale
from leakaudit.cohorts._volume_file import NIFTI, WITH_EXTRA, Volume
from leakaudit.cohorts.checks import check_same_affine, check_same_shape, check_voxels
from leakaudit.cohorts.cohort import FloatArray
from leakaudit.errors import DataError


@dataclass(frozen=True)
class Case:
    """One visit of one person: the files.

    Attributes:
        original: the name on disk.
        channels: modality to its file (or DICOM folder) and the index on its fourth axis, if any.
        label: file of the labels; None where it is missing.
        owner: whose it is, where the layout says so; by its name otherwise.
    """

    original: str
    channels: Mapping[str, tuple[Path, int | None]]
    label: Path | None
    owner: Owner | None = None


@dataclass(frozen=True)
class ReadCase:
    """The voxels of a case.

    Attributes:
        volumes: (m, d, h, w) as stored.
        labels: (d, h, w) as stored.
        spacing: mm along depth, height and width.
        notes: what is odd about the files' geometry.
    """

    volumes: FloatArray
    labels: npt.NDArray[Any]
    spacing: tuple[float, float, float]
    notes: tuple[str, ...]


def label_counts(case: Case) -> tuple[str, dict[int, int]]:
    """The case's label file, and its values with their voxels.

    Raises:
        DataError: the labels are unreadable, or no whole numbers.
    """
    return str(case.label), counted(_label_voxels(case)[1], str(case.label))


def read_case(case: Case, modalities: tuple[str, ...]) -> ReadCase:
    """All voxels of a case.

    Raises:
        DataError: a file is unreadable, or the files do not lie on one grid.
    """
    files = {
        path: Volume.open(path)
        for path in dict.fromkeys(case.channels[name][0] for name in modalities)
    }
    label, labels = _label_voxels(case, next(iter(files.values())))
    everything = {str(file.path): file for file in (*files.values(), label)}
    check_same_shape({name: file.shape for name, file in everything.items()})
    guessed = _voxel_by_voxel(files, label)
    check_same_affine(
        {name: file.affine for name, file in everything.items() if not (guessed and file is label)}
    )
    z, y, x = 2, 1, 0
    volumes = np.empty((len(modalities), *(label.shape[axis] for axis in (z, y, x))), np.float32)
    for path, file in files.items():
        voxels = file.voxels()
        for at, modality in enumerate(modalities):
            where, index = case.channels[modality]
            if where != path:
                continue
            if (index is None) != (file.channels is None) or (index or 0) >= (file.channels or 1):
                raise DataError(
                    "an image must have one volume per modality",
                    found=f"{path} has {file.channels or 1}",
                    remedy="correct the list of modalities, or the file",
                )
            volume = voxels if index is None else voxels[..., index]
            check_voxels(volume, f"{path}, {modality}")
            volumes[at] = volume
    notes = dict.fromkeys(note for file in everything.values() for note in file.notes)
    if guessed:
        notes[guessed] = None
    return ReadCase(volumes, labels, next(iter(files.values())).spacing, tuple(notes))


def foreground(volumes: FloatArray, scales: list[Scale]) -> npt.NDArray[np.bool_]:
    """(d, h, w): where any modality shows something."""
    shown = np.zeros(volumes.shape[1:], dtype=bool)
    for volume, scale in zip(volumes, scales, strict=True):
        shown |= scale.foreground(volume)
    return shown


def _voxel_by_voxel(files: Mapping[Path, Volume], label: Volume) -> str:
    """A note where labels drawn on a DICOM series have its grid but lost its voxel size."""
    path, image = next(iter(files.items()))
    if not path.is_dir() or label.shape != image.shape:
        return ""
    if label.affine[:3, 3].any() and not np.allclose(
        label.affine[:3, 3], image.affine[:3, 3], atol=1e-2
    ):
        return ""  # it says where it lies, and that is elsewhere
    sizes = [np.linalg.norm(file.affine[:3, :3], axis=0) for file in (label, image)]
    turned = [file.affine[:3, :3] / size for file, size in zip((label, image), sizes, strict=True)]
    if np.allclose(turned[0], turned[1], atol=1e-3) and not np.allclose(
        sizes[0], sizes[1], atol=1e-2
    ):
        return "labels have the images' grid but another voxel size: taken voxel by voxel"
    return ""


def _label_voxels(case: Case, grid: Volume | None = None) -> tuple[Volume, npt.NDArray[Any]]:
    if case.label is None:
        raise DataError(
            "every patient must have labels",
            found=f"none for {case.original}",
            remedy="add the file, or leave the patient out",
        )
    if grid is None and not case.label.name.lower().endswith(NIFTI + WITH_EXTRA):
        # A DICOM segmentation may cover less than the images: it is placed on their grid.
        grid = Volume.open(next(iter(case.channels.values()))[0])
    label = Volume.open(case.label, grid)
    if label.channels is not None:
        raise DataError(
            "labels must be one number per voxel",
            found=f"{case.label} has {label.channels} volumes on its fourth axis (one-hot?)",
            remedy="save one volume in which each voxel holds the number of its class",
        )
    return label, label.voxels()

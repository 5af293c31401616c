"""What the sources of NIfTI volumes share: reading one patient, cutting slices or patches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._disk import DiskSource, PatientSamples
from leakaudit.cohorts._nifti import Nifti
from leakaudit.cohorts._sampling import (
    VOLUME_SCALING,
    SliceRule,
    choose_slices,
    intensity_limits,
    padded_to,
    patch_corners,
    resampled,
    scaled_between,
    to_square,
)
from leakaudit.cohorts.checks import (
    check_any_patients,
    check_labels,
    check_modalities,
    check_same_affine,
    check_same_shape,
    check_voxels,
)
from leakaudit.cohorts.cohort import ByteArray, Cohort, FloatArray
from leakaudit.errors import DataError

PatchSide = Annotated[int, Field(ge=4, le=512)]


@dataclass(frozen=True)
class LabelMeaning:
    """How the label values of one file become those of the convention.

    Attributes:
        mapping: value in the file to value in the cohort; 0 to 0 is implied.
        note: what was odd, to be listed with the pseudonyms of the patients it is true of.
    """

    mapping: Mapping[int, int]
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One patient's files.

    Attributes:
        original: the name on disk.
        channels: modality to its file and the index on that file's fourth axis, if it has one.
        label: file of the labels.
        meaning: from the label values that occur, and the file's name, to what they mean.
    """

    original: str
    channels: Mapping[str, tuple[Path, int | None]]
    label: Path
    meaning: Callable[[Collection[int], str], LabelMeaning]


@dataclass(frozen=True)
class Layout:
    """What a folder holds, before any voxel is read.

    Attributes:
        name: of the cohort.
        modalities: all that were found, in channel order.
        regions: region name to label values of the convention.
        cases: the patients.
    """

    name: str
    modalities: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]]
    cases: tuple[Case, ...]


class VolumeSource(DiskSource):
    """Settings of the sources of NIfTI volumes: used as 2-D slices or as 3-D patches.

    Volumes are turned to the closest canonical orientation (RAS); slices are axial, seen as
    radiologists do: forehead up, the patient's right on the left.
    """

    samples: Literal["slices", "patches"] = Field(
        default="slices", description="axial 2-D slices, or 3-D patches"
    )
    size: Annotated[int, Field(ge=8, le=1024)] = Field(
        default=128, description="side of a slice in pixels after resampling"
    )
    slices_per_patient: Annotated[int, Field(ge=1)] | None = Field(
        default=8, description="how many slices of a patient; all with brain or lesion if unset"
    )
    slice_rule: SliceRule = Field(
        default="lesion",
        description="evenly among slices with lesion first, or among all with brain",
    )
    field_of_view_mm: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="side of a slice in mm, about its centre; the whole if unset"
    )
    patch_size: tuple[PatchSide, PatchSide, PatchSide] = Field(
        default=(32, 64, 64), description="depth, height, width of a patch in voxels"
    )
    patches_per_patient: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=4, description="half of them (rounded up) on the lesion"
    )
    voxel_mm: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="resample volumes to this voxel side before cutting patches"
    )

    @abstractmethod
    def layout(self) -> Layout:
        """List the patients and their files without reading voxels.

        Raises:
            DataError: the folder is not laid out as this source expects.
        """

    def load(self) -> Cohort:
        """Read one patient at a time and keep only the slices or patches.

        Raises:
            DataError: a file is unreadable, or voxels, labels or geometry break a rule.
        """
        layout = self.layout()
        check_any_patients(layout.cases, self.location(), "patients with images and labels")
        modalities = self.chosen(layout.modalities)
        for case in layout.cases:
            check_modalities(case.channels, modalities, case.original)
        return self.stack(
            self._each(layout, modalities),
            name=layout.name,
            modalities=modalities,
            regions=layout.regions,
            scaling=VOLUME_SCALING,
        )

    def _each(self, layout: Layout, modalities: tuple[str, ...]) -> Iterator[PatientSamples]:
        allowed = {0}.union(*layout.regions.values())
        for case in layout.cases:
            volumes, labels, spacing, note = _read_case(case, modalities, allowed)
            cut = self._slices if self.samples == "slices" else self._patches
            images, picked, positions = cut(volumes, labels, spacing)
            # Two patients' volumes must not be in memory at once.
            del volumes, labels
            yield PatientSamples(case.original, images, picked, positions, note)

    def _slices(
        self, volumes: FloatArray, labels: ByteArray, spacing: tuple[float, float, float]
    ) -> tuple[FloatArray, ByteArray, npt.NDArray[np.int64]]:
        chosen = choose_slices(
            (volumes != 0).any(axis=0).sum(axis=(1, 2)),
            (labels != 0).sum(axis=(1, 2)),
            self.slices_per_patient,
            self.slice_rule,
        )
        limits = [intensity_limits(volume) for volume in volumes]

        def square(plane: npt.NDArray[np.generic], *, nearest: bool) -> npt.NDArray[np.generic]:
            return to_square(
                plane,
                self.size,
                spacing=spacing[1:],
                field_of_view=self.field_of_view_mm,
                nearest=nearest,
            )

        images = np.array(
            [
                [
                    square(scaled_between(volume[at], *limit), nearest=False)
                    for volume, limit in zip(volumes, limits, strict=True)
                ]
                for at in chosen
            ],
            dtype=np.float32,
        )
        picked = np.array([square(labels[at], nearest=True) for at in chosen], dtype=np.uint8)
        return images, picked, np.array(chosen, dtype=np.int64)

    def _patches(
        self, volumes: FloatArray, labels: ByteArray, spacing: tuple[float, float, float]
    ) -> tuple[FloatArray, ByteArray, npt.NDArray[np.int64]]:
        for at, volume in enumerate(volumes):
            volumes[at] = scaled_between(volume, *intensity_limits(volume))
        if self.voxel_mm is not None:
            d, h, w = (
                max(1, round(n * mm / self.voxel_mm))
                for n, mm in zip(labels.shape, spacing, strict=True)
            )
            volumes = np.stack([resampled(v, (d, h, w), nearest=False) for v in volumes])
            labels = np.asarray(resampled(labels, (d, h, w), nearest=True), dtype=np.uint8)
        volumes = np.stack([padded_to(volume, self.patch_size) for volume in volumes])
        labels = np.asarray(padded_to(labels, self.patch_size), dtype=np.uint8)
        corners = patch_corners(
            labels != 0, (volumes != 0).any(axis=0), self.patch_size, self.patches_per_patient
        )
        boxes = [
            tuple(slice(c, c + s) for c, s in zip(corner, self.patch_size, strict=True))
            for corner in corners
        ]
        images = np.stack([volumes[:, *box] for box in boxes]).astype(np.float32)
        picked = np.stack([labels[box] for box in boxes])
        return images, picked, np.arange(len(corners), dtype=np.int64)


def _read_case(
    case: Case, modalities: tuple[str, ...], allowed: Collection[int]
) -> tuple[FloatArray, ByteArray, tuple[float, float, float], str]:
    """Volumes (m, d, h, w), labels (d, h, w), mm per voxel along d, h, w, and the note."""
    label = Nifti.open(case.label)
    files = {
        path: Nifti.open(path)
        for path in dict.fromkeys(case.channels[name][0] for name in modalities)
    }
    everything = {str(file.path): file for file in (*files.values(), label)}
    check_same_shape({name: file.shape for name, file in everything.items()})
    check_same_affine({name: file.affine for name, file in everything.items()})
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
    labels, note = _labels(case, label.voxels(), allowed)
    return volumes, labels, label.spacing, note


def _labels(
    case: Case, stored: npt.NDArray[np.generic], allowed: Collection[int]
) -> tuple[ByteArray, str]:
    values = np.unique(stored)
    where = str(case.label)
    if not np.array_equal(values, np.rint(values)):
        raise DataError(
            "labels must be whole numbers",
            found=f"{where} has {values[values != np.rint(values)][0]}",
            remedy="resample masks with nearest neighbour, never linearly",
        )
    present = [int(value) for value in values]
    meaning = case.meaning(present, where)
    mapping = {0: 0, **meaning.mapping}
    check_labels(present, mapping, where)
    check_labels([mapping[value] for value in present], allowed, where)
    labels = np.zeros(stored.shape, dtype=np.uint8)
    for value in present:
        labels[stored == value] = mapping[value]
    return labels, meaning.note

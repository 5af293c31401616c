"""What the sources of volumes share: reading one case, cutting slices or patches."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._case import Case, foreground, label_counts, read_case
from leakaudit.cohorts._disk import DiskSource
from leakaudit.cohorts._files import excluded
from leakaudit.cohorts._labels import Counts, LabelPlan, check_known, listed_regions
from leakaudit.cohorts._persons import Owner
from leakaudit.cohorts._sampling import (
    PatchSide,
    SliceRule,
    choose_slices,
    padded_to,
    patch_boxes,
    resampled,
    to_square,
)
from leakaudit.cohorts._scaling import VOLUME_SCALING, Scale
from leakaudit.cohorts._stack import CaseSamples, Range, Survey, signature_of
from leakaudit.cohorts.checks import check_any_patients, check_modalities
from leakaudit.cohorts.cohort import ByteArray, FloatArray
from leakaudit.cohorts.faults import each, raise_all
from leakaudit.errors import DataError

Cut = tuple[FloatArray, ByteArray, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Layout:
    """What a folder holds, before any voxel is read.

    Attributes:
        name: of the cohort.
        modalities: all that were found, in channel order.
        cases: the patients' visits.
        passed_over: hidden folders that were not looked into.
    """

    name: str
    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    passed_over: tuple[str, ...] = ()


class VolumeSource(DiskSource):
    """Settings of the sources of volumes: used as 2-D slices or as 3-D patches.

    Volumes are turned to the closest canonical orientation (RAS); slices are axial, seen as
    radiologists do: front up, the patient's right on the left.
    """

    samples: Literal["slices", "patches"] = Field(
        default="slices", description="axial 2-D slices, or 3-D patches"
    )
    size: Annotated[int, Field(ge=8, le=1024)] = Field(
        default=128, description="side of a slice in pixels after resampling"
    )
    slices_per_patient: Annotated[int, Field(ge=1)] | None = Field(
        default=8, description="how many slices of a visit; all with tissue or lesion if unset"
    )
    slice_rule: SliceRule = Field(
        default="lesion",
        description="evenly among slices with lesion first, or among all with tissue (brain)",
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

    @abstractmethod
    def meaning(self, layout: Layout, counts: Counts) -> LabelPlan:
        """What the labels mean, from the values of the whole cohort.

        Raises:
            DataError: they do not fit the convention, or fit several.
        """

    def survey(self) -> Survey:
        """Read one case at a time and keep only the slices or patches.

        Raises:
            DataError: files are unreadable, or voxels, labels or geometry break a rule.
        """
        layout = self.layout()
        modalities = self.chosen(layout.modalities)
        faults: list[DataError] = []
        cases, warnings = self._complete(layout, modalities, faults)
        if not faults:
            check_any_patients(cases, self.location(), "patients with images and labels")
        counts = dict(each(cases, label_counts, faults))
        if faults:
            # Whoever mends files wants to know of all of them: the images are read all the same.
            readable = (case for case in cases if str(case.label) in counts)
            for _ in each(readable, lambda case: read_case(case, modalities), faults):
                pass
        raise_all(faults)
        plan = listed_regions(self.regions) if self.regions else self.meaning(layout, counts)
        check_known(counts, plan.mapping)

        def read(case: Case) -> CaseSamples:
            return self._samples(case, modalities, plan)

        return self.stacked(
            each(cases, read, faults),
            faults,
            name=layout.name,
            modalities=modalities,
            plan=plan,
            scaling=VOLUME_SCALING,
            counts=counts,
            warnings=warnings,
            passed_over=layout.passed_over,
        )

    def _complete(
        self, layout: Layout, modalities: tuple[str, ...], faults: list[DataError]
    ) -> tuple[list[Case], list[str]]:
        """Cases with an owner and every file; what lacks one is a fault, or left out."""
        wanted = [case for case in layout.cases if not excluded(case.original, self.exclude)]
        owners = self.owners([case.original for case in wanted if case.owner is None])
        incomplete: list[DataError] = []

        def complete(case: Case) -> Case:
            check_modalities(case.channels, modalities, case.original)
            if case.label is None:
                raise DataError(
                    "every patient must have labels",
                    found=f"no labels for {case.original}",
                    remedy="add the file, or leave the patient out with `exclude` or "
                    "`skip_incomplete`",
                )
            return replace(case, owner=case.owner or owners[case.original])

        cases = list(each(wanted, complete, incomplete))
        if not self.skip_incomplete:
            faults += incomplete
            return cases, []
        count = len(incomplete)
        return cases, [f"{count} left out for a missing modality or labels"] if count else []

    def _samples(self, case: Case, modalities: tuple[str, ...], plan: LabelPlan) -> CaseSamples:
        held = read_case(case, modalities)
        volumes, labels = held.volumes, plan.apply(held.labels, str(case.label))
        scales = [self.scale(own, name) for own, name in zip(volumes, modalities, strict=True)]
        cut = self._slices if self.samples == "slices" else self._patches
        signature = signature_of(scales[0].apply(volumes[0]))
        ranges = {
            name: Range(float(own.min()), float(own.max()), scale)
            for name, own, scale in zip(modalities, volumes, scales, strict=True)
        }
        images, picked, positions = cut(volumes, labels, scales, held.spacing)
        return CaseSamples(
            original=case.original,
            owner=case.owner or Owner(case.original),
            images=images,
            labels=picked,
            positions=positions,
            signature=signature,
            shape=labels.shape,
            spacing=held.spacing,
            ranges=ranges,
            notes=held.notes,
        )

    def _slices(
        self,
        volumes: FloatArray,
        labels: ByteArray,
        scales: list[Scale],
        spacing: tuple[float, float, float],
    ) -> Cut:
        chosen = choose_slices(
            foreground(volumes, scales).sum(axis=(1, 2)),
            (labels != 0).sum(axis=(1, 2)),
            self.slices_per_patient,
            self.slice_rule,
        )

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
                    square(scale.apply(volume[at]), nearest=False)
                    for volume, scale in zip(volumes, scales, strict=True)
                ]
                for at in chosen
            ],
            dtype=np.float32,
        )
        picked = np.array([square(labels[at], nearest=True) for at in chosen], dtype=np.uint8)
        return images, picked, np.array(chosen, dtype=np.int64)

    def _patches(
        self,
        volumes: FloatArray,
        labels: ByteArray,
        scales: list[Scale],
        spacing: tuple[float, float, float],
    ) -> Cut:
        shown = foreground(volumes, scales)
        scaled = [scale.apply(volume) for volume, scale in zip(volumes, scales, strict=True)]
        if self.voxel_mm is not None:
            d, h, w = (
                max(1, round(n * mm / self.voxel_mm))
                for n, mm in zip(labels.shape, spacing, strict=True)
            )
            scaled = [
                np.asarray(resampled(own, (d, h, w), nearest=False), np.float32) for own in scaled
            ]
            labels = np.asarray(resampled(labels, (d, h, w), nearest=True), dtype=np.uint8)
            shown = np.asarray(resampled(shown.astype(np.uint8), (d, h, w), nearest=True)) > 0
        padded = np.stack([padded_to(volume, self.patch_size) for volume in scaled])
        labels = np.asarray(padded_to(labels, self.patch_size), dtype=np.uint8)
        shown = np.asarray(padded_to(shown, self.patch_size), dtype=bool)
        boxes = patch_boxes(labels != 0, shown, self.patch_size, self.patches_per_patient)
        images = np.stack([padded[:, *box] for box in boxes]).astype(np.float32)
        picked = np.stack([labels[box] for box in boxes])
        return images, picked, np.arange(len(boxes), dtype=np.int64)

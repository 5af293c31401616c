"""Slices in one .npz file: image, mask, patient, and optionally slice, channels, copied_channel."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._disk import DiskSource, PatientSamples
from leakaudit.cohorts._sampling import (
    STORED_SCALING,
    SliceRule,
    choose_slices,
    merged_labels,
    scaled_stored,
    to_square,
)
from leakaudit.cohorts.checks import (
    check_any_patients,
    check_labels,
    check_same_shape,
    check_voxels,
)
from leakaudit.cohorts.cohort import Cohort
from leakaudit.errors import DataError

_REQUIRED = ("image", "mask", "patient")


class SliceSource(DiskSource):
    """Settings of the sources whose files already hold 2-D slices."""

    size: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        default=None, description="side in pixels after resampling; as stored if unset"
    )
    slices_per_patient: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how many slices of a patient; all if unset"
    )
    slice_rule: SliceRule = Field(
        default="lesion", description="which slices first: those with lesion, or all with brain"
    )
    regions: dict[str, tuple[int, ...]] = Field(
        default={"lesion": (1,)},
        description="region name to the mask values it is the union of",
    )

    def samples_of(
        self,
        original: str,
        images: npt.NDArray[np.generic],
        labels: npt.NDArray[np.generic],
        positions: npt.NDArray[np.int64],
        where: str,
    ) -> PatientSamples:
        """Check, choose, scale and resample the slices of one patient.

        Args:
            original: name on disk.
            images: (n, m, h, w) as stored.
            labels: (n, h, w) as stored.
            positions: (n,) slice numbers.
            where: for messages.

        Raises:
            DataError: voxels or labels break a rule.
        """
        for channel in range(images.shape[1]):
            check_voxels(images[:, channel], f"{where}, channel {channel + 1}")
        values = np.unique(labels).tolist()
        allowed = {0}.union(*self.regions.values())
        if allowed == {0, 1} and len(set(values) - {0}) <= 1:
            labels = merged_labels(labels)
        else:
            check_labels(values, allowed, where)
        order = np.argsort(positions, kind="stable")
        images, labels, positions = images[order], labels[order], positions[order]
        if self.slices_per_patient is None:
            chosen = list(range(len(labels)))
        else:
            chosen = choose_slices(
                (images != 0).any(axis=1).sum(axis=(1, 2)),
                (labels != 0).sum(axis=(1, 2)),
                self.slices_per_patient,
                self.slice_rule,
            )
        scaled = np.stack([scaled_stored(images[:, at]) for at in range(images.shape[1])], axis=1)
        scaled, picked = scaled[chosen], labels[chosen].astype(np.uint8)
        if self.size is not None:
            scaled = np.array(
                [[to_square(channel, self.size) for channel in image] for image in scaled],
                dtype=np.float32,
            )
            picked = np.array(
                [to_square(label, self.size, nearest=True) for label in picked], dtype=np.uint8
            )
        return PatientSamples(original, scaled, picked, positions[chosen].astype(np.int64))


class NpzSlices(SliceSource):
    """Slices of many patients in one .npz file.

    Arrays: `image` (n, h, w, m), `mask` (n, h, w), `patient` (n,) names; optional `slice` (n,)
    numbers, `channels` (m,) modality names, `copied_channel` names of patients one of whose
    modalities is a copy of another: they are left out.
    """

    def load(self) -> Cohort:
        """Read the file.

        Raises:
            DataError: it is not such a file, or voxels, labels or shapes break a rule.
        """
        path = self.location()
        arrays = _arrays(path)
        image, mask, owners = arrays["image"], arrays["mask"], arrays["patient"].astype(np.str_)
        if image.ndim != 4:
            raise DataError(
                "image must be (n, h, w, m)",
                found=f"{image.shape} in {path}",
                remedy="stack the modalities on the last axis",
            )
        check_same_shape({"image": image.shape[:3], "mask": mask.shape})
        check_same_shape({"image": image.shape[:1], "patient": owners.shape})
        written = arrays.get("channels")
        if written is None:
            written = np.array([f"channel {at + 1}" for at in range(image.shape[-1])])
        check_same_shape({"image": image.shape[-1:], "channels": written.shape})
        found = [self.modality_of(str(name)) for name in written]
        modalities = self.chosen(found)
        image = np.moveaxis(image, -1, 1)[:, [found.index(name) for name in modalities]]
        positions = arrays.get("slice", np.arange(len(owners))).astype(np.int64)
        copied = set(arrays.get("copied_channel", np.array([], dtype=np.str_)).tolist())
        names = [name for name in np.unique(owners).tolist() if name not in copied]
        check_any_patients(names, path, "names in `patient` that are not in `copied_channel`")
        left_out = len(copied & set(owners.tolist()))
        warnings = (
            [f"{left_out} patients listed in copied_channel left out: one modality is a copy"]
            if left_out
            else []
        )

        def each() -> Iterator[PatientSamples]:
            for name in names:
                own = owners == name
                yield self.samples_of(
                    name, image[own], mask[own], positions[own], f"{path}, patient {name}"
                )

        return self.stack(
            each(),
            name=path.stem,
            modalities=modalities,
            regions=self.regions,
            scaling=STORED_SCALING,
            warnings=warnings,
        )


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of the file; object arrays, which need pickle, are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise DataError(
            "a .npz file must be readable without pickle",
            found=f"{path}: {problem}",
            remedy="save it again with numpy.savez_compressed and arrays of numbers and text",
        ) from None
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise DataError(
            f"a .npz cohort must have the arrays {', '.join(_REQUIRED)}",
            found=f"{path} lacks {', '.join(missing)}",
            remedy="see docs/cohorts.md for the layout",
        )
    return arrays

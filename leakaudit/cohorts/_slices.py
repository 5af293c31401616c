"""What the sources of 2-D slices share: settings, checks, scaling, resampling."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._disk import DiskSource, PatientSamples
from leakaudit.cohorts._sampling import (
    SliceRule,
    choose_slices,
    merged_labels,
    scaled_stored,
    to_square,
)
from leakaudit.cohorts.checks import check_labels, check_voxels


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
        images: npt.NDArray[Any],
        labels: npt.NDArray[Any],
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


def default_channels(count: int) -> tuple[str, ...]:
    """Names for channels that nobody named."""
    return tuple(f"channel {at + 1}" for at in range(count))

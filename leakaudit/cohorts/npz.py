"""Slices in one .npz file: image, mask, patient, and optionally slice, channels, copied_channel."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._disk import PatientSamples
from leakaudit.cohorts._sampling import STORED_SCALING
from leakaudit.cohorts._slices import SliceSource, default_channels
from leakaudit.cohorts.checks import check_any_patients, check_same_shape
from leakaudit.cohorts.cohort import Cohort
from leakaudit.errors import DataError

_REQUIRED = ("image", "mask", "patient")

# A TypeError is a lone .npy array under the wrong name: numpy gives no archive.
_UNREADABLE = (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class NpzContents:
    """What a .npz file holds, as stored.

    Attributes:
        images: (n, m, h, w), the chosen modalities.
        masks: (n, h, w).
        owners: (n,) patient names of the file.
        positions: (n,) slice numbers.
        modalities: (m,) names.
        patients: names of the patients to use, sorted.
        warnings: who was left out.
    """

    images: npt.NDArray[Any]
    masks: npt.NDArray[Any]
    owners: npt.NDArray[np.str_]
    positions: npt.NDArray[np.int64]
    modalities: tuple[str, ...]
    patients: tuple[str, ...]
    warnings: tuple[str, ...]


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
        contents = self.contents()

        def each() -> Iterator[PatientSamples]:
            for name in contents.patients:
                own = contents.owners == name
                yield self.samples_of(
                    name,
                    contents.images[own],
                    contents.masks[own],
                    contents.positions[own],
                    f"{path}, patient {name}",
                )

        return self.stack(
            each(),
            name=path.stem,
            modalities=contents.modalities,
            regions=self.regions,
            scaling=STORED_SCALING,
            warnings=contents.warnings,
        )

    def contents(self) -> NpzContents:
        """The file's arrays, checked against each other.

        Raises:
            DataError: an array is missing or of another shape, or no patient is left.
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
        samples, channels = image.shape[:1], image.shape[-1:]
        written = arrays.get("channels", np.array(default_channels(*channels)))
        positions = arrays.get("slice", np.arange(*samples))
        check_same_shape({"image": image.shape[:3], "mask": mask.shape})
        check_same_shape({"image": samples, "patient": owners.shape, "slice": positions.shape})
        check_same_shape({"image": channels, "channels": written.shape})
        found = [self.modality_of(str(name)) for name in written]
        modalities = self.chosen(found)
        copied = {str(name) for name in arrays.get("copied_channel", np.array([]))}
        present = sorted(set(owners.tolist()))
        kept = tuple(name for name in present if name not in copied)
        check_any_patients(kept, path, "names in `patient` that are not in `copied_channel`")
        left_out = len(present) - len(kept)
        warning = f"{left_out} patients listed in copied_channel left out: one modality is a copy"
        return NpzContents(
            images=np.moveaxis(image, -1, 1)[:, [found.index(name) for name in modalities]],
            masks=mask,
            owners=owners,
            positions=positions.astype(np.int64),
            modalities=modalities,
            patients=kept,
            warnings=(warning,) if left_out else (),
        )


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the file; object arrays, which need pickle, are refused."""
    try:
        # An own handle: numpy leaves the file open when it turns out to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _UNREADABLE as problem:
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

"""One volume, whatever its format: the array comes out one way up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError

NIFTI = (".nii", ".nii.gz")
WITH_EXTRA = (".mha", ".mhd", ".nrrd", ".nhdr")
"""Formats that SimpleITK reads."""

# Half a degree: what rounding of headers leaves is less.
_TILT = np.sin(np.deg2rad(0.5))


@dataclass(frozen=True)
class Stored:
    """A file as it says it is.

    Attributes:
        shape: (x, y, z) or (x, y, z, channels); an axis of length 1 is no channel.
        affine: (4, 4) voxel to mm, to the right, to the front, upwards (RAS).
        read: gives the voxels in that shape.
        notes: what is odd about the header.
    """

    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    read: Callable[[], npt.NDArray[Any]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Volume:
    """An opened file; its voxels are read when asked for.

    Attributes:
        path: where it is.
        shape: (x, y, z) after turning to canonical orientation (RAS).
        affine: (4, 4) of the turned voxels, mm.
        channels: length of the fourth axis; None where there is none.
        notes: what is odd about its geometry.
    """

    path: Path
    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    channels: int | None
    notes: tuple[str, ...]
    _read: Callable[[], npt.NDArray[Any]]
    _orientation: npt.NDArray[np.float64]

    @classmethod
    def open(cls, path: Path, grid: Volume | None = None) -> Volume:
        """Read the header.

        Args:
            path: file, or folder of one DICOM series.
            grid: where a DICOM segmentation, which may cover less, is to be placed.

        Raises:
            DataError: the file is unreadable or not a volume.
        """
        import nibabel

        nib: Any = nibabel
        stored = _stored(path, grid)
        if len(stored.shape) > 4:
            raise DataError(
                "a volume must have three axes, or four with modalities last",
                found=f"{path} is {stored.shape}",
                remedy="save one number per voxel and modality",
            )
        if not np.isfinite(stored.affine).all() or abs(np.linalg.det(stored.affine)) < 1e-9:
            raise _no_direction(path, stored.affine)
        orientation = nib.orientations.io_orientation(stored.affine)
        if np.isnan(orientation).any():
            raise _no_direction(path, stored.affine)
        space = stored.shape[:3]
        turned = stored.affine @ nib.orientations.inv_ornt_aff(orientation, space)
        return cls(
            path=path,
            shape=tuple(int(space[axis]) for axis in np.argsort(orientation[:, 0])),
            affine=np.asarray(turned, dtype=np.float64),
            channels=stored.shape[3] if len(stored.shape) == 4 else None,
            notes=(*stored.notes, *_tilt(stored.affine)),
            _read=stored.read,
            _orientation=orientation,
        )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres per voxel along depth, height and width."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return z, y, x

    def voxels(self) -> npt.NDArray[Any]:
        """(d, h, w) or (d, h, w, channels): from below, forehead first, patient's right first.

        Raises:
            DataError: the file is damaged.
        """
        import nibabel

        nib: Any = nibabel
        turned = nib.orientations.apply_orientation(self._read(), self._orientation)
        return np.asarray(np.swapaxes(turned, 0, 2)[:, ::-1, ::-1])


def _stored(path: Path, grid: Volume | None) -> Stored:
    name = path.name.lower()
    if name.endswith(NIFTI):
        from leakaudit.cohorts._nifti import stored_nifti

        return stored_nifti(path)
    if name.endswith(WITH_EXTRA):
        from leakaudit.cohorts._itk import stored_itk

        return stored_itk(path)
    from leakaudit.cohorts._dicom import is_segmentation, stored_segmentation, stored_series

    if is_segmentation(path):
        return stored_segmentation(path, grid)
    return stored_series(path)


def _no_direction(path: Path, affine: npt.NDArray[Any]) -> DataError:
    return DataError(
        "an affine must give every axis a direction",
        found=f"{path}: {affine.tolist()}",
        remedy="repair the header",
    )


def _tilt(affine: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """A note where the axes are not at right angles."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    slant = np.abs(axes.T @ axes - np.eye(3)).max()
    if slant <= _TILT:
        return ()
    degrees = np.rad2deg(np.arcsin(min(slant, 1.0)))
    return (
        f"axes are {degrees:.0f} degrees from right angles (gantry tilt): slices are used as "
        "stored, not made upright",
    )

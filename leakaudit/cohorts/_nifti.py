"""Reading NIfTI files upright: whichever way they are stored, the array comes out one way."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError


@dataclass(frozen=True)
class Nifti:
    """An opened file; its voxels are read when asked for.

    Attributes:
        path: where it is.
        shape: (x, y, z) after turning to canonical orientation (RAS).
        affine: (4, 4) of the turned voxels, mm.
    """

    path: Path
    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    _image: Any
    _orientation: npt.NDArray[np.float64]

    @classmethod
    def open(cls, path: Path) -> Nifti:
        """Read the header.

        Raises:
            DataError: the file is unreadable or not a volume.
        """
        import nibabel

        nib: Any = nibabel
        try:
            image = nib.load(path)
        except (OSError, EOFError, zlib.error, nib.filebasedimages.ImageFileError) as problem:
            raise _unreadable(path, problem) from None
        if len(image.shape) not in {3, 4}:
            raise DataError(
                "a volume must have three axes, or four with modalities last",
                found=f"{path} is {image.shape}",
                remedy="for 2-D pictures use the source `images`",
            )
        orientation = nib.orientations.io_orientation(image.affine)
        if np.isnan(orientation).any():
            raise DataError(
                "an affine must give every axis a direction",
                found=f"{path}: {image.affine.tolist()}",
                remedy="repair the header",
            )
        space = image.shape[:3]
        turned = image.affine @ nib.orientations.inv_ornt_aff(orientation, space)
        shape = tuple(int(space[axis]) for axis in np.argsort(orientation[:, 0]))
        return cls(path, shape, np.asarray(turned, dtype=np.float64), image, orientation)

    @property
    def channels(self) -> int | None:
        """Length of the fourth axis; None where there is none."""
        return int(self._image.shape[3]) if len(self._image.shape) == 4 else None

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
        try:
            stored = np.asanyarray(self._image.dataobj)
        except (OSError, EOFError, ValueError, zlib.error) as problem:
            raise _unreadable(self.path, problem) from None
        turned = nib.orientations.apply_orientation(stored, self._orientation)
        return np.asarray(np.swapaxes(turned, 0, 2)[:, ::-1, ::-1])


def _unreadable(path: Path, problem: Exception) -> DataError:
    return DataError(
        "a NIfTI file must be readable",
        found=f"{path}: {problem}",
        remedy="copy the file again; it may be cut short",
    )

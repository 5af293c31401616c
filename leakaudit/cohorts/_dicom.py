"""DICOM series and segmentations; nothing of their headers but geometry and voxels is kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._itk import LPS_TO_RAS, extra
from leakaudit.cohorts._nifti import unreadable
from leakaudit.cohorts._volume_file import Stored, Volume
from leakaudit.errors import DataError

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_GEOMETRY = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
# Positions are written with few digits: a hundredth of the distance between slices.
_UNEVEN = 0.01
_CONVERT = "run dcm2niix on the series, look at the result, and read the NIfTI file it writes"


def is_segmentation(path: Path) -> bool:
    """Whether a file, or the only file of a folder, is a DICOM segmentation.

    Raises:
        ConfigurationError: pydicom is not installed.
    """
    files = _files(path)
    return len(files) == 1 and getattr(_header(files[0]), "SOPClassUID", "") == _SEGMENTATION


def stored_series(folder: Path) -> Stored:
    """Read the geometry of a folder with one series of single-frame images.

    Raises:
        ConfigurationError: pydicom or SimpleITK is not installed.
        DataError: it is not one regular stack of slices.
    """
    sitk = extra("SimpleITK", folder)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    headers = {path: _header(path) for path in _files(folder)}
    if not headers:
        raise unreadable(folder, "it holds no files")
    first = next(iter(headers.values()))
    for path, header in headers.items():
        _check_single(path, header)
    if len({header.SeriesInstanceUID for header in headers.values()}) > 1:
        raise _refused(folder, "one folder must hold one series", "it holds several")
    planes = {
        (*header.ImageOrientationPatient, *header.PixelSpacing, header.Rows, header.Columns)
        for header in headers.values()
    }
    if len(planes) > 1:
        raise _refused(folder, "all slices must have one size and direction", "they differ")
    across, down = (np.array(first.ImageOrientationPatient[at : at + 3], float) for at in (0, 3))
    normal = np.cross(across, down)
    place = {path: np.array(header.ImagePositionPatient, float) for path, header in headers.items()}
    ordered = sorted(headers, key=lambda path: float(place[path] @ normal))
    step = _step(folder, [place[path] for path in ordered], normal)
    spacing = [float(value) for value in first.PixelSpacing]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = across * spacing[1], down * spacing[0], step
    affine[:3, 3] = place[ordered[0]]
    shape = (int(first.Columns), int(first.Rows), len(ordered))

    def read() -> npt.NDArray[Any]:
        # One by one: the slope and intercept of each slice are its own.
        slices = []
        for path in ordered:
            try:
                image = sitk.ReadImage(str(path), sitk.sitkFloat32)
            except RuntimeError as problem:
                raise unreadable(path, str(problem).rpartition("ITK ERROR: ")[2]) from None
            slices.append(sitk.GetArrayFromImage(image)[0].T)
        return np.stack(slices, axis=-1)

    return Stored(shape, LPS_TO_RAS @ affine, read)


def stored_segmentation(path: Path, grid: Volume | None) -> Stored:
    """Read a DICOM segmentation on the grid of the images it belongs to.

    Raises:
        ConfigurationError: highdicom is not installed.
        DataError: segments overlap, or it does not fit the grid.
    """
    hd = extra("highdicom", path)
    file = _files(path)[0]
    try:
        held = hd.seg.segread(file).get_volume(combine_segments=True)
        if grid is not None:
            # The voxel order of the grid: RAS, whose axes highdicom wants as LPS.
            target = hd.VolumeGeometry(
                affine=LPS_TO_RAS @ grid.affine,
                spatial_shape=grid.shape,
                coordinate_system="PATIENT",
            )
            held = held.match_geometry(target)
    except (ValueError, RuntimeError, AttributeError, KeyError, TypeError) as problem:
        raise _refused(
            file, "a DICOM segmentation must fit its images, and segments must not overlap", problem
        ) from None
    voxels: npt.NDArray[Any] = held.array
    return Stored(voxels.shape, LPS_TO_RAS @ held.affine, lambda: voxels)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))


def _header(path: Path) -> Any:
    pydicom = extra("pydicom", path)
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_GEOMETRY))
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError) as problem:
        raise unreadable(path, problem) from None


def _check_single(path: Path, header: Any) -> None:
    if int(getattr(header, "NumberOfFrames", None) or 1) > 1:
        raise _refused(path, "a DICOM file must hold one slice", "an enhanced multi-frame image")
    missing = [name for name in _GEOMETRY if name != "NumberOfFrames" and name not in header]
    if missing:
        raise _refused(path, "a DICOM slice must say where it lies", f"no {', '.join(missing)}")
    if header.SamplesPerPixel != 1 or header.PhotometricInterpretation != "MONOCHROME2":
        kind = header.PhotometricInterpretation
        raise _refused(path, "a DICOM slice must be grey, bright for high values", kind)


def _step(
    folder: Path, places: list[npt.NDArray[Any]], normal: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Vector in mm from slice to slice, where it is the same throughout."""
    if len(places) == 1:
        return normal
    steps = np.array([after - before for before, after in pairwise(places)])
    along = steps @ normal
    typical = float(np.median(along))
    if along.min() <= _UNEVEN * abs(typical):
        raise _refused(folder, "no two slices may lie in one place", "repeated positions")
    if np.abs(along - typical).max() > _UNEVEN * typical:
        worst = int(np.abs(along - typical).argmax())
        raise _refused(
            folder,
            "slices must lie at even distances",
            f"{along[worst]:.3g} mm after slice {worst + 1}, others {typical:.3g} mm: one is "
            "missing, or distances vary",
        )
    slant = np.abs(steps - along[:, None] * normal).max()
    if slant > _UNEVEN * typical:
        raise _refused(folder, "slices must lie straight above each other", "gantry tilt")
    return np.asarray(steps.mean(axis=0))


def _refused(path: Path, rule: str, found: object) -> DataError:
    return DataError(rule, found=f"{path}: {found}", remedy=_CONVERT)

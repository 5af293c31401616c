"""MetaImage and NRRD volumes, read with SimpleITK, which comes with leakaudit[dicom]."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._nifti import unreadable
from leakaudit.cohorts._volume_file import Stored
from leakaudit.errors import ConfigurationError

# ITK's axes point to the left and to the back (LPS), ours to the right and to the front.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def extra(module: str, path: Path) -> Any:
    """A module of leakaudit[dicom], imported when a file needs it.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            "MHA, NRRD and DICOM are read with the extra leakaudit[dicom]",
            found=f"{module} is not installed, and {path} needs it",
            remedy="pip install 'leakaudit[dicom]'",
        ) from None


def stored_itk(path: Path) -> Stored:
    """Read the header of a MetaImage or NRRD file.

    Raises:
        ConfigurationError: SimpleITK is not installed.
        DataError: the file is unreadable.
    """
    sitk = extra("SimpleITK", path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as problem:
        raise unreadable(path, _said(problem)) from None
    size = tuple(int(length) for length in reader.GetSize())
    axes = len(size)
    direction = np.array(reader.GetDirection()).reshape(axes, axes)
    affine = np.eye(4)
    space = min(axes, 3)
    affine[:space, :space] = (direction * np.array(reader.GetSpacing()))[:space, :space]
    affine[:space, 3] = reader.GetOrigin()[:space]
    components = int(reader.GetNumberOfComponents())
    shape = (*size, 1)[:3] + tuple(n for n in (*size[3:], components) if n > 1)

    def read() -> npt.NDArray[Any]:
        try:
            held = np.asarray(sitk.GetArrayFromImage(reader.Execute()))
        except RuntimeError as problem:
            raise unreadable(path, _said(problem)) from None
        if components > 1:
            return np.asarray(np.moveaxis(held, -1, 0).T.reshape(shape))
        return np.asarray(held.T.reshape(shape))

    return Stored(shape, LPS_TO_RAS @ affine, read)


def _said(problem: Exception) -> str:
    return str(problem).rpartition("ITK ERROR: ")[2]

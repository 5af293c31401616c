"""Reading NIfTI files: header checks, and voxels whose checksum is held against the file's."""

from __future__ import annotations

import gzip
import logging
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._files import UNREADABLE
from leakaudit.cohorts._volume_file import Stored
from leakaudit.errors import DataError

# deflate cannot shrink further than this.
_MOST_DEFLATED = 1032
_CHUNK = 1 << 20
_LFS = b"version https://git-lfs"


def stored_nifti(path: Path) -> Stored:
    """Read the header of a NIfTI file.

    Raises:
        DataError: the file is unreadable, or its header cannot be true.
    """
    import nibabel

    nib: Any = nibabel
    logging.getLogger("nibabel").setLevel(logging.CRITICAL)
    try:
        image = nib.load(path)
    except UNREADABLE as problem:
        raise unreadable(path, problem) from None
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError) as problem:
        raise unreadable(path, problem) from None
    shape = tuple(int(length) for length in image.shape)
    if min(shape, default=0) < 1:
        raise unreadable(path, f"its header says {shape}")
    _check_size(path, image, shape)
    squeezed = shape[:3] + tuple(length for length in shape[3:] if length > 1)
    squeezed = squeezed + (1,) * (3 - len(squeezed))
    affine = np.asarray(image.affine, dtype=np.float64)
    kind = image.get_data_dtype()
    if kind.kind not in "biuf":
        raise DataError(
            "voxels must be real numbers, one per modality",
            found=f"{path} holds {'colours' if kind.kind == 'V' else kind}",
            remedy="convert colours and complex numbers to one number per voxel",
        )
    return Stored(
        shape=squeezed,
        affine=affine,
        read=lambda: _voxels(path, image).reshape(squeezed),
        notes=_notes(image.header, affine, squeezed[:3]),
    )


def unreadable(path: Path, problem: object) -> DataError:
    """A file that is not what its name says."""
    try:
        with path.open("rb") as stream:
            head = stream.read(32)
    except OSError:
        head = b""
    if head.startswith(_LFS):
        said, remedy = "it is a Git LFS pointer, not the image", "run `git lfs pull`"
    elif path.suffix == ".gz" and head[:2] != b"\x1f\x8b":
        said, remedy = "its name ends in .gz, but it is not compressed", "take .gz off its name"
    else:
        said, remedy = " ".join(str(problem).split()), "copy the file again; it may be cut short"
    return DataError("an image file must be readable", found=f"{path}: {said}", remedy=remedy)


def _check_size(path: Path, image: Any, shape: tuple[int, ...]) -> None:
    """No header may promise more than the file can hold; nothing is allocated before."""
    promised = float(np.prod([float(n) for n in shape])) * image.get_data_dtype().itemsize
    files = [held.filename for held in image.file_map.values() if held.filename]
    held = sum(Path(name).stat().st_size for name in set(files) if Path(name).exists())
    if promised > held * (_MOST_DEFLATED if path.suffix == ".gz" else 1):
        raise unreadable(path, f"its header says {shape}, more than its {held} bytes can hold")


def _voxels(path: Path, image: Any) -> npt.NDArray[Any]:
    """(x, y, z) or (x, y, z, channels) as stored, slope applied.

    Raises:
        DataError: the file is damaged.
    """
    import nibabel

    nib: Any = nibabel
    try:
        if path.suffix != ".gz":
            return np.asanyarray(image.dataobj)
        proxy = image.dataobj
        spec = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
        with gzip.open(path) as stream:
            voxels = np.asanyarray(nib.arrayproxy.ArrayProxy(stream, spec, mmap=False))
            # Only at its end is the stream held against its checksum.
            while stream.read(_CHUNK):
                pass
    except UNREADABLE as problem:
        raise unreadable(path, problem) from None
    return np.asarray(voxels)


def _notes(header: Any, affine: npt.NDArray[Any], space: tuple[int, ...]) -> tuple[str, ...]:
    """What the header says twice differently, or not at all."""
    if not hasattr(header, "get_qform"):
        return ()
    try:
        sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    except (ValueError, ArithmeticError):
        return ("the qform cannot be read, and is ignored",)
    if sform is None and qform is None:
        return ("neither sform nor qform is set: axes are taken as stored, left unknown",)
    if sform is None or qform is None:
        return ()
    ends = np.array(list(product(*[(0, n - 1) for n in space])), dtype=np.float64)
    gap = np.linalg.norm(ends @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3], axis=1).max()
    if not gap <= 0.5 * np.linalg.norm(affine[:3, :3], axis=0).min():
        return ("sform and qform disagree: the sform is taken, the qform ignored",)
    return ()

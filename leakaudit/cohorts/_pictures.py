"""Reading one TIFF or PNG: an image with its channels last, or a mask of whole numbers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._files import UNREADABLE
from leakaudit.cohorts._labels import COLOUR
from leakaudit.errors import DataError

EXTENSIONS = frozenset({".tif", ".tiff", ".png"})

_PNG_DEPTH, _PNG_KIND = 24, 25
_MOST_CHANNELS = 8


def read_picture(path: Path) -> npt.NDArray[Any]:
    """(h, w, channels) as stored; transparency is dropped.

    Raises:
        DataError: the file is damaged, or holds more than one picture.
    """
    pixels = _pixels(path, {"1": "L", "P": "RGB", "RGBA": "RGB", "LA": "L"})
    return pixels[..., None] if pixels.ndim == 2 else pixels


def read_mask(path: Path) -> npt.NDArray[Any]:
    """(h, w) values: grey or palette numbers; other colours as `COLOUR` + 0xRRGGBB.

    Raises:
        DataError: the file is damaged, or its channels are no colours.
    """
    pixels = _pixels(path, {"1": "L", "RGBA": "RGB", "LA": "L"})
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[-1] == 1:
        return np.asarray(pixels[..., 0])
    if pixels.shape[-1] not in {3, 4} or pixels.dtype != np.uint8:
        raise DataError(
            "a mask must hold one value per pixel, or 8-bit colours",
            found=f"{path} is {pixels.shape} {pixels.dtype}",
            remedy="save the class of each pixel as one whole number",
        )
    red, green, blue = np.moveaxis(pixels[..., :3].astype(np.int64), -1, 0)
    grey = (red == green) & (green == blue)
    return np.asarray(np.where(grey, red, COLOUR + (red << 16) + (green << 8) + blue))


def _pixels(path: Path, plain: dict[str, str]) -> npt.NDArray[Any]:
    try:
        pixels = _png(path, plain) if path.suffix.lower() == ".png" else _tiff(path)
    except UNREADABLE as problem:
        raise DataError(
            "an image file must be readable",
            found=f"{path}: {problem}",
            remedy="save it again as uncompressed TIFF or as PNG",
        ) from None
    if pixels.ndim not in {2, 3}:
        raise _several(path, pixels.shape)
    return pixels


def _png(path: Path, plain: dict[str, str]) -> npt.NDArray[Any]:
    from PIL import Image

    with path.open("rb") as stream:
        head = stream.read(26)
    if len(head) == 26 and head[_PNG_DEPTH] == 16 and head[_PNG_KIND] != 0:
        raise DataError(
            "a PNG of 16 bits must be grey",
            found=f"{path} holds colours of 16 bits, which would be cut to 8",
            remedy="save it as TIFF, or each channel as its own grey PNG",
        )
    with Image.open(path) as picture:
        if (frames := int(getattr(picture, "n_frames", 1))) > 1:
            raise _several(path, (frames, *picture.size[::-1]))
        mode = plain.get(picture.mode)
        return np.asarray(picture.convert(mode) if mode else picture)


def _tiff(path: Path) -> npt.NDArray[Any]:
    import tifffile

    # What is wrong is said once, by whoever reads the file.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(path) as file:
        if len(file.series) != 1:
            raise _several(path, (len(file.series), *file.series[0].shape))
        series = file.series[0]
        shape, axes = tuple(series.shape), str(series.axes)
        pixels = np.asarray(series.asarray())
    if axes == "SYX":
        return np.moveaxis(pixels, 0, -1)
    # Without a word from the file, few and last are channels; anything else may be slices.
    if len(shape) == 3 and axes != "YXS" and shape[-1] > min(_MOST_CHANNELS, *shape[:2]):
        raise _several(path, shape)
    return pixels


def _several(path: Path, shape: tuple[int, ...]) -> DataError:
    return DataError(
        "an image file must hold one 2-D image, with channels last",
        found=f"{path} is {shape}: several slices, or channels first",
        remedy="save each slice in its own file, and channels on the last axis",
    )

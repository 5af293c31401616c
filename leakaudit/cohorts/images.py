"""Folders of 2-D images with masks: one folder per patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._disk import PatientSamples
from leakaudit.cohorts._sampling import STORED_SCALING
from leakaudit.cohorts._slices import SliceSource, default_channels
from leakaudit.cohorts.checks import check_any_patients, check_same_shape
from leakaudit.cohorts.cohort import Cohort
from leakaudit.errors import DataError

_EXTENSIONS = frozenset({".tif", ".tiff", ".png"})


class ImageFolders(SliceSource):
    """Folders of 2-D images (TIFF or PNG) with a mask beside each, one folder per patient.

    `NAME_7.tif` with one or more channels has its mask in `NAME_7_mask.tif`; the number at the
    end of the name is the slice. Masks are two-valued, or carry the values of `regions`.
    """

    channels: tuple[str, ...] | None = Field(
        default=None, description="modality of each channel of the files, in their order"
    )
    mask_suffix: str = Field(
        default="_mask", min_length=1, description="what a mask's name has before the extension"
    )

    def load(self) -> Cohort:
        """Read one patient at a time.

        Raises:
            DataError: a mask is missing, a file unreadable, or voxels or shapes break a rule.
        """
        root = self.location()
        folders = image_folders(root, self.mask_suffix)
        count = self.channel_count()
        written = self.channels or default_channels(count)
        if len(written) != count:
            raise DataError(
                "`channels` must name every channel of the files",
                found=f"{len(written)} names for {count} channels",
                remedy=f"give {count} names, in the order of the file's channels",
            )
        found = [self.modality_of(name) for name in written]
        modalities = self.chosen(found)
        columns = [found.index(name) for name in modalities]

        def each() -> Iterator[PatientSamples]:
            for folder, pairs in folders.items():
                yield self._patient(root, folder, pairs, columns, count)

        return self.stack(
            each(),
            name=root.name,
            modalities=modalities,
            regions=self.regions,
            scaling=STORED_SCALING,
        )

    def channel_count(self) -> int:
        """Channels of the first image.

        Raises:
            DataError: it is unreadable, or there is none.
        """
        root = self.location()
        folders = image_folders(root, self.mask_suffix)
        check_any_patients(
            folders, root, f"*.tif, *.tiff or *.png with a mask *{self.mask_suffix}.* beside them"
        )
        first = _read(next(iter(next(iter(folders.values())))))
        return int(_channels_last(first).shape[-1])

    def _patient(
        self, root: Path, folder: Path, pairs: dict[Path, Path], columns: list[int], count: int
    ) -> PatientSamples:
        images, masks = [], []
        for image, mask in pairs.items():
            pixels, labels = _channels_last(_read(image)), _read(mask)
            if labels.ndim == 3:
                labels = labels.max(axis=-1)
            check_same_shape({str(image): pixels.shape[:2], str(mask): labels.shape})
            if pixels.shape[-1] != count:
                raise DataError(
                    "all images must have the same number of channels",
                    found=f"{image} has {pixels.shape[-1]}, others {count}",
                    remedy="convert the image, or move it out of the folder",
                )
            images.append(np.moveaxis(pixels, -1, 0)[columns])
            masks.append(labels)
        check_same_shape(
            {str(path): pixels.shape[1:] for path, pixels in zip(pairs, images, strict=True)}
        )
        original = folder.relative_to(root).as_posix() if folder != root else root.name
        numbers = np.array([_slice_number(path) for path in pairs], dtype=np.int64)
        return self.samples_of(original, np.stack(images), np.stack(masks), numbers, str(folder))


def image_folders(root: Path, mask_suffix: str) -> dict[Path, dict[Path, Path]]:
    """Folders that hold images, each with image to mask, by slice number.

    Folders without any mask are not taken for patients.

    Raises:
        DataError: an image has no mask or a mask no image, in a folder with masks.
    """
    files: dict[Path, list[Path]] = {}
    candidates = sorted(root.rglob("*")) if root.is_dir() else []
    for path in candidates:
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith("."):
            files.setdefault(path.parent, []).append(path)
    folders: dict[Path, dict[Path, Path]] = {}
    for folder, paths in files.items():
        masks = {p.stem.removesuffix(mask_suffix): p for p in paths if p.stem.endswith(mask_suffix)}
        images = {p.stem: p for p in paths if not p.stem.endswith(mask_suffix)}
        if not masks:
            continue
        alone = sorted(masks.keys() ^ images.keys())
        if alone:
            missing = "image" if alone[0] in masks else "mask"
            raise DataError(
                "every image must have a mask and every mask an image",
                found=f"no {missing} for {alone[0]} in {folder}",
                remedy=f"add it; masks are named after the image plus {mask_suffix!r}",
            )
        ordered = sorted(images, key=lambda stem: (_slice_number(Path(stem + ".")), stem))
        folders[folder] = {images[stem]: masks[stem] for stem in ordered}
    return folders


def _slice_number(path: Path) -> int:
    """The last number in a file's name; 0 where there is none."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else 0


def _channels_last(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return image[..., None] if image.ndim == 2 else image


def _read(path: Path) -> npt.NDArray[Any]:
    """Pixels of a picture, (h, w) or (h, w, channels); transparency is dropped."""
    try:
        if path.suffix.lower() == ".png":
            from PIL import Image

            with Image.open(path) as picture:
                plain = {"1": "L", "P": "RGB", "RGBA": "RGB", "LA": "L"}.get(picture.mode)
                pixels = np.asarray(picture.convert(plain) if plain else picture)
        else:
            import tifffile

            pixels = np.asarray(tifffile.imread(path))
    except (OSError, ValueError, EOFError, SyntaxError) as problem:
        # tifffile's own errors are ValueErrors; Pillow raises SyntaxError for a broken PNG.
        raise DataError(
            "an image file must be readable",
            found=f"{path}: {problem}",
            remedy="save it again as uncompressed TIFF or as PNG",
        ) from None
    if pixels.ndim not in {2, 3}:
        raise DataError(
            "an image file must hold one 2-D image",
            found=f"{path} is {pixels.shape}",
            remedy="save each slice in its own file",
        )
    return pixels

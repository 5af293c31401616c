"""Folders of 2-D images with masks: beside each other, or in folders of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import Field

from leakaudit.cohorts._files import files_below
from leakaudit.cohorts._pictures import EXTENSIONS, read_mask, read_picture
from leakaudit.cohorts._slices import SliceCase, Slices, SliceSource, default_channels
from leakaudit.cohorts._stack import Survey
from leakaudit.cohorts.checks import check_any_patients, check_same_shape
from leakaudit.cohorts.faults import raise_all
from leakaudit.errors import DataError

_IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
_MASK_FOLDERS = frozenset(
    {"masks", "mask", "labels", "label", "segmentations", "segmentation", "annotations"}
)
# Folders that say which part of a data set, not whose.
_PARTS = frozenset({"train", "training", "val", "validation", "test", "testing"})

Pairs = Mapping[Path, Path]


class ImageFolders(SliceSource):
    """Folders of 2-D images (TIFF or PNG) with masks.

    `NAME_7.tif` with one or more channels has its mask in `NAME_7_mask.tif` beside it, or in
    `masks/NAME_7.tif` where it lies in `images`. One folder per patient, or one folder for all:
    then the name before the last number is the patient. The last number is the slice. Masks are
    two-valued, or carry the values of `regions`; a colour's value is 0x1000000 + 0xRRGGBB.
    """

    channels: tuple[str, ...] | None = Field(
        default=None, description="modality of each channel of the files, in their order"
    )
    mask_suffix: str = Field(
        default="_mask", min_length=1, description="what a mask's name has before the extension"
    )

    def survey(self) -> Survey:
        """Read one patient at a time.

        Raises:
            DataError: a mask is missing, a file unreadable, or voxels or shapes break a rule.
        """
        root = self.location()
        found, passed_over = self.pairs()
        count = channel_count(found)
        written = self.channels or default_channels(count)
        if len(written) != count:
            raise DataError(
                "`channels` must name every channel of the files",
                found=f"{len(written)} names for {count} channels",
                remedy=f"give {count} names, in the order of the file's channels",
            )
        names = [self.modality_of(name) for name in written]
        modalities = self.chosen(names)
        columns = [names.index(name) for name in modalities]
        return self.survey_slices(
            self._cases(found, columns, count),
            name=root.name,
            modalities=modalities,
            passed_over=passed_over,
        )

    def pairs(self) -> tuple[dict[str, Pairs], tuple[str, ...]]:
        """Name on disk to its images with their masks; and what was passed over.

        Raises:
            DataError: an image has no mask or a mask no image, in a folder with masks.
        """
        root = self.location()
        found, passed_over = image_folders(
            root, self.mask_suffix, self.exclude, single=self.person_pattern is not None
        )
        check_any_patients(
            found, root, f"*.tif, *.tiff or *.png with a mask *{self.mask_suffix}.* beside them"
        )
        return found, passed_over

    def _cases(self, found: Mapping[str, Pairs], columns: list[int], count: int) -> list[SliceCase]:
        owners = self.owners(list(found))
        joined: dict[str, dict[Path, Path]] = {}
        for name, pairs in found.items():
            owner = owners[name]
            same = next(
                (own for own in joined if self.person_pattern and owners[own] == owner), name
            )
            joined.setdefault(same, {}).update(pairs)

        def case(name: str, pairs: Pairs) -> SliceCase:
            return SliceCase(name, owners[name], lambda: _read(pairs, columns, count))

        return [case(name, pairs) for name, pairs in joined.items()]


def channel_count(found: Mapping[str, Pairs]) -> int:
    """Channels of the first image.

    Raises:
        DataError: it is unreadable.
    """
    return int(read_picture(next(iter(next(iter(found.values()))))).shape[-1])


def image_folders(
    root: Path, mask_suffix: str, exclude: tuple[str, ...] = (), *, single: bool = False
) -> tuple[dict[str, Pairs], tuple[str, ...]]:
    """Names below a root, each with image to mask, by slice number; and what was passed over.

    Args:
        root: folder.
        mask_suffix: of masks that lie beside their images.
        exclude: patterns to leave out.
        single: give every image under its own name, for a pattern to sort.

    Raises:
        DataError: images without masks or the reverse, in folders with masks; or a folder of
            several names, which may be persons.
    """
    files = files_below(root, exclude)
    pictures = [path for path in files.paths if path.suffix.lower() in EXTENSIONS]
    parents = {part.lower() for path in pictures for part in path.relative_to(root).parts[:-1]}
    apart = bool(parents & _IMAGE_FOLDERS) and bool(parents & _MASK_FOLDERS)
    images: dict[str, dict[str, Path]] = {}
    masks: dict[str, dict[str, Path]] = {}
    faults: list[DataError] = []
    for path in pictures:
        base, is_mask = _role(path.relative_to(root), mask_suffix, apart=apart)
        held = (masks if is_mask else images).setdefault(base, {})
        stem = path.stem.removesuffix(mask_suffix) if is_mask else path.stem
        if stem in held:
            faults.append(_fault(f"{held[stem].name} and {path.name} in {path.parent}"))
        held[stem] = path
    found: dict[str, Pairs] = {}
    for base in sorted(masks):
        own, covers = images.get(base, {}), masks[base]
        faults += [
            DataError(
                "every image must have a mask and every mask an image",
                found=f"no {'mask' if stem in own else 'image'} for {stem} in {root / base}",
                remedy=f"add it; masks are named after the image plus {mask_suffix!r}, or lie "
                "in `masks` under the same name as in `images`",
            )
            for stem in sorted(own.keys() ^ covers.keys())
        ]
        found |= _named(root, base, {stem: own[stem] for stem in own if stem in covers}, covers,
                        faults, single=single)  # fmt: skip
    raise_all(faults)
    return found, files.passed_over


def _fault(names: str) -> DataError:
    return DataError(
        "each image must occur once",
        found=names,
        remedy="keep one format of each image",
    )


def _role(path: Path, mask_suffix: str, *, apart: bool) -> tuple[str, bool]:
    """The folder a picture belongs to, without images/ or masks/, and whether it is a mask."""
    parts = list(path.parts[:-1])
    is_mask = path.stem.endswith(mask_suffix)
    if apart:
        for at, part in enumerate(parts):
            if part.lower() in _IMAGE_FOLDERS | _MASK_FOLDERS:
                is_mask = part.lower() in _MASK_FOLDERS
                del parts[at]
                break
    return "/".join(parts), is_mask


def _named(
    root: Path,
    base: str,
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    faults: list[DataError],
    *,
    single: bool,
) -> dict[str, Pairs]:
    """The images of one folder under the names of their owners."""
    ordered = sorted(images, key=lambda stem: (_slice_number(stem), stem))
    parts = [part for part in base.split("/") if part]
    flat = all(part.lower() in _PARTS for part in parts)
    if single:
        return {"/".join([*parts, stem]): {images[stem]: masks[stem]} for stem in ordered}
    names = dict.fromkeys(re.sub(r"[-_ ]*\d+$", "", stem) for stem in ordered)
    if not flat:
        if len(names) > 1:
            faults.append(
                DataError(
                    "a folder must hold the slices of one person, under one name",
                    found=f"{', '.join(list(names)[:4])} in {root / base}",
                    remedy="say who is who with `person_pattern`: '^(?P<person>[^/]+)/' where a "
                    "folder is a person, '^(?P<site>[^/]+)/(?P<person>.+?)[-_ ]*[0-9]+$' where "
                    "it is a site",
                )
            )
        return {base: {images[stem]: masks[stem] for stem in ordered}}
    return {
        name or root.name: {
            images[stem]: masks[stem] for stem in ordered if re.sub(r"[-_ ]*\d+$", "", stem) == name
        }
        for name in names
    }


def _read(pairs: Pairs, columns: list[int], count: int) -> Slices:
    images, masks = [], []
    for image, mask in pairs.items():
        pixels, labels = read_picture(image), read_mask(mask)
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
    numbers = np.array([_slice_number(path.stem) for path in pairs], dtype=np.int64)
    return Slices(np.stack(images), np.stack(masks), numbers)


def _slice_number(stem: str) -> int:
    """The last number in a file's name; 0 where there is none."""
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1][-18:]) if numbers else 0

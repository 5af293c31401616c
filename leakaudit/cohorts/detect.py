"""Recognising what a folder or file holds, for `leakaudit init`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakaudit.cohorts._slices import default_channels
from leakaudit.cohorts.brats import BratsFolders, brats_patients
from leakaudit.cohorts.images import ImageFolders, image_folders
from leakaudit.cohorts.msd import Decathlon
from leakaudit.cohorts.npz import NpzSlices
from leakaudit.errors import DataError

_LOOKED_FOR = (
    "dataset.json (Decathlon), *_t1/_t1ce/_t2/_flair/_seg.nii[.gz] or *-t1n/-t1c/-t2w/-t2f/"
    "-seg.nii[.gz] (BraTS), *.tif or *.png with *_mask beside them, or one .npz with image, mask "
    "and patient"
)


@dataclass(frozen=True)
class Detection:
    """A proposal for the `[cohort]` table of a configuration.

    Attributes:
        source: name of the cohort source.
        settings: its settings, without those left at their default.
        modalities: names found, in channel order.
        patients: how many there are.
        remarks: what the reader should look at before using it.
    """

    source: str
    settings: dict[str, Any]
    modalities: tuple[str, ...]
    patients: int
    remarks: tuple[str, ...] = field(default=())


def detect(path: Path) -> Detection:
    """Say which source reads a folder or file; voxels of volumes and pictures are not read.

    Raises:
        DataError: nothing or more than one layout fits, or the one that fits is incomplete.
    """
    if not path.exists():
        raise DataError(
            "the data folder must exist", found=str(path), remedy="check the spelling of the path"
        )
    archives = [path] if path.suffix == ".npz" else sorted(path.glob("*.npz"))
    described = path if path.name == "dataset.json" else path / "dataset.json"
    fits: list[tuple[str, Path]] = [("npz", archive) for archive in archives]
    if described.is_file():
        fits.append(("msd", described.parent))
    elif brats_patients(path):
        fits.append(("brats", path))
    if image_folders(path, "_mask"):
        fits.append(("images", path))
    if not fits:
        raise DataError(
            "a data folder must hold a layout that leakaudit can read",
            found=f"none in {path}",
            remedy=f"looked for {_LOOKED_FOR}; for anything else write a function (source "
            "`callable`)",
        )
    if len(fits) > 1:
        raise DataError(
            "a data folder must hold one cohort",
            found=", ".join(f"{source} in {where}" for source, where in fits),
            remedy="name the folder or file of one of them",
        )
    source, where = fits[0]
    return {"npz": _npz, "msd": _msd, "brats": _brats, "images": _images}[source](where)


def _npz(path: Path) -> Detection:
    contents = NpzSlices(path=str(path)).contents()
    return Detection(
        "npz",
        {"path": str(path)},
        contents.modalities,
        len(contents.patients),
        contents.warnings,
    )


def _msd(path: Path) -> Detection:
    layout = Decathlon(path=str(path)).layout()
    return Detection("msd", {"path": str(path)}, layout.modalities, len(layout.cases))


def _brats(path: Path) -> Detection:
    layout = BratsFolders(path=str(path)).layout()
    return Detection("brats", {"path": str(path)}, layout.modalities, len(layout.cases))


def _images(path: Path) -> Detection:
    source = ImageFolders(path=str(path))
    count = source.channel_count()
    names = default_channels(count)
    return Detection(
        "images",
        {"path": str(path), "channels": list(names)},
        names,
        len(image_folders(path, source.mask_suffix)),
        ("the files do not say what their channels are: write their modalities in `channels`",),
    )

"""Recognising what a folder or file holds, for `leakaudit init`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakaudit.cohorts._description import is_datalist
from leakaudit.cohorts._named import named_cases
from leakaudit.cohorts._slices import default_channels
from leakaudit.cohorts._volumes import VolumeSource
from leakaudit.cohorts.bids import Bids
from leakaudit.cohorts.brats import BratsFolders
from leakaudit.cohorts.images import ImageFolders, channel_count, image_folders
from leakaudit.cohorts.msd import Decathlon
from leakaudit.cohorts.npz import NpzSlices
from leakaudit.cohorts.table import Table, is_table
from leakaudit.errors import DataError

_LOOKED_FOR = (
    "dataset.json (Decathlon, nnU-Net, MONAI), dataset_description.json (BIDS), files named *_t1, "
    "*_flair, *_ct, ... and *_seg, or folders of DICOM series so named (.nii[.gz], .mha, .nrrd), "
    "*.tif or *.png with *_mask beside them or in images/ and masks/, one .npz with image, mask "
    "and patient, or a table (.csv, .json)"
)
# Sidecars of BIDS and of converters are many; lists of files are few.
_MOST_LISTS = 8
_VOLUMES: Mapping[str, type[VolumeSource]] = {
    "bids": Bids,
    "brats": BratsFolders,
    "msd": Decathlon,
    "table": Table,
}


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


def detect(path: Path, exclude: tuple[str, ...] = ()) -> Detection:
    """Say which source reads a folder or file; voxels of volumes and pictures are not read.

    Args:
        path: folder or file.
        exclude: names below it to leave out.

    Raises:
        DataError: nothing or more than one layout fits, or the one that fits is incomplete.
    """
    if not path.exists():
        raise DataError(
            "the data folder must exist", found=str(path), remedy="check the spelling of the path"
        )
    fits = _fits(path, exclude)
    if not fits:
        raise DataError(
            "a data folder must hold a layout that leakaudit can read",
            found=f"none in {path}",
            remedy=f"looked for {_LOOKED_FOR}; for anything else write a table (source `table`) "
            "or a function (source `callable`)",
        )
    if len(fits) > 1:
        raise DataError(
            "a data folder must hold one cohort",
            found=", ".join(f"{source} in {where}" for source, where in fits),
            remedy="name the folder or file of one of them",
        )
    source, where = fits[0]
    settings = {"path": str(where)}
    if source == "npz":
        contents = NpzSlices(path=str(where), exclude=exclude).contents()
        cases = len(contents.patients)
        return Detection("npz", settings, contents.modalities, cases, contents.warnings)
    if source == "images":
        return _images(where, exclude)
    volumes = _VOLUMES[source](path=str(where), exclude=exclude)
    layout = volumes.layout()
    return Detection(source, settings, layout.modalities, len(layout.cases))


def _fits(path: Path, exclude: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Sources that would read something here, and where."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        return [("table", path)]
    if path.is_file() and path.suffix.lower() == ".json":
        return [("table" if is_table(path) else "msd", path)]
    archives = [path] if path.suffix == ".npz" else sorted(path.glob("*.npz"))
    fits: list[tuple[str, Path]] = [("npz", archive) for archive in archives]
    lists = [file for file in sorted(path.glob("*.json"))[:_MOST_LISTS] if is_datalist(file)]
    if (path / "dataset.json").is_file():
        fits.append(("msd", path))
    elif lists:
        fits += [("msd", file) for file in lists]
    elif (path / "dataset_description.json").is_file():
        fits.append(("bids", path))
    elif named_cases(path, exclude)[0]:
        fits.append(("brats", path))
    if image_folders(path, "_mask", exclude, single=True)[0]:
        fits.append(("images", path))
    return fits


def _images(path: Path, exclude: tuple[str, ...]) -> Detection:
    source = ImageFolders(path=str(path), exclude=exclude)
    found, _ = source.pairs()
    names = default_channels(channel_count(found))
    return Detection(
        "images",
        {"path": str(path), "channels": list(names)},
        names,
        len(found),
        ("the files do not say what their channels are: write their modalities in `channels`",),
    )

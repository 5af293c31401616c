"""BraTS folders, 2018 to 2024: one folder per patient, one NIfTI file per modality."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import Field

from leakaudit.cohorts._volumes import Case, LabelMeaning, Layout, VolumeSource
from leakaudit.cohorts.conventions import GLIOMA_REGIONS, in_canonical_order
from leakaudit.errors import DataError

_FILE = re.compile(
    r"(?:^|[_-])(t1gd|t1ce|t1c|t1n|t1w|t1|t2w|t2f|t2|flair|seg)\.nii(?:\.gz)?$", re.IGNORECASE
)
# These suffixes came with BraTS 2023, together with label 3 for enhancing tumour.
_SINCE_2023 = frozenset({"t1n", "t2w", "t2f"})

CAVITY_NOTE = "resection cavity (label 4) counted as background"


class BratsFolders(VolumeSource):
    """BraTS patient folders with the file names of 2018 to 2024.

    `*_t1`, `*_t1ce`, `*_t2`, `*_flair`, `*_seg` (to 2021), or `*-t1n`, `*-t1c`, `*-t2w`, `*-t2f`,
    `*-seg` (since 2023); any mixture, `_` or `-`, upper or lower case, `.nii` or `.nii.gz`.
    Labels 1 necrotic, 2 oedema, and 4 (to 2021) or 3 (since 2023) enhancing become 3, 1, 2.
    """

    enhancing: Literal["auto", 3, 4] = Field(
        default="auto",
        description="label of enhancing tumour; auto: 3 with 2023 file names, otherwise 4, or 3 "
        "in a patient without 4",
    )

    def layout(self) -> Layout:
        """Every folder below the path that holds such files is a patient.

        Raises:
            DataError: a modality occurs twice, or a patient has no labels.
        """
        root = self.location()
        cases = tuple(
            self._case(root, folder, files)
            for folder, files in sorted(brats_patients(root).items())
        )
        found = {name for case in cases for name in case.channels}
        return Layout(
            name=root.name,
            modalities=tuple(in_canonical_order(list(found))),
            regions=GLIOMA_REGIONS,
            cases=cases,
        )

    def _case(self, root: Path, folder: Path, files: dict[str, Path]) -> Case:
        original = folder.relative_to(root).as_posix() if folder != root else root.name
        labels = files.get("seg")
        if labels is None:
            raise DataError(
                "every patient must have labels",
                found=f"no *seg.nii or *seg.nii.gz in {folder}",
                remedy="add it, or move the patient out of the cohort's folder",
            )
        channels: dict[str, tuple[Path, int | None]] = {}
        for suffix, path in files.items():
            if suffix == "seg":
                continue
            modality = self.modality_of(suffix)
            if modality in channels:
                raise DataError(
                    "each modality must occur once per patient",
                    found=f"{channels[modality][0].name} and {path.name} are both {modality}",
                    remedy="remove one of the files, or tell them apart with `rename`",
                )
            channels[modality] = (path, None)
        since_2023 = bool(_SINCE_2023 & set(files))

        def meaning(values: Collection[int], where: str) -> LabelMeaning:
            return self._meaning(values, where, since_2023=since_2023)

        return Case(original, channels, labels, meaning)

    def _meaning(self, values: Collection[int], where: str, *, since_2023: bool) -> LabelMeaning:
        enhancing = self.enhancing
        if enhancing == "auto":
            enhancing = 3 if since_2023 or (3 in values and 4 not in values) else 4
        mapping = {1: 3, 2: 1, enhancing: 2}
        if enhancing == 3 and 4 in values:
            # BraTS 2024 (post-treatment) marks the cavity left by surgery.
            return LabelMeaning({**mapping, 4: 0}, CAVITY_NOTE)
        if enhancing == 4 and 3 in values:
            raise DataError(
                "labels 3 and 4 must not both be tumour",
                found=f"{where} has both",
                remedy="set `enhancing` to 3 if 4 is a resection cavity (BraTS 2024); otherwise "
                "merge label 3 into 1",
            )
        return LabelMeaning(mapping)


def brats_patients(root: Path) -> dict[Path, dict[str, Path]]:
    """Patient folders below a root, each with its files by lower-case suffix.

    Raises:
        DataError: a suffix occurs twice in a folder.
    """
    patients: dict[Path, dict[str, Path]] = {}
    if not root.is_dir():
        return patients
    for path in sorted(root.rglob("*.nii*")):
        match = _FILE.search(path.name)
        if match is None or path.name.startswith(".") or not path.is_file():
            continue
        files = patients.setdefault(path.parent, {})
        suffix = match.group(1).lower()
        if suffix in files:
            raise DataError(
                "each modality must occur once per patient",
                found=f"{files[suffix].name} and {path.name} in {path.parent}",
                remedy="remove one of the files, and keep one folder per patient",
            )
        files[suffix] = path
    # A lone label file, such as those of a labels folder of another layout, is no patient.
    return {folder: files for folder, files in patients.items() if set(files) != {"seg"}}

"""Patients whose files say their modality: BraTS 2018 to 2024, UCSF-PDGM, UPENN-GBM, own data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from leakaudit.cohorts._case import Case
from leakaudit.cohorts._labels import BINARY, Counts, LabelPlan, table_of, union
from leakaudit.cohorts._named import LABELS, Found, named_cases
from leakaudit.cohorts._volumes import Layout, VolumeSource
from leakaudit.cohorts.conventions import GLIOMA_REGIONS, in_canonical_order
from leakaudit.cohorts.faults import raise_all
from leakaudit.errors import DataError

# These suffixes came with BraTS 2023, together with label 3 for enhancing tumour.
_NEW_NAME = re.compile(r"[-_](?:t1n|t2w|t2f)\.", re.IGNORECASE)
_PAEDIATRIC = re.compile(r"BraTS-PED", re.IGNORECASE)
_POST_TREATMENT = re.compile(r"BraTS-(?:GLI|MET)", re.IGNORECASE)
# Kazerooni et al. 2024: 1 enhancing, 2 non-enhancing, 3 cystic, 4 oedema.
_PAEDIATRIC_LABELS = {1: 2, 2: 3, 3: 3, 4: 1}

CAVITY_NOTE = "resection cavity (label 4) counted as background"


class BratsFolders(VolumeSource):
    """Patients whose files say their modality, as in BraTS 2018 to 2024.

    `*_t1`, `*_t1ce`, `*_t2`, `*_flair`, `*_seg` (to 2021), or `*-t1n`, `*-t1c`, `*-t2w`, `*-t2f`,
    `*-seg` (since 2023), UCSF-PDGM's and UPENN-GBM's names, `ct`, `pet`, `adc`; any mixture, `_`
    or `-`, upper or lower case; NIfTI, and with leakaudit[dicom] MHA, NRRD and folders of DICOM
    series. Labels 1 necrotic, 2 oedema, and 4 (to 2021) or 3 (since 2023) enhancing become
    3, 1, 2, decided over the cohort; masks of 0 and 1 alone are one region.
    """

    enhancing: Literal["auto", 3, 4] = Field(
        default="auto",
        description="label of enhancing tumour in the whole cohort; auto: 3 with 2023 file names, "
        "otherwise 4, or 3 where no patient has 4",
    )

    def layout(self) -> Layout:
        """Every folder below the path that holds such files is a patient, or a visit of one.

        Raises:
            DataError: a modality occurs twice.
        """
        root = self.location()
        found, passed_over = named_cases(root, self.exclude, self.rename)
        faults: list[DataError] = []
        cases = tuple(self._case(each, faults) for each in found)
        raise_all(faults)
        names = {name for case in cases for name in case.channels}
        return Layout(
            name=root.name,
            modalities=tuple(in_canonical_order(list(names))),
            cases=cases,
            passed_over=passed_over,
        )

    def _case(self, found: Found, faults: list[DataError]) -> Case:
        channels: dict[str, tuple[Path, int | None]] = {}
        for kind, path in found.files.items():
            if kind == LABELS:
                continue
            modality = self.modality_of(kind)
            if modality in channels:
                faults.append(
                    DataError(
                        "each modality must occur once per patient",
                        found=f"{channels[modality][0].name} and {path.name} are both {modality}",
                        remedy="remove one of the files, or tell them apart with `rename`",
                    )
                )
            channels[modality] = (path, None)
        return Case(found.where, channels, found.label)

    def meaning(self, layout: Layout, counts: Counts) -> LabelPlan:
        """The glioma convention of the cohort's year, or one region for masks of 0 and 1.

        Raises:
            DataError: the values fit no convention, or two.
        """
        values = set(union(counts))
        named = [bool(_PAEDIATRIC.search(case.original)) for case in layout.cases]
        if any(named):
            if not all(named):
                raise _unclear(
                    "paediatric and adult labels must not be mixed: they are numbered differently",
                    counts,
                    "audit them apart with `exclude`, or name the values in `regions`",
                )
            return LabelPlan(_PAEDIATRIC_LABELS, GLIOMA_REGIONS)
        if values <= {0, 1} and 1 in values:
            return LabelPlan(
                {1: 1}, BINARY, ("masks hold 0 and 1 alone: read as one region, lesion",)
            )
        enhancing = self._enhancing(layout, counts)
        mapping = {1: 3, 2: 1, enhancing: 2}
        if enhancing == 3 and 4 in values:
            # BraTS 2024 (post-treatment) marks the cavity left by surgery.
            owners = sum(4 in own for own in counts.values())
            note = f"{CAVITY_NOTE} in {owners} of {len(counts)} label maps"
            return LabelPlan({**mapping, 4: 0}, GLIOMA_REGIONS, (note,))
        return LabelPlan(mapping, GLIOMA_REGIONS)

    def _enhancing(self, layout: Layout, counts: Counts) -> int:
        """Which label is enhancing tumour in every patient."""
        if self.enhancing != "auto":
            return self.enhancing
        values = set(union(counts))
        new = [
            any(_NEW_NAME.search(path.name) for path, _ in case.channels.values())
            for case in layout.cases
        ]
        if 4 not in values:
            return 3 if 3 in values or any(new) else 4
        if all(new) and all(_POST_TREATMENT.search(case.original) for case in layout.cases):
            return 3
        if any(new) or 3 in values:
            raise _unclear(
                "labels 3 and 4 must not both be tumour: one meaning for the whole cohort",
                counts,
                "set `enhancing` to 3 if 4 is a resection cavity (BraTS 2024), to 4 if no patient "
                "has 3; otherwise name the values in `regions`",
            )
        return 4


def _unclear(rule: str, counts: Counts, remedy: str) -> DataError:
    return DataError(rule, found=table_of(counts), remedy=remedy)

"""BIDS: subjects and sessions by their entities, labels among the derivatives or beside."""

from __future__ import annotations

import re
from pathlib import Path

from leakaudit.cohorts._case import Case
from leakaudit.cohorts._files import files_below
from leakaudit.cohorts._labels import Counts, LabelPlan, two_valued
from leakaudit.cohorts._named import stem_of
from leakaudit.cohorts._persons import Owner
from leakaudit.cohorts._volumes import Layout, VolumeSource
from leakaudit.cohorts.conventions import in_canonical_order
from leakaudit.cohorts.faults import raise_all
from leakaudit.errors import DataError

_ENTITY = re.compile(r"(?:^|_)(sub|ses|space|acq|run|ce|desc|label|rec)-([A-Za-z0-9]+)")
_IMAGES = frozenset({"T1w", "T2w", "FLAIR", "PDw", "ct", "pet", "dwi", "T2starw", "SWI"})
_MASKS = frozenset({"dseg", "mask", "seg", "roi", "lesion"})
_NO_LESION = frozenset({"brain", "head", "skull"})


class Bids(VolumeSource):
    """Brain Imaging Data Structure: `sub-*/[ses-*/]anat/*_T1w.nii.gz`, sessions as studies.

    Labels are `*_dseg`, `*_mask` or `*_roi` under `derivatives` or beside the images, one per
    session. A contrast agent (`ce-`) makes T1w to T1Gd.
    """

    def layout(self) -> Layout:
        """Every session of every subject is a study of a person.

        Raises:
            DataError: a modality or label occurs twice in a session.
        """
        root = self.location()
        files = files_below(root, self.exclude)
        images: dict[Owner, dict[str, Path]] = {}
        labels: dict[Owner, Path] = {}
        faults: list[DataError] = []
        for path in files.paths:
            stem = stem_of(path)
            entities = dict(_ENTITY.findall(stem or ""))
            if stem is None or "sub" not in entities:
                continue
            session = entities.get("ses")
            owner = Owner(f"sub-{entities['sub']}", session and f"ses-{session}")
            suffix = stem.rpartition("_")[2]
            kept: dict[str, Path] | None = None
            name = ""
            if suffix in _MASKS:
                if {entities.get("label"), entities.get("desc")} & _NO_LESION:
                    continue
                if owner in labels:
                    faults.append(_twice(labels[owner], path))
                labels[owner] = path
            elif suffix in _IMAGES and "derivatives" not in path.relative_to(root).parts:
                name = "T1Gd" if suffix == "T1w" and "ce" in entities else self.modality_of(suffix)
                kept = images.setdefault(owner, {})
                if name in kept:
                    faults.append(_twice(kept[name], path))
                kept[name] = path
        raise_all(faults)
        found = {name for own in images.values() for name in own}
        return Layout(
            name=root.name,
            modalities=tuple(in_canonical_order(list(found))),
            cases=tuple(
                Case(
                    "/".join(filter(None, (owner.person, owner.study))),
                    {name: (path, None) for name, path in own.items()},
                    labels.get(owner),
                    None if self.person_pattern else owner,
                )
                for owner, own in images.items()
            ),
            passed_over=files.passed_over,
        )

    def meaning(self, layout: Layout, counts: Counts) -> LabelPlan:  # noqa: ARG002
        """One region; several need `regions`, as BIDS does not say what values mean."""
        return two_valued(counts)


def _twice(first: Path, second: Path) -> DataError:
    return DataError(
        "each modality and label must occur once per session",
        found=f"{first} and {second}",
        remedy="leave one out with `exclude`, or list the files in a table",
    )

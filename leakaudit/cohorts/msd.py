"""Data sets with a dataset.json: Medical Segmentation Decathlon, nnU-Net raw, MONAI datalists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from leakaudit.cohorts._case import Case
from leakaudit.cohorts._description import (
    Entry,
    channel_names,
    entries,
    label_values,
    read_description,
)
from leakaudit.cohorts._labels import Counts, LabelPlan, listed_regions, two_valued
from leakaudit.cohorts._volumes import Layout, VolumeSource
from leakaudit.cohorts.conventions import GLIOMA_REGIONS, in_canonical_order
from leakaudit.cohorts.faults import each, raise_all
from leakaudit.errors import DataError

# What dataset.json calls the three glioma labels, without spaces, hyphens and case, and their
# value in the convention. The distributed Task01 names 2 non-enhancing and 3 enhancing, against
# what many tutorials say: the names in the file decide.
_GLIOMA_NAMES: Mapping[str, int] = MappingProxyType(
    {
        "edema": 1,
        "oedema": 1,
        "peritumoraledema": 1,
        "peritumoraloedema": 1,
        "enhancingtumor": 2,
        "enhancingtumour": 2,
        "enhancing": 2,
        "nonenhancingtumor": 3,
        "nonenhancingtumour": 3,
        "nonenhancing": 3,
        "necrotic": 3,
        "necrosis": 3,
        "necroticornonenhancing": 3,
        "necroticandnonenhancingtumor": 3,
        "necroticandnonenhancingtumour": 3,
        "necroticandnonenhancingtumorcore": 3,
        "necroticandnonenhancingtumourcore": 3,
    }
)


class Decathlon(VolumeSource):
    """Data sets that a dataset.json describes: Decathlon, nnU-Net raw (1 and 2), MONAI datalists.

    Modality names and the meaning of labels are read from it. Glioma labels become 1 oedema,
    2 enhancing, 3 necrotic or non-enhancing, by their names there; other tasks keep their labels,
    one region each. Only the training list (and MONAI's validation) is used: tests lack labels.
    """

    def layout(self) -> Layout:
        """Read dataset.json and list the patients.

        Raises:
            DataError: dataset.json is missing, damaged or incomplete, or a file is missing.
        """
        root, description = read_description(self.location())
        found = [self.modality_of(name) for name in channel_names(root, description)]
        faults: list[DataError] = []
        cases = tuple(
            each(entries(root, description), lambda entry: _case(root, entry, found), faults)
        )
        raise_all(faults)
        return Layout(
            name=str(description.get("name", root.name)),
            modalities=tuple(in_canonical_order(found)),
            cases=cases,
        )

    def meaning(self, layout: Layout, counts: Counts) -> LabelPlan:  # noqa: ARG002
        """The names of the labels in dataset.json.

        Raises:
            DataError: it does not say what they are.
        """
        root, description = read_description(self.location())
        named = label_values(root, description)
        if named is None:
            return two_valued(counts)
        plain = {
            name: "".join(letter for letter in name.lower() if letter.isalnum()) for name in named
        }
        glioma = {
            values[0]: _GLIOMA_NAMES[plain[name]]
            for name, values in named.items()
            if len(values) == 1 and plain[name] in _GLIOMA_NAMES
        }
        if len(glioma) == len(named) and set(glioma.values()) == {1, 2, 3}:
            return LabelPlan(glioma, GLIOMA_REGIONS)
        return listed_regions(named)


def _case(root: Path, entry: Entry, found: list[str]) -> Case:
    """One entry's files; one file per modality, or one with all on its fourth axis."""
    paths = [root / image for image in entry.images]
    for path in (*paths, *([root / entry.label] if entry.label else [])):
        if not path.exists():
            raise DataError(
                "every file listed in dataset.json must exist",
                found=f"{path} does not",
                remedy="add the file, or take the patient out of `training`",
            )
    if len(paths) not in {1, len(found)}:
        raise DataError(
            "an entry must list one image, or one per modality",
            found=f"{len(paths)} images for {len(found)} modalities: {paths[0]}",
            remedy="correct the list, or the names of the modalities",
        )
    if len(paths) == 1:
        channels = {
            name: (paths[0], index if len(found) > 1 else None) for index, name in enumerate(found)
        }
    else:
        channels = {name: (path, None) for name, path in zip(found, paths, strict=True)}
    return Case(entry.name, channels, root / entry.label if entry.label else None)

"""Medical Segmentation Decathlon layout: dataset.json, 4-D images, 3-D labels."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leakaudit.cohorts._volumes import Case, LabelMeaning, Layout, VolumeSource
from leakaudit.cohorts.conventions import GLIOMA_REGIONS, in_canonical_order
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
    """Medical Segmentation Decathlon: a folder with dataset.json, imagesTr and labelsTr.

    Modality names and the meaning of labels are read from dataset.json. Glioma labels become 1
    oedema, 2 enhancing, 3 necrotic or non-enhancing, by their names there; other tasks keep their
    labels, one region each. Only the training list is used: the test list has no labels.
    """

    def layout(self) -> Layout:
        """Read dataset.json and list the training patients.

        Raises:
            DataError: dataset.json is missing, damaged or incomplete, or a file is missing.
        """
        root, description = read_description(self.location())
        written = [str(name) for _, name in _numbered(root, description, "modality")]
        found = [self.modality_of(name) for name in written]
        mapping, regions = _label_meaning(_numbered(root, description, "labels"))

        def meaning(values: Collection[int], where: str) -> LabelMeaning:  # noqa: ARG001
            return LabelMeaning(mapping)

        cases = []
        for entry in training_entries(root, description):
            image, label = (root / entry[part] for part in ("image", "label"))
            for path in (image, label):
                if not path.is_file():
                    raise DataError(
                        "every file listed in dataset.json must exist",
                        found=f"{path} does not",
                        remedy="add the file, or take the patient out of `training`",
                    )
            channels = {
                name: (image, index if len(found) > 1 else None) for index, name in enumerate(found)
            }
            cases.append(Case(image.name.split(".")[0], channels, label, meaning))
        return Layout(
            name=str(description.get("name", root.name)),
            modalities=tuple(in_canonical_order(found)),
            regions=regions,
            cases=tuple(cases),
        )


def read_description(path: Path) -> tuple[Path, dict[str, Any]]:
    """The folder and the content of its dataset.json.

    Args:
        path: the folder, or dataset.json itself.

    Raises:
        DataError: there is no dataset.json, or it is not a JSON object.
    """
    file = path if path.is_file() else path / "dataset.json"
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(
            "a Decathlon folder must have a readable dataset.json",
            found=f"{file}: {problem}",
            remedy="point `path` to the folder of one task",
        ) from None
    if not isinstance(description, dict):
        raise DataError(
            "dataset.json must be an object",
            found=f"{type(description).__name__} in {file}",
            remedy="see docs/cohorts.md for the layout",
        )
    return file.parent, description


def training_entries(root: Path, description: Mapping[str, Any]) -> list[dict[str, str]]:
    """The `training` list: image and label of each patient, relative to the folder.

    Raises:
        DataError: an entry lacks one of them.
    """
    entries = description.get("training", [])
    for entry in entries:
        if not isinstance(entry, dict) or not {"image", "label"} <= entry.keys():
            raise DataError(
                "every entry of `training` must name an image and a label",
                found=f"{entry!r} in {root / 'dataset.json'}",
                remedy='write {"image": "./imagesTr/...", "label": "./labelsTr/..."}',
            )
    return list(entries)


def _numbered(root: Path, description: Mapping[str, Any], field: str) -> list[tuple[int, str]]:
    """A field such as {"0": "FLAIR", "1": "T1w"}, by number."""
    try:
        pairs = sorted((int(number), str(name)) for number, name in description[field].items())
    except (KeyError, AttributeError, ValueError) as problem:
        raise DataError(
            f"dataset.json must say what its {field} are, by number",
            found=f"{problem!r} in {root / 'dataset.json'}",
            remedy=f'add "{field}": {{"0": "...", "1": "..."}}',
        ) from None
    return pairs


def _label_meaning(
    labels: list[tuple[int, str]],
) -> tuple[dict[int, int], Mapping[str, tuple[int, ...]]]:
    """Mapping to the cohort's labels, and the regions they form."""
    named = {number: name for number, name in labels if number != 0}
    plain = {
        number: "".join(letter for letter in name.lower() if letter.isalnum())
        for number, name in named.items()
    }
    glioma = {
        number: _GLIOMA_NAMES[name] for number, name in plain.items() if name in _GLIOMA_NAMES
    }
    if len(glioma) == len(named) and set(glioma.values()) == {1, 2, 3}:
        return glioma, GLIOMA_REGIONS
    return {number: number for number in named}, {name: (number,) for number, name in named.items()}

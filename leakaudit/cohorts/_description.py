"""What a dataset.json says, in the dialects of Decathlon, nnU-Net (1 and 2) and MONAI."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakaudit.cohorts._named import stem_of
from leakaudit.errors import DataError

Regions = dict[str, tuple[int, ...]]
# MONAI keeps some labelled patients apart; they are patients all the same.
_PARTS = ("training", "validation")
_NUMBERED = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


@dataclass(frozen=True)
class Entry:
    """One patient's files, relative to the folder.

    Attributes:
        name: of the case.
        images: one file, or one for each modality in their order.
        label: the mask; None where it is missing.
    """

    name: str
    images: tuple[str, ...]
    label: str | None


def read_description(path: Path) -> tuple[Path, dict[str, Any]]:
    """The folder and the content of its dataset.json.

    Args:
        path: the folder, or the JSON file itself.

    Raises:
        DataError: there is no such file, or it is not a JSON object.
    """
    file = path if path.is_file() else path / "dataset.json"
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(
            "a Decathlon or nnU-Net folder must have a readable dataset.json",
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


def channel_names(root: Path, description: Mapping[str, Any]) -> list[str]:
    """The modalities, in the order of the channels.

    Raises:
        DataError: they are not said, or not by number.
    """
    for field in ("channel_names", "modality"):
        if description.get(field) is not None:
            return [name for _, name in _numbered(root, field, description[field])]
    if _is_datalist(description):
        count = max((len(entry.images) for entry in entries(root, description)), default=1)
        return ["image"] if count == 1 else [f"channel {at + 1}" for at in range(count)]
    raise _lacks(root, "modality", "nothing")


def label_values(root: Path, description: Mapping[str, Any]) -> Regions | None:
    """Label names with their values, background left out; None in a datalist that says nothing.

    Raises:
        DataError: they are not said.
    """
    written = description.get("labels")
    if written is None and _is_datalist(description):
        return None
    if isinstance(written, Mapping) and not all(_is_number(key) for key in written):
        return _by_name(root, written)
    named: Regions = {}
    for number, name in _numbered(root, "labels", written):
        if number != 0:
            named[name] = (*named.get(name, ()), number)
    return named


def _by_name(root: Path, written: Mapping[str, Any]) -> Regions:
    """nnU-Net 2: name to value, or to the values it is the union of."""
    named: Regions = {}
    for name, value in written.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            raise _lacks(root, "labels", f"{name!r}: {value!r}")
        if name.lower() != "ignore" and values != [0]:
            named[name] = tuple(v for v in values if v != 0)
    return named


def entries(root: Path, description: Mapping[str, Any]) -> list[Entry]:
    """Every patient with an image: those that are listed, or those in imagesTr.

    Raises:
        DataError: a list is no list, or an entry names no files.
    """
    listed = [part for part in _PARTS if part in description]
    if not listed and (root / "imagesTr").is_dir():
        return _in_folders(root, str(description.get("file_ending", ".nii.gz")))
    found: list[Entry] = []
    for part in listed or ["training"]:
        written = description.get(part)
        if not isinstance(written, list):
            raise DataError(
                f"`{part}` in dataset.json must be a list",
                found=f"{json.dumps(written)[:60]} in {root / 'dataset.json'}",
                remedy='write [{"image": "./imagesTr/...", "label": "./labelsTr/..."}]',
            )
        found += [_entry(root, item) for item in written]
    return found


def _entry(root: Path, item: object) -> Entry:
    written = item if isinstance(item, dict) else {}
    images = written.get("image")
    images = images if isinstance(images, list) else [images]
    label = written.get("label")
    if not images or not all(isinstance(name, str) and name for name in (*images, label)):
        raise DataError(
            "every entry of `training` must name an image and a label",
            found=f"{str(item)[:120]} in {root / 'dataset.json'}",
            remedy='write {"image": "./imagesTr/...", "label": "./labelsTr/..."}',
        )
    first = str(images[0])
    if len(images) == 1 and "\0" not in first and not (root / first).exists():
        # nnU-Net 1 lists names without the channel: case.nii.gz for case_0000.nii.gz.
        stem, ending = _ending(Path(first))
        parts = sorted((root / first).parent.glob(f"{_literal(stem)}_[0-9][0-9][0-9][0-9]{ending}"))
        if parts:
            images = [path.relative_to(root).as_posix() for path in parts]
    name = _ending(Path(first))[0]
    if "\0" in "".join([*images, str(label)]):
        raise DataError(
            "a path must have no null byte",
            found=f"{item!r} in {root / 'dataset.json'}",
            remedy="correct the name",
        )
    return Entry(name, tuple(images), str(label))


def _in_folders(root: Path, ending: str) -> list[Entry]:
    """nnU-Net 2: imagesTr/CASE_0000, and labelsTr/CASE."""
    cases: dict[str, list[str]] = {}
    for path in sorted((root / "imagesTr").iterdir()):
        if path.name.startswith(".") or not path.name.endswith(ending):
            continue
        if match := _NUMBERED.match(path.name.removesuffix(ending)):
            cases.setdefault(match["case"], []).append(f"imagesTr/{path.name}")
    found = []
    for case, images in cases.items():
        label = root / "labelsTr" / f"{case}{ending}"
        found.append(
            Entry(case, tuple(images), f"labelsTr/{label.name}" if label.exists() else None)
        )
    return found


def is_datalist(file: Path) -> bool:
    """Whether a JSON file lists the files of patients as MONAI does."""
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(description, dict) and isinstance(description.get("training"), list)


def _is_datalist(description: Mapping[str, Any]) -> bool:
    """A MONAI list of files: nothing but entries, or entries with one file per modality."""
    written = description.get("training")
    if not isinstance(written, list):
        return False
    bare = not {"modality", "channel_names", "labels"} & set(description)
    return bare or any(isinstance(x, dict) and isinstance(x.get("image"), list) for x in written)


def _ending(path: Path) -> tuple[str, str]:
    stem = stem_of(path)
    stem = path.stem if stem is None else stem
    return stem, path.name[len(stem) :]


def _literal(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _is_number(text: object) -> bool:
    return isinstance(text, str) and text.strip().isdecimal()


def _numbered(root: Path, field: str, written: object) -> list[tuple[int, str]]:
    """A field such as {"0": "FLAIR", "1": "T1w"}, by number."""
    try:
        pairs = sorted((int(number), str(name)) for number, name in written.items())  # type: ignore[attr-defined]
    except (AttributeError, ValueError) as problem:
        raise _lacks(root, field, repr(problem)) from None
    return pairs


def _lacks(root: Path, field: str, found: str) -> DataError:
    return DataError(
        f"dataset.json must say what its {field} are, by number",
        found=f"{found} in {root / 'dataset.json'}",
        remedy=f'add "{field}": {{"0": "...", "1": "..."}}',
    )

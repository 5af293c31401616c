"""Files that say their modality at the end of their names, sorted into cases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leakaudit.cohorts._files import files_below
from leakaudit.cohorts._volume_file import NIFTI, WITH_EXTRA
from leakaudit.cohorts.conventions import canonical_modality
from leakaudit.cohorts.faults import raise_all
from leakaudit.errors import DataError

LABELS = "seg"

_LABEL_NAMES = r"seg|segm|mask|lesion[-_]?mask|tumou?r[-_]?seg(?:mentation)?|segmentation|gtv|dseg"
_NAME = re.compile(
    r"^(?:(?P<prefix>.*?)[_-])??(?P<what>t1gd|t1ce|t1wce|t1c|t1n|t1w|t1|t2w|t2f|t2|flair|ct|pet|pt"
    rf"|adc|dwi|swi|{_LABEL_NAMES})$",
    re.IGNORECASE,
)
# Beside the images of public data sets, and none of them.
_NO_MODALITY = re.compile(
    r"(?:automated[-_]approx[-_]segm|brain[-_](?:seg|segmentation|parenchyma\w*)|[-_]bias"
    r"|unstripped[-_]\w+|\w+[-_]unstripped)$",
    re.IGNORECASE,
)
_DICOM = frozenset({".dcm", ".ima", ""})
_PREAMBLE = 128


@dataclass
class Found:
    """One visit's files while they are being sorted.

    Attributes:
        where: the name below the root.
        files: what each file is, in small letters, to the file or DICOM folder.
    """

    where: str
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def label(self) -> Path | None:
        """The label file, if there is one."""
        return self.files.get(LABELS)


def stem_of(path: Path) -> str | None:
    """A volume's name without its ending; None for other files."""
    for ending in sorted((*NIFTI, *WITH_EXTRA), key=len, reverse=True):
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)].strip()
    return None


def named_cases(
    root: Path, exclude: Sequence[str] = (), rename: Mapping[str, str] | None = None
) -> tuple[list[Found], tuple[str, ...]]:
    """Cases below a root, and what was passed over.

    A folder of files, or of DICOM series in folders named after their modality, is a case. A
    folder with several of each modality is many cases: the name before the modality is theirs.

    Args:
        root: folder.
        exclude: patterns to leave out.
        rename: names on disk that are modalities too, for DICOM folders.

    Raises:
        DataError: a modality occurs twice in a case.
    """
    files = files_below(root, exclude)
    folders: dict[Path, list[tuple[str, str, Path]]] = {}
    for path in files.paths:
        stem = stem_of(path)
        if stem is None or _NO_MODALITY.search(stem):
            continue
        if match := _NAME.match(stem):
            entry = (match["prefix"] or "", _what(match["what"]), path)
            folders.setdefault(path.parent, []).append(entry)
    for folder in _series(files.paths):
        what = folder.name.strip()
        match = _NAME.match(what)
        if folder == root or not (match or what in (rename or {})):
            continue
        kind = _what(match["what"]) if match and not match["prefix"] else what.lower()
        folders.setdefault(folder.parent, []).append(("", kind, folder))
    faults: list[DataError] = []
    found: list[Found] = []
    for folder, entries in sorted(folders.items()):
        found += _split(root, folder, entries, faults)
    raise_all(faults)
    return _joined(found), files.passed_over


def _what(written: str) -> str:
    small = written.lower()
    return LABELS if re.fullmatch(_LABEL_NAMES, small) else small


def _series(paths: Sequence[Path]) -> list[Path]:
    """Folders that hold DICOM files."""
    return [folder for folder in sorted({path.parent for path in paths}) if is_series(folder)]


def is_series(folder: Path) -> bool:
    """Whether the first file of a folder is DICOM; its name need not say so."""
    first = next((p for p in sorted(folder.iterdir()) if not p.name.startswith(".")), None)
    if first is None or not first.is_file() or first.suffix.lower() not in _DICOM:
        return False
    with first.open("rb") as stream:
        return stream.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def _split(
    root: Path, folder: Path, entries: list[tuple[str, str, Path]], faults: list[DataError]
) -> list[Found]:
    """One case of a folder, or one for each prefix where every prefix has a set of its own."""
    base = folder.relative_to(root).as_posix() if folder != root else ""
    kinds = {kind for _, kind, _ in entries}
    prefixes = dict.fromkeys(prefix for prefix, _, _ in entries)
    repeated = len(entries) > len(kinds)
    flat = repeated and all(
        len({kind for own, kind, _ in entries if own == prefix} - {LABELS}) > (len(kinds) - 1) / 2
        for prefix in prefixes
    )
    lone_labels = kinds == {LABELS}
    if flat or (lone_labels and len(entries) > 1):
        parts = {
            "/".join(filter(None, (base, prefix))): [e for e in entries if e[0] == prefix]
            for prefix in prefixes
        }
    else:
        parts = {base or root.name: entries}
    found = []
    for name, own in parts.items():
        case = Found(name)
        for _, kind, path in own:
            if kind in case.files:
                faults.append(
                    DataError(
                        "each modality must occur once per patient",
                        found=f"{case.files[kind].name} and {path.name} in {folder}",
                        remedy="remove one of the files, and keep one folder per patient",
                    )
                )
            case.files[kind] = path
        found.append(case)
    return found


def _joined(found: list[Found]) -> list[Found]:
    """Label files that lie apart go to the case of their name; others are no patients."""
    cases = [case for case in found if set(case.files) != {LABELS}]
    apart = [case for case in found if set(case.files) == {LABELS}]
    by_name = {_last(case): case for case in cases if case.label is None}
    for labels in apart:
        prefix = _prefix(labels.files[LABELS])
        if case := by_name.get(prefix):
            case.files[LABELS] = labels.files[LABELS]
    return cases


def _last(case: Found) -> str:
    return _prefix(next(iter(case.files.values())))


def _prefix(path: Path) -> str:
    match = _NAME.match(stem_of(path) or "")
    return (match["prefix"] or "") if match else ""


def modality_names(files: Mapping[str, Path]) -> list[str]:
    """What the files of a case are, labels aside, by their canonical names."""
    return [canonical_modality(kind) for kind in files if kind != LABELS]

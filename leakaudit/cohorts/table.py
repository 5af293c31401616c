"""A table that says person, study, site, files and labels: for every other layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from leakaudit.cohorts._case import Case
from leakaudit.cohorts._labels import Counts, LabelPlan, two_valued
from leakaudit.cohorts._persons import Owner, plain
from leakaudit.cohorts._volumes import Layout, VolumeSource
from leakaudit.cohorts.faults import each, raise_all
from leakaudit.errors import DataError

_OWN = ("person", "study", "site", "label")


class Table(VolumeSource):
    """A CSV or JSON table of volumes: person, study, site, one column per modality, label.

    `person` and `label` are needed, `study` where a person has several rows, `site` as wanted.
    Files are relative to the table's folder. JSON is a list of objects with the same names.
    Labels are two-valued, or carry the values of `regions`.
    """

    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="of a CSV file; if unset, whichever of tab, semicolon and comma is in its "
        "first line",
    )

    def layout(self) -> Layout:
        """Read the table.

        Raises:
            DataError: it is unreadable, a column is missing, or files are not there.
        """
        file = self.location()
        rows = _rows(file, self.separator)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        missing = [name for name in ("person", "label") if name not in columns]
        names = [name for name in columns if name not in _OWN]
        if missing or not names:
            raise DataError(
                "a table must have the columns person and label, and one per modality",
                found=f"{', '.join(columns) or 'none'} in {file}",
                remedy="write the names of the columns in the first line",
            )
        modalities = [self.modality_of(name) for name in names]
        faults: list[DataError] = []
        numbered = list(enumerate(rows, start=1))
        cases = tuple(
            each(
                numbered,
                lambda row: _case(file, *row, dict(zip(names, modalities, strict=True))),
                faults,
            )
        )
        raise_all(faults)
        return Layout(name=file.stem, modalities=tuple(modalities), cases=cases)

    def meaning(self, layout: Layout, counts: Counts) -> LabelPlan:  # noqa: ARG002
        """One region; several need `regions`."""
        return two_valued(counts)


def is_table(file: Path) -> bool:
    """Whether a JSON file is a list of rows rather than a description of a data set."""
    try:
        return isinstance(json.loads(file.read_text(encoding="utf-8")), list)
    except (OSError, ValueError, RecursionError):
        return False


def _case(file: Path, number: int, row: Mapping[str, str], names: Mapping[str, str]) -> Case:
    where = f"row {number} of {file}"
    person = plain(row.get("person", ""))
    if not person:
        raise DataError(
            "every row of a table must name its person",
            found=where,
            remedy="write the same name in all rows of one person",
        )
    written = {name: row[name] for name in (*names, "label") if row.get(name)}
    paths = {name: file.parent / path for name, path in written.items() if "\0" not in path}
    absent = [written[name] for name in written if name not in paths or not paths[name].exists()]
    if absent:
        raise DataError(
            "every file of a table must exist",
            found=f"{', '.join(absent)} in {where}",
            remedy="correct the path; it is taken from the table's folder",
        )
    study = plain(row.get("study", "")) or None
    return Case(
        ", ".join(filter(None, (person, study))),
        {name: (paths[written], None) for written, name in names.items() if written in paths},
        paths.get("label"),
        Owner(person, study, plain(row.get("site", "")) or None),
    )


def _rows(file: Path, separator: str | None) -> list[dict[str, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() != ".json":
            first = text.partition("\n")[0]
            split = separator or next((mark for mark in "\t;" if mark in first), ",")
            reader = csv.DictReader(text.splitlines(), delimiter=split, strict=True)
            rows = list(reader)
            if any(None in row or None in row.values() for row in rows):
                raise ValueError("rows of unequal length")
            return [{key.strip(): value.strip() for key, value in row.items()} for row in rows]
        content = json.loads(text)
    except (OSError, ValueError, RecursionError, csv.Error) as problem:
        raise DataError(
            "a table must be readable CSV or JSON",
            found=f"{file}: {problem}",
            remedy="save it as CSV in UTF-8 with one line per study, or as a list of objects",
        ) from None
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(
            "a JSON table must be a list of objects",
            found=f"{type(content).__name__} in {file}",
            remedy='write [{"person": "...", "T1": "...", "label": "..."}]',
        )
    return [
        {str(key): str(value) for key, value in row.items() if value is not None} for row in content
    ]

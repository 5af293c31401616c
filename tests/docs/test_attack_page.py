"""The page on what every attack came to is written from a record, and from nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from example_records import example_record
from fenced import ROOT

from leakaudit.record import Record


@pytest.fixture(scope="module")
def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "attack_page", ROOT / "benchmarks" / "attack_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def record() -> Record:
    """With an effort curve of every finding."""
    plain = example_record()
    drawn = next(finding.curve for finding in plain.findings if finding.curve)
    return plain.model_copy(
        update={"findings": tuple(f.model_copy(update={"curve": drawn}) for f in plain.findings)}
    )


def table(text: str, heading: str) -> list[list[str]]:
    lines = text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0].splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_attack_that_found_something_has_a_row_per_setting(
    command: ModuleType, record: Record, tmp_path: Path
) -> None:
    page, picture = command.write(record, tmp_path / "attacks.md")
    text = page.read_text(encoding="utf-8")
    found = {
        (f.attack, f.adversary, f.defense, command.LABELS[f.metric])
        for f in record.findings
        if (f.asset, f.metric, f.region) in command.PRIMARY
    }
    rows = table(text, "What each attack got")
    assert {(*row[:3], row[4]) for row in rows} == found
    assert len(rows) == len(found)
    for adversary in record.adversaries:
        for refused in adversary.not_mountable:
            assert f"- {refused.attack} by {adversary.name}: {refused.reason}" in text
    assert f"]({picture.name})" in text
    told = {(row[0].split(" by ")[0], row[1]) for row in table(text, "Effort")}
    assert told == {(attack, setting) for attack, _, setting, _ in found}


def test_the_strongest_victim_and_levels_stand_in_the_row(
    command: ModuleType, record: Record, tmp_path: Path
) -> None:
    page, _ = command.write(record, tmp_path / "attacks.md")
    for row in table(page.read_text(encoding="utf-8"), "What each attack got"):
        rivals = [
            f
            for f in record.findings
            if [f.attack, f.adversary, f.defense, command.LABELS.get(f.metric)]
            == [*row[:3], row[4]]
            and (f.asset, f.metric, f.region) in command.PRIMARY
            and f.advantage is not None
        ]
        best = max(rivals, key=lambda f: f.advantage.mean)
        assert row[6] == command.interval(best.advantage)
        assert row[3].startswith(f"{best.victim}, level")


def test_notes_are_kept_and_the_picture_is_the_same_twice(
    command: ModuleType, record: Record, tmp_path: Path
) -> None:
    page, picture = command.write(record, tmp_path / "attacks.md")
    first, drawn = page.read_text(encoding="utf-8"), picture.read_bytes()
    noted = "<!-- notes -->\nThe noise was averaged away.\n<!-- /notes -->\n"
    page.write_text(first.replace(command.NO_NOTES, noted), encoding="utf-8")
    command.write(record, page)
    assert noted in page.read_text(encoding="utf-8")
    assert picture.read_bytes() == drawn
    assert b"optimiser steps" in drawn

"""Recognising a data folder, and staying light to import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from leakaudit.cohorts.detect import detect
from leakaudit.errors import DataError
from leakaudit.plugins import Kind, build, load, names

Writer = Callable[..., Path]


def npz(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(
        folder / "all.npz",
        image=rng.integers(0, 9, (4, 8, 8, 2), dtype=np.uint8),
        mask=np.zeros((4, 8, 8), dtype=np.uint8),
        patient=np.array(["x", "x", "y", "y"]),
        channels=np.array(["T1", "FLAIR"]),
    )
    return folder


def pictures(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for patient in "abc":
        (folder / patient).mkdir(parents=True)
        image = rng.integers(0, 9, (8, 8, 3), dtype=np.uint8)
        tifffile.imwrite(folder / patient / "s_1.tif", image, photometric="rgb")
        tifffile.imwrite(folder / patient / "s_1_mask.tif", np.eye(8, dtype=np.uint8) * 255)
    return folder


def test_every_layout_is_recognised_and_its_settings_load(
    tmp_path: Path, scans: list[Any], write_brats: Writer, write_msd: Writer
) -> None:
    for name in ("npz", "images", "brats", "msd"):
        (tmp_path / name).mkdir()
    npz(tmp_path / "npz")
    pictures(tmp_path / "images")
    write_brats(tmp_path / "brats", {"a": scans[0], "b": scans[1]})
    write_msd(tmp_path / "msd", {"a": scans[0]})
    for name, patients, modalities in (
        ("npz", 2, 2),
        ("images", 3, 3),
        ("brats", 2, 4),
        ("msd", 1, 4),
    ):
        found = detect(tmp_path / name)
        assert (found.source, found.patients) == (name, patients)
        assert len(found.modalities) == modalities
        cohort = build(Kind.COHORT, found.source, found.settings).load()
        assert cohort.modalities == found.modalities
        assert len(cohort.patient_ids) == patients


def test_files_are_recognised_too(tmp_path: Path, scans: list[Any], write_msd: Writer) -> None:
    assert detect(npz(tmp_path) / "all.npz").source == "npz"
    root = write_msd(tmp_path / "task", {"a": scans[0]})
    assert detect(root / "dataset.json").source == "msd"


def test_nothing_that_fits_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match=r"looked for dataset\.json.*npz") as caught:
        detect(tmp_path)
    assert "callable" in caught.value.remedy
    with pytest.raises(DataError, match="must exist"):
        detect(tmp_path / "absent")


def test_two_layouts_in_one_folder_are_not_guessed(tmp_path: Path) -> None:
    pictures(npz(tmp_path) / "pictures")
    with pytest.raises(DataError, match=r"one cohort; found: npz in .*, images in"):
        detect(tmp_path)


def test_every_source_is_registered_and_its_settings_are_described() -> None:
    assert {"brats", "callable", "images", "msd", "npz", "phantom"} <= set(names(Kind.COHORT))
    for name in ("brats", "callable", "images", "msd", "npz", "phantom"):
        source = load(Kind.COHORT, name)
        assert source.summary()
        for setting, field in source.model_fields.items():
            assert field.description, f"{name}.{setting} has no description"
        shareable = source.model_fields["shareable"].default
        assert shareable is (name == "phantom"), "only phantoms may be shown by default"


def test_importing_the_room_is_light() -> None:
    heavy = "('torch', 'monai', 'nibabel', 'skimage', 'scipy', 'pandas', 'tifffile', 'PIL')"
    code = (
        "import sys, leakaudit.cohorts, leakaudit.cohorts.phantom, leakaudit.cohorts.detect; "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

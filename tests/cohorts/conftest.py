"""Small patients on disk, in every layout, made from phantoms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leakaudit.cohorts.phantom import Phantom

RAS = np.diag([2.0, 2.0, 3.0, 1.0])
MODALITIES = ("T1", "T1Gd", "T2", "FLAIR")


@dataclass(frozen=True)
class Scan:
    """One patient as leakaudit should see it: (m, d, h, w) int16 and (d, h, w) labels."""

    volumes: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]

    def with_volumes(self, volumes: npt.NDArray[Any]) -> Scan:
        return replace(self, volumes=volumes)

    def with_labels(self, labels: npt.NDArray[Any]) -> Scan:
        return replace(self, labels=labels)


@pytest.fixture(scope="session")
def scans() -> list[Scan]:
    cohort = Phantom(patients=3, size=28, dimensions=3, depth=20, seed=5).load()
    volumes = np.round(cohort.images * 1000).astype(np.int16)
    volumes[volumes < 60] = 0
    assert all(set(np.unique(labels)) == {0, 1, 2, 3} for labels in cohort.labels)
    return [Scan(v, lab) for v, lab in zip(volumes, cohort.labels, strict=True)]


def on_disk(array: npt.NDArray[Any], axes: str = "RAS") -> npt.NDArray[Any]:
    """From (d, h, w) as seen to the voxel order of a file with the given axes."""
    ras = array[:, ::-1, ::-1].transpose(2, 1, 0)
    flips = tuple(slice(None, None, 1 if a == b else -1) for a, b in zip(axes, "RAS", strict=True))
    return ras[flips]


def affine_of(shape: tuple[int, ...], axes: str) -> npt.NDArray[Any]:
    affine = RAS.copy()
    for axis, (have, ras) in enumerate(zip(axes, "RAS", strict=True)):
        if have != ras:
            affine[axis, 3] = RAS[axis, axis] * (shape[axis] - 1)
            affine[axis, axis] *= -1
    return affine


def save(path: Path, array: npt.NDArray[Any], affine: npt.NDArray[Any]) -> None:
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    nib: Any = nibabel
    nib.save(nib.Nifti1Image(np.ascontiguousarray(array), affine), path)


@pytest.fixture
def write_brats() -> Callable[..., Path]:
    """Write patients as BraTS folders; suffixes in the order T1, T1Gd, T2, FLAIR, labels."""

    def write(
        root: Path,
        patients: Mapping[str, Scan],
        suffixes: tuple[str, ...] = ("_t1", "_t1ce", "_t2", "_flair", "_seg"),
        ending: str = ".nii.gz",
        enhancing: int = 4,
        axes: str = "LPS",
    ) -> Path:
        values = np.array([0, 2, enhancing, 1], dtype=np.uint8)
        for name, scan in patients.items():
            folder = root / name
            for suffix, volume in zip(suffixes, scan.volumes, strict=False):
                stored = on_disk(volume, axes)
                save(folder / f"{name}{suffix}{ending}", stored, affine_of(stored.shape, axes))
            labels = scan.labels
            if labels.max() <= 3:
                labels = values[labels]
            stored = on_disk(labels, axes)
            save(folder / f"{name}{suffixes[-1]}{ending}", stored, affine_of(stored.shape, axes))
        return root

    return write


@pytest.fixture
def write_msd() -> Callable[..., Path]:
    """Write patients in Decathlon layout, channels FLAIR, T1, T1Gd, T2 as distributed."""

    def write(
        root: Path,
        patients: Mapping[str, Scan],
        labels: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Path:
        names = labels or {
            "0": "background",
            "1": "edema",
            "2": "non-enhancing tumor",
            "3": "enhancing tumour",
        }
        values = np.array([0, 1, 3, 2], dtype=np.uint8)
        for name, scan in patients.items():
            stored = np.stack([on_disk(scan.volumes[at]) for at in (3, 0, 1, 2)], axis=-1)
            save(root / "imagesTr" / f"{name}.nii.gz", stored, RAS)
            save(root / "labelsTr" / f"{name}.nii.gz", on_disk(values[scan.labels]), RAS)
        description = {
            "name": "BRATS",
            "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
            "labels": names,
            "training": [
                {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
                for name in patients
            ],
            **changes,
        }
        (root / "dataset.json").write_text(json.dumps(description))
        return root

    return write

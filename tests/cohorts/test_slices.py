"""Slices from .npz files, from folders of pictures, and from a function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from leakaudit.cohorts import Cohort
from leakaudit.cohorts.checks import check_cohort
from leakaudit.cohorts.images import ImageFolders
from leakaudit.cohorts.npz import NpzSlices
from leakaudit.cohorts.phantom import Phantom
from leakaudit.cohorts.python_function import PythonFunction
from leakaudit.errors import ConfigurationError, DataError, UnknownNameError


def arrays(**changes: Any) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    held: dict[str, Any] = {
        "image": rng.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8),
        "mask": (rng.random((9, 16, 16)) > 0.8).astype(np.uint8),
        "patient": np.repeat(["TCGA_1", "TCGA_2", "TCGA_3"], 3),
        "slice": np.array([3, 1, 2] * 3),
        "channels": np.array(["pre_contrast_T1", "FLAIR", "post_contrast_T1"]),
    }
    held.update(changes)
    return {name: array for name, array in held.items() if array is not None}


def saved(folder: Path, **changes: Any) -> str:
    held: Any = arrays(**changes)
    np.savez(folder / "slices.npz", **held)
    return str(folder / "slices.npz")


def test_a_path_may_be_a_path(tmp_path: Path) -> None:
    cohort = NpzSlices.model_validate({"path": Path(saved(tmp_path))}).load()
    assert len(cohort.images) == 9


def test_npz_loads_every_slice_in_order(tmp_path: Path) -> None:
    cohort = NpzSlices(path=saved(tmp_path)).load()
    check_cohort(cohort)
    assert cohort.modalities == ("T1", "FLAIR", "T1Gd")
    assert cohort.regions == {"lesion": (1,)}
    assert cohort.positions.tolist() == [1, 2, 3] * 3
    held = arrays()
    stored = held["image"][[1, 2, 0]].transpose(0, 3, 1, 2) / np.float32(255)
    at = next(
        name
        for name in cohort.patient_ids
        if np.allclose(cohort.images[cohort.patients == name], stored)
    )
    np.testing.assert_array_equal(cohort.labels[cohort.patients == at], held["mask"][[1, 2, 0]])
    assert "TCGA" not in repr(cohort)


def test_npz_leaves_out_copied_patients_and_says_how_many(tmp_path: Path) -> None:
    cohort = NpzSlices(path=saved(tmp_path, copied_channel=np.array(["TCGA_2"]))).load()
    assert len(cohort.patient_ids) == 2
    assert len(cohort.warnings) == 1
    assert cohort.warnings[0].startswith("1 patients")
    assert "TCGA" not in cohort.warnings[0]


def test_npz_chooses_and_renames_modalities(tmp_path: Path) -> None:
    path = saved(tmp_path)
    cohort = NpzSlices(path=path, modalities=("FLAIR", "pre_contrast_T1")).load()
    assert cohort.modalities == ("FLAIR", "T1")
    renamed = NpzSlices(path=path, rename={"FLAIR": "dark fluid"}).load()
    assert renamed.modalities == ("T1", "dark fluid", "T1Gd")
    with pytest.raises(UnknownNameError, match="did you mean 'FLAIR'"):
        NpzSlices(path=path, modalities=("FLAR",)).load()
    with pytest.raises(DataError, match="each modality must occur once"):
        NpzSlices(path=path, rename={"FLAIR": "T1"}).load()


def test_npz_resizes_and_picks_slices(tmp_path: Path) -> None:
    mask = np.zeros((9, 16, 16), dtype=np.uint8)
    mask[[0, 4, 8], 3:9, 3:9] = 255
    path = saved(tmp_path, mask=mask)
    cohort = NpzSlices(path=path, size=8, slices_per_patient=1).load()
    assert cohort.images.shape == (3, 3, 8, 8)
    assert cohort.labels.reshape(3, -1).any(axis=1).all()
    assert set(np.unique(cohort.labels)) == {0, 1}


def test_npz_without_optional_arrays(tmp_path: Path) -> None:
    cohort = NpzSlices(path=saved(tmp_path, channels=None, slice=None)).load()
    assert cohort.modalities == ("channel 1", "channel 2", "channel 3")


def test_npz_regions_of_several_labels(tmp_path: Path) -> None:
    mask = np.zeros((9, 16, 16), dtype=np.uint8)
    mask[:, :4], mask[:, 4:8] = 1, 2
    source = NpzSlices(path=saved(tmp_path, mask=mask), regions={"whole": (1, 2), "core": (2,)})
    assert source.load().masks().mean(axis=(0, 2, 3)).tolist() == [0.5, 0.25]
    with pytest.raises(DataError, match=r"2 in 3 \(576 voxels\).*regions"):
        NpzSlices(path=saved(tmp_path, mask=mask)).load()


def test_npz_floats_outside_the_unit_interval_are_scaled_by_percentiles(tmp_path: Path) -> None:
    image = np.random.default_rng(1).normal(500, 100, (9, 16, 16, 3)).astype(np.float32)
    cohort = NpzSlices(path=saved(tmp_path, image=image)).load()
    check_cohort(cohort)
    assert cohort.images.max() == 1
    assert 0.4 < cohort.images.mean() < 0.6


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mask": np.zeros((9, 16, 15), np.uint8)}, "same shape"),
        ({"image": np.zeros((9, 16, 16), np.uint8)}, r"must be \(n, h, w, m\)"),
        ({"image": np.full((9, 16, 16, 3), 7, np.uint8)}, "must not be constant"),
        ({"image": np.full((9, 16, 16, 3), np.nan)}, "must be finite"),
        ({"patient": np.array(["a"] * 8)}, "same shape"),
        ({"channels": np.array(["T1"])}, "same shape"),
        ({"mask": None}, "lacks mask"),
        ({"copied_channel": np.array(["TCGA_1", "TCGA_2", "TCGA_3"])}, "at least one patient"),
        ({"patient": np.array([{}] * 9, dtype=object)}, "without pickle"),
    ],
)
def test_npz_bad_files(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        NpzSlices(path=saved(tmp_path, **changes)).load()
    assert caught.value.found
    assert caught.value.remedy


def test_npz_that_is_cut_short(tmp_path: Path) -> None:
    path = Path(saved(tmp_path))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match="readable without pickle"):
        NpzSlices(path=str(path)).load()
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DataError, match="readable without pickle"):
        NpzSlices(path=str(path)).load()
    with pytest.raises(DataError, match="must exist"):
        NpzSlices(path=str(tmp_path / "nowhere.npz")).load()


def pictures(root: Path, ending: str = ".tif", channels: int = 3) -> Path:
    rng = np.random.default_rng(0)
    for patient in ("TCGA_A", "TCGA_B"):
        folder = root / patient
        folder.mkdir(parents=True, exist_ok=True)
        for number in (1, 2, 10):
            pixels = rng.integers(0, 200, (16, 16, channels), dtype=np.uint8)
            pixels[0, 0] = number
            mask = np.zeros((16, 16), dtype=np.uint8)
            mask[number : number + 4, 2:6] = 255
            for array, name in ((pixels.squeeze(), f"{number}"), (mask, f"{number}_mask")):
                target = folder / f"{patient}_{name}{ending}"
                if ending == ".png":
                    Image.fromarray(array).save(target)
                else:
                    tifffile.imwrite(target, array)
    return root


@pytest.mark.parametrize(("ending", "channels"), [(".tif", 3), (".png", 3), (".png", 1)])
def test_images_load_in_slice_order(tmp_path: Path, ending: str, channels: int) -> None:
    names = ("T1", "FLAIR", "T1Gd")[:channels]
    cohort = ImageFolders(path=str(pictures(tmp_path, ending, channels)), channels=names).load()
    check_cohort(cohort)
    assert cohort.modalities == names
    assert cohort.positions.tolist() == [1, 2, 10] * 2
    marks = np.rint(cohort.images[:, 0, 0, 0] * 255)
    assert marks.tolist() == cohort.positions.tolist()
    assert cohort.labels[0, 1:5, 2:6].all()
    assert "TCGA" not in repr(cohort)


def test_images_of_one_patient_in_the_root(tmp_path: Path) -> None:
    root = pictures(tmp_path) / "TCGA_A"
    assert ImageFolders(path=str(root)).load().patient_ids == ("P001",)


def test_images_copied_channel_is_told_with_pseudonyms(tmp_path: Path) -> None:
    pictures(tmp_path)
    for path in (tmp_path / "TCGA_A").glob("*[0-9].tif"):
        pixels = tifffile.imread(path)
        pixels[..., 2] = pixels[..., 1]
        tifffile.imwrite(path, pixels)
    source = ImageFolders(path=str(tmp_path), channels=("T1", "FLAIR", "T1Gd"))
    (warning,) = source.load().warnings
    assert warning.startswith("FLAIR and T1Gd are identical in P00")
    assert "TCGA" not in warning
    assert len(source.model_copy(update={"leave_out_copied": True}).load().patient_ids) == 1


def test_images_mask_suffix(tmp_path: Path) -> None:
    pictures(tmp_path)
    for path in list(tmp_path.rglob("*_mask.tif")):
        path.rename(path.with_name(path.name.replace("_mask", "-label")))
    with pytest.raises(DataError, match="at least one patient"):
        ImageFolders(path=str(tmp_path)).load()
    assert len(ImageFolders(path=str(tmp_path), mask_suffix="-label").load().images) == 6


def test_images_bad_files(tmp_path: Path) -> None:
    first = pictures(tmp_path) / "TCGA_A" / "TCGA_A_1.tif"
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="must be readable"):
        ImageFolders(path=str(tmp_path)).load()
    tifffile.imwrite(first, np.zeros((16, 15, 3), dtype=np.uint8), photometric="rgb")
    with pytest.raises(DataError, match="same shape"):
        ImageFolders(path=str(tmp_path)).load()
    first.unlink()
    with pytest.raises(DataError, match="no image for TCGA_A_1"):
        ImageFolders(path=str(tmp_path)).load()
    first.write_bytes(whole)
    with pytest.raises(DataError, match="2 names for 3 channels"):
        ImageFolders(path=str(tmp_path), channels=("T1", "T2")).load()


@pytest.mark.parametrize("says", [ZeroDivisionError, KeyError, OverflowError, AttributeError])
def test_whatever_a_damaged_picture_makes_its_library_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: type[Exception]
) -> None:
    pictures(tmp_path)
    monkeypatch.setattr(tifffile.TiffFile, "__init__", mock.Mock(side_effect=says("odd")))
    with pytest.raises(DataError, match="must be readable"):
        ImageFolders(path=str(tmp_path)).load()


def made_up(patients: int = 2, **changes: Any) -> Any:
    import dataclasses

    cohort = Phantom(patients=patients, size=16).load()
    names = np.array([f"MUELLER {name}" for name in cohort.patients])
    warnings = (f"{names[0]} moved",)
    return dataclasses.replace(cohort, patients=names, warnings=warnings, **changes)


def broken() -> Cohort:
    cohort: Cohort = made_up()
    cohort.images[0, 0, 0, 0] = 2
    return cohort


def not_a_cohort() -> int:
    return 3


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, "of_the_user", sys.modules[__name__])
    return "of_the_user"


def test_function_gives_a_cohort_under_pseudonyms(module: str) -> None:
    source = PythonFunction(
        function=f"{module}:made_up", arguments={"patients": 3}, pseudonym_key="k"
    )
    cohort = source.load()
    assert cohort.patient_ids == ("P001", "P002", "P003")
    assert "MUELLER" not in repr(cohort)
    assert cohort.warnings[0].endswith("moved")
    assert not cohort.shareable, "sharing is decided by the configuration"


def test_function_that_fails(module: str) -> None:
    with pytest.raises(ConfigurationError, match="importable"):
        PythonFunction(function=f"{module}:absent").load()
    with pytest.raises(ConfigurationError, match="importable"):
        PythonFunction(function="no.such.module:absent").load()
    with pytest.raises(DataError, match="must return"):
        PythonFunction(function=f"{module}:not_a_cohort").load()
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        PythonFunction(function=f"{module}:broken").load()


@pytest.mark.realdata
def test_real_slices(real_data: Path) -> None:
    path = str(real_data / "lgg_128.npz")
    cohort = NpzSlices(path=path, size=64, slices_per_patient=2).load()
    check_cohort(cohort)
    assert len(cohort.patient_ids) == 63
    assert cohort.warnings == (
        "6 patients listed in copied_channel left out: one modality is a copy",
    )
    assert cohort.modalities == ("T1", "FLAIR", "T1Gd")
    lesion = cohort.labels == 1
    flair = cohort.images[:, 1]
    assert flair[lesion].mean() > 1.2 * flair[~lesion & (flair > 0.1)].mean()


@pytest.mark.realdata
def test_real_pictures(real_data: Path) -> None:
    source = ImageFolders(path=str(real_data / "lgg_tif"), channels=("T1", "FLAIR", "T1Gd"))
    cohort = source.load()
    check_cohort(cohort)
    assert len(cohort.patient_ids) == 2
    assert cohort.space == (256, 256)
    assert cohort.labels.any()

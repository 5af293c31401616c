"""Bad input on disk: one message each, with rule, value and remedy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leakaudit.cohorts import Cohort
from leakaudit.cohorts._pseudonyms import pseudonyms
from leakaudit.cohorts._sampling import (
    choose_slices,
    evenly,
    patch_boxes,
    to_square,
)
from leakaudit.cohorts._scaling import scaled_volume
from leakaudit.cohorts.brats import BratsFolders
from leakaudit.cohorts.checks import check_cohort, check_labels, copied_pairs
from leakaudit.cohorts.msd import Decathlon
from leakaudit.cohorts.phantom import Phantom
from leakaudit.errors import EXIT_USAGE, DataError

Writer = Callable[..., Path]


@pytest.fixture
def brats(tmp_path: Path, scans: list[Any], write_brats: Writer) -> Path:
    return write_brats(tmp_path, {"a": scans[0], "b": scans[1]})


def replace(path: Path, change: Callable[[Any], Any], affine: Any = None) -> None:
    import nibabel

    nib: Any = nibabel
    image = nib.load(path)
    voxels = change(np.asanyarray(image.dataobj).copy())
    nib.save(nib.Nifti1Image(voxels, image.affine if affine is None else affine), path)


def refusal(folder: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        BratsFolders(path=str(folder)).load()
    error = caught.value
    assert error.exit_code == EXIT_USAGE
    assert error.rule
    assert error.found
    assert error.remedy
    return error


def test_missing_modality(brats: Path) -> None:
    (brats / "b" / "b_t2.nii.gz").unlink()
    assert "b lacks T2" in str(refusal(brats))


def test_missing_labels(brats: Path) -> None:
    (brats / "b" / "b_seg.nii.gz").unlink()
    assert "every patient must have labels" in str(refusal(brats))


def test_mask_of_another_shape(brats: Path) -> None:
    replace(brats / "a" / "a_seg.nii.gz", lambda voxels: voxels[:, :, :-1])
    assert "(28, 28, 19)" in str(refusal(brats))


def test_affines_that_do_not_match(brats: Path) -> None:
    replace(brats / "a" / "a_t2.nii.gz", lambda voxels: voxels, affine=np.diag([1.0, 1, 1, 1]))
    assert "same affine" in str(refusal(brats))


def test_labels_outside_the_convention(brats: Path) -> None:
    replace(brats / "a" / "a_seg.nii.gz", lambda voxels: np.where(voxels == 1, 7, voxels))
    assert "has 7" in str(refusal(brats))


def test_labels_that_are_not_whole(brats: Path) -> None:
    replace(brats / "a" / "a_seg.nii.gz", lambda voxels: voxels.astype(np.float32) * 0.5)
    assert "whole numbers" in str(refusal(brats))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(brats: Path, value: float) -> None:
    def spoil(voxels: Any) -> Any:
        voxels = voxels.astype(np.float32)
        voxels[3, 4, 5] = value
        return voxels

    replace(brats / "a" / "a_flair.nii.gz", spoil)
    assert "1 of 15680 voxels" in str(refusal(brats))


def test_constant_image(brats: Path) -> None:
    replace(brats / "a" / "a_t1.nii.gz", lambda voxels: np.full_like(voxels, 9))
    assert "every voxel is 9" in str(refusal(brats))


def test_file_cut_short(brats: Path) -> None:
    path = brats / "a" / "a_t1.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])
    assert "must be readable" in str(refusal(brats))
    path.write_bytes(b"not an image")
    assert "must be readable" in str(refusal(brats))


def test_empty_folder(tmp_path: Path) -> None:
    assert "at least one patient" in str(refusal(tmp_path))


def test_two_files_of_one_modality(brats: Path) -> None:
    source = brats / "a" / "a_t1.nii.gz"
    (brats / "a" / "copy_of_a_t1.nii.gz").write_bytes(source.read_bytes())
    assert "once per patient" in str(refusal(brats))
    (brats / "a" / "copy_of_a_t1.nii.gz").rename(brats / "a" / "a_t1n.nii.gz")
    assert "are both T1" in str(refusal(brats))


def spoiled_description(root: Path, **changes: Any) -> str:
    file = root / "dataset.json"
    description = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in description.items() if v is not None}))
    with pytest.raises(DataError) as caught:
        Decathlon(path=str(root)).load()
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"modality": {"0": "FLAIR", "1": "T1w"}, "labels": None}, "what its labels are"),
        ({"modality": None}, "what its modality are"),
        ({"modality": {"0": "FLAIR"}}, "one volume per modality"),
        ({"modality": {str(n): f"m{n}" for n in range(5)}}, "one volume per modality"),
        ({"modality": {"0": "T1", "1": "t1w", "2": "T2", "3": "FLAIR"}}, "must occur once"),
        ({"labels": {"0": "background", "1": "organ"}}, "labels must be among 0, 1"),
        ({"training": []}, "at least one patient"),
        ({"training": ["a.nii.gz"]}, "must name an image and a label"),
        ({"training": [{"image": "x.nii", "label": "y.nii"}]}, "must exist"),
    ],
)
def test_decathlon_descriptions_that_do_not_fit(
    tmp_path: Path, scans: list[Any], write_msd: Writer, changes: dict[str, Any], says: str
) -> None:
    assert says in spoiled_description(write_msd(tmp_path, {"a": scans[0]}), **changes)


def test_decathlon_without_or_with_damaged_description(tmp_path: Path) -> None:
    for content in (None, "{", "[]"):
        if content is not None:
            (tmp_path / "dataset.json").write_text(content)
        with pytest.raises(DataError, match=r"dataset\.json"):
            Decathlon(path=str(tmp_path)).load()


def test_decathlon_patient_listed_twice(
    tmp_path: Path, scans: list[Any], write_msd: Writer
) -> None:
    entry = {"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}
    root = write_msd(tmp_path, {"a": scans[0]}, training=[entry, entry])
    with pytest.raises(DataError, match="each patient must occur once"):
        Decathlon(path=str(root)).load()


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Phantom(patients=2, size=16).load()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": np.zeros((12, 16, 15), np.uint8)}, "labels must be"),
        ({"modalities": ("T1",)}, "one channel per modality"),
        ({"patients": np.array(["P001"])}, "one entry per sample"),
        ({"positions": np.zeros(3, np.int64)}, "one entry per sample"),
        ({"study": np.zeros(3, np.int64)}, "study must have one entry per sample"),
        ({"site": np.array(["A"])}, "site must have one entry per sample"),
        ({"study": np.full(12, -1, np.int64)}, "numbered 0, 1"),
        ({"study": np.full(12, "2024-01-31")}, "numbered 0, 1"),
        ({"patients": np.array([], dtype=np.str_)}, "at least one patient"),
        ({"images": np.zeros((12, 4, 16, 16))}, "float32"),
        ({"images": np.zeros((12, 4, 16, 16), np.float32)}, "constant"),
        ({"labels": np.full((12, 16, 16), 9, np.uint8)}, "labels must be among"),
    ],
)
def test_cohorts_that_break_their_contract(
    cohort: Cohort, changes: dict[str, Any], says: str
) -> None:
    check_cohort(cohort)
    with pytest.raises(DataError, match=says):
        check_cohort(dataclasses.replace(cohort, **changes))


def test_copied_pairs() -> None:
    images = np.random.default_rng(0).random((3, 4, 5, 5))
    assert copied_pairs(images) == []
    images[:, 3] = images[:, 1]
    assert copied_pairs(images) == [(1, 3)]
    images[0, 3, 0, 0] += 1e-9
    assert copied_pairs(images) == []


def test_labels_message_lists_the_convention() -> None:
    with pytest.raises(DataError, match=r"among 0, 1, 2; found: file has 3, 9"):
        check_labels([0, 3, 9], {0, 1, 2}, "file")


def test_pseudonyms_are_stable_keyed_and_do_not_follow_names() -> None:
    names = [f"patient {number:03d}" for number in range(200)]
    table = pseudonyms(names, "key")
    assert table == pseudonyms(reversed(names), "key")
    assert sorted(table.values()) == [f"P{rank:03d}" for rank in range(1, 201)]
    assert table != pseudonyms(names, "another key")
    order = [int(table[name][1:]) for name in names]
    assert abs(np.corrcoef(order, np.arange(200))[0, 1]) < 0.3


def test_slice_rules() -> None:
    foreground = np.array([0, 5, 50, 100, 100, 100, 50, 30, 2, 0])
    lesion = np.array([0, 0, 0, 0, 9, 9, 9, 0, 0, 0])
    assert choose_slices(foreground, lesion, 3, "lesion") == [4, 5, 6]
    assert choose_slices(foreground, lesion, 2, "lesion") == [4, 6]
    assert choose_slices(foreground, lesion, 5, "lesion") == [2, 4, 5, 6, 7]
    assert choose_slices(foreground, lesion, 3, "brain") == [3, 5, 7]
    assert choose_slices(foreground, lesion, None, "brain") == [2, 3, 4, 5, 6, 7]
    assert evenly(range(10), 1) == [5]


def test_squares_pad_rather_than_cut_and_respect_spacing() -> None:
    image = np.ones((10, 20), dtype=np.float32)
    square = to_square(image, 20)
    assert square.shape == (20, 20)
    assert square[5:15].all()
    assert not square[:5].any()
    tall = to_square(image, 20, spacing=(2.0, 1.0))
    assert tall.shape == (20, 20)
    assert tall.all()


def test_reduction_is_antialiased_for_images_and_exact_for_labels() -> None:
    noise = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    reduced: npt.NDArray[Any] = to_square(noise, 16)
    assert reduced.std() < 0.1, "16 pixels averaged leave 0.07 of 0.29; plain interpolation 0.14"
    labels = (np.indices((32, 32)).sum(axis=0) % 2 * 3).astype(np.uint8)
    assert set(np.unique(to_square(labels, 8, nearest=True))) <= {0, 3}


def test_scaling_is_the_stated_rule() -> None:
    """Zeros are set aside; the 0.5th and 99.5th percentile of 0..200 are 1 and 199."""
    volume = np.concatenate([np.zeros(500), np.arange(201) + 1000.0, np.zeros(500)])
    scaled = scaled_volume(volume.reshape(1, 1, -1)).reshape(-1)
    assert not scaled[:500].any()
    np.testing.assert_allclose(
        scaled[500:701], np.clip((np.arange(201) - 1) / 198, 0, 1), atol=1e-5
    )
    sparse = np.zeros((1, 10, 100))
    sparse[0, 5, 3:6] = 7
    assert scaled_volume(sparse).max() == 1, "percentiles that coincide do not divide by zero"


def test_patches_stay_inside() -> None:
    lesion = np.zeros((10, 10, 10), dtype=bool)
    lesion[0, 0, 0] = lesion[9, 9, 9] = True
    boxes = patch_boxes(lesion, np.ones_like(lesion), (4, 4, 4), 6)
    corners = [tuple(along.start for along in box) for box in boxes]
    assert (0, 0, 0) in corners
    assert all(0 <= at <= 6 for corner in corners for at in corner)
    assert len(corners) == len(set(corners))

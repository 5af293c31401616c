"""Volumes from BraTS folders and in Decathlon layout: the same patient, the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakaudit.cohorts._scaling import scaled_volume
from leakaudit.cohorts.brats import CAVITY_NOTE, BratsFolders
from leakaudit.cohorts.checks import check_cohort
from leakaudit.cohorts.msd import Decathlon
from leakaudit.errors import DataError, UnknownNameError

Writer = Callable[..., Path]
WHOLE: dict[str, Any] = {"samples": "patches", "patch_size": (20, 28, 28), "patches_per_patient": 1}

NAMINGS = {
    "2018": (("_t1", "_t1ce", "_t2", "_flair", "_seg"), ".nii.gz", 4),
    "2021 unpacked": (("_t1", "_t1ce", "_t2", "_flair", "_seg"), ".nii", 4),
    "2023": (("-t1n", "-t1c", "-t2w", "-t2f", "-seg"), ".nii.gz", 3),
    "mixed case": (("_T1", "_t1Gd", "_t2W", "_FLAIR", "_seg"), ".nii.gz", 3),
    "relabelled": (("_t1", "_t1gd", "_t2", "_flair", "_seg"), ".nii.gz", 3),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_brats_of_every_year_loads_to_the_known_arrays(
    naming: str, tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    suffixes, ending, enhancing = NAMINGS[naming]
    write_brats(tmp_path, {"Case-001": scans[0]}, suffixes, ending, enhancing)
    cohort = BratsFolders(path=str(tmp_path), **WHOLE).load()
    check_cohort(cohort)
    assert cohort.modalities == ("T1", "T1Gd", "T2", "FLAIR")
    np.testing.assert_array_equal(cohort.labels[0], scans[0].labels)
    expected = np.stack([scaled_volume(volume) for volume in scans[0].volumes])
    np.testing.assert_allclose(cohort.images[0], expected, atol=1e-6)
    assert not cohort.shareable


@pytest.mark.parametrize("settings", [WHOLE, {"size": 24}], ids=["patches", "slices"])
def test_decathlon_equals_brats(
    settings: dict[str, Any],
    tmp_path: Path,
    scans: list[Any],
    write_brats: Writer,
    write_msd: Writer,
) -> None:
    patients = {"a": scans[0], "b": scans[1]}
    settings = {**settings, "pseudonym_key": "the same"}
    brats = BratsFolders(path=str(write_brats(tmp_path / "one", patients)), **settings).load()
    msd = Decathlon(path=str(write_msd(tmp_path / "two", patients)), **settings).load()
    assert brats.fingerprint() == msd.fingerprint()
    np.testing.assert_array_equal(brats.images, msd.images)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "RAI", "LAS"])
def test_orientation_on_disk_does_not_matter(
    axes: str, tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]}, axes=axes)
    cohort = BratsFolders(path=str(tmp_path), **WHOLE).load()
    np.testing.assert_array_equal(cohort.labels[0], scans[0].labels)


def test_decathlon_label_names_decide(tmp_path: Path, scans: list[Any], write_msd: Writer) -> None:
    """The file's values 2 and 3 trade places with their names."""
    told = {"0": "background", "1": "Oedema", "2": "enhancing", "3": "necrotic"}
    swapped = Decathlon(path=str(write_msd(tmp_path / "a", {"a": scans[0]}, told)), **WHOLE).load()
    plain = Decathlon(path=str(write_msd(tmp_path / "b", {"a": scans[0]})), **WHOLE).load()
    np.testing.assert_array_equal(plain.labels[0], scans[0].labels)
    expected = np.array([0, 1, 3, 2])[scans[0].labels]
    np.testing.assert_array_equal(swapped.labels[0], expected)


def test_other_decathlon_tasks_keep_their_labels(
    tmp_path: Path, scans: list[Any], write_msd: Writer
) -> None:
    names = {"0": "background", "1": "liver", "2": "cancer", "3": "vessel"}
    cohort = Decathlon(path=str(write_msd(tmp_path, {"a": scans[0]}, names)), **WHOLE).load()
    assert cohort.regions == {"liver": (1,), "cancer": (2,), "vessel": (3,)}
    np.testing.assert_array_equal(cohort.labels[0], np.array([0, 1, 3, 2])[scans[0].labels])


def test_brats_2024_cavity_is_background_and_told(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    values = np.array([0, 2, 3, 1], dtype=np.uint8)[scans[0].labels]
    values[0, 0, 0] = 4
    suffixes = NAMINGS["2023"][0]
    write_brats(tmp_path, {"BraTS-GLI-00001-100": scans[0].with_labels(values)}, suffixes)
    cohort = BratsFolders(path=str(tmp_path), **WHOLE).load()
    assert cohort.labels[0, 0, 0, 0] == 0
    assert cohort.warnings == (f"{CAVITY_NOTE} in 1 of 1 label maps",)


def test_labels_3_and_4_under_old_names_are_refused(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    values = np.array([0, 2, 3, 4], dtype=np.uint8)[scans[0].labels]
    write_brats(tmp_path, {"a": scans[0].with_labels(values)})
    with pytest.raises(DataError, match="3 and 4 must not both"):
        BratsFolders(path=str(tmp_path)).load()
    BratsFolders(path=str(tmp_path), enhancing=3).load()


def test_slices_are_axial_taken_by_rule_and_numbered(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]})
    source = BratsFolders(path=str(tmp_path), size=28, slices_per_patient=5)
    cohort = source.load()
    with_lesion = np.flatnonzero(scans[0].labels.reshape(20, -1).any(axis=1))
    assert cohort.positions.tolist() == sorted(set(cohort.positions.tolist()))
    assert set(cohort.positions.tolist()) <= set(with_lesion.tolist())
    np.testing.assert_array_equal(cohort.labels, scans[0].labels[cohort.positions])
    expected = np.stack([scaled_volume(volume) for volume in scans[0].volumes], axis=1)
    np.testing.assert_allclose(cohort.images, expected[cohort.positions], atol=1e-6)
    spread = source.model_copy(update={"slice_rule": "brain"}).load().positions
    assert spread[0] < cohort.positions[0] or spread[-1] > cohort.positions[-1]


def test_slices_show_forehead_up_and_right_on_the_left(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    """A mark on the patient's right, in front, lands in the upper left."""
    volumes = scans[0].volumes.copy()
    volumes[:, :, 2:5, 3:6] = 5000
    write_brats(tmp_path, {"a": scans[0].with_volumes(volumes)})
    image = BratsFolders(path=str(tmp_path), size=28).load().images[0, 0]
    assert image[3, 4] == 1
    import nibabel

    nib: Any = nibabel
    stored = nib.as_closest_canonical(nib.load(tmp_path / "a" / "a_t1.nii.gz"))
    x, y, _ = np.argwhere(np.asarray(stored.dataobj) == 5000)[0]
    assert x > stored.shape[0] / 2
    assert y > stored.shape[1] / 2


def test_patches_lie_on_the_lesion_first(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]})
    source = BratsFolders(
        path=str(tmp_path), samples="patches", patch_size=(8, 8, 8), patches_per_patient=4
    )
    cohort = source.load()
    assert cohort.images.shape == (4, 4, 8, 8, 8)
    assert cohort.labels[:2].reshape(2, -1).any(axis=1).all()
    assert cohort.fingerprint() == source.load().fingerprint()


def test_volumes_smaller_than_a_patch_are_padded_and_coarser_voxels_resampled(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]})
    settings: dict[str, Any] = {"samples": "patches", "patches_per_patient": 1}
    padded = BratsFolders(path=str(tmp_path), patch_size=(32, 32, 32), **settings).load()
    assert padded.images.shape[2:] == (32, 32, 32)
    assert padded.images[0, :, 0].max() == 0
    coarse = BratsFolders(
        path=str(tmp_path), patch_size=(15, 14, 14), voxel_mm=4.0, **settings
    ).load()
    assert coarse.images.shape[2:] == (15, 14, 14)
    assert set(np.unique(coarse.labels)) <= {0, 1, 2, 3}


def test_field_of_view_crops_in_millimetres(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]})
    whole = BratsFolders(path=str(tmp_path), size=28).load()
    cropped = BratsFolders(path=str(tmp_path), size=20, field_of_view_mm=40.0).load()
    np.testing.assert_array_equal(cropped.images, whole.images[:, :, 4:24, 4:24])


def test_modalities_can_be_chosen_by_any_name(
    tmp_path: Path, scans: list[Any], write_brats: Writer
) -> None:
    write_brats(tmp_path, {"a": scans[0]})
    cohort = BratsFolders(path=str(tmp_path), modalities=("FLAIR", "t1ce"), **WHOLE).load()
    assert cohort.modalities == ("FLAIR", "T1Gd")
    with pytest.raises(UnknownNameError, match="PET"):
        BratsFolders(path=str(tmp_path), modalities=("PET",)).load()


def test_original_names_stay_inside(tmp_path: Path, scans: list[Any], write_brats: Writer) -> None:
    copied = scans[0].volumes.copy()
    copied[3] = copied[2]
    patients = {"MUELLER_1961": scans[0].with_volumes(copied), "OKAFOR_1974": scans[1]}
    cohort = BratsFolders(path=str(write_brats(tmp_path, patients))).load()
    assert cohort.patient_ids == ("P001", "P002")
    assert "T2 and FLAIR are identical in P00" in cohort.warnings[0]
    assert not any(name in repr(cohort) for name in patients)
    kept = BratsFolders(path=str(tmp_path), leave_out_copied=True).load()
    assert len(kept.patient_ids) == 1


def test_a_root_that_is_the_patient(tmp_path: Path, scans: list[Any], write_brats: Writer) -> None:
    write_brats(tmp_path, {"only": scans[0]})
    assert len(BratsFolders(path=str(tmp_path / "only")).load().patient_ids) == 1


def test_variables_in_the_path(
    tmp_path: Path, scans: list[Any], write_brats: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_brats(tmp_path, {"only": scans[0]})
    monkeypatch.setenv("SCANS", str(tmp_path))
    source = BratsFolders(path="$SCANS/only")
    assert len(source.load().patient_ids) == 1
    assert str(tmp_path) not in repr(source)


@pytest.mark.realdata
def test_real_brats_patient_equals_itself_in_decathlon_layout(
    tmp_path: Path, real_data: Path
) -> None:
    import json

    import nibabel

    nib: Any = nibabel
    folder = real_data / "brats2021_00006"
    name = "BraTS2021_00006"
    parts = [nib.load(folder / f"{name}_{m}.nii.gz") for m in ("flair", "t1", "t1ce", "t2")]
    stacked = np.stack([np.asanyarray(part.dataobj) for part in parts], axis=-1)
    labels = np.asanyarray(nib.load(folder / f"{name}_seg.nii.gz").dataobj)
    renumbered = np.array([0, 2, 1, 0, 3], dtype=np.uint8)[labels.astype(int)]
    for kind, array in (("imagesTr", stacked), ("labelsTr", renumbered)):
        (tmp_path / kind).mkdir()
        nib.save(nib.Nifti1Image(array, parts[0].affine), tmp_path / kind / "brats2021_00006.nii")
    description = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor",
                   "3": "enhancing tumour"},
        "training": [{"image": "imagesTr/brats2021_00006.nii",
                      "label": "labelsTr/brats2021_00006.nii"}],
    }  # fmt: skip
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    settings: dict[str, Any] = {"size": 64, "slices_per_patient": 6}
    brats = BratsFolders(path=str(folder), **settings).load()
    msd = Decathlon(path=str(tmp_path), **settings).load()
    check_cohort(brats)
    assert brats.fingerprint() == msd.fingerprint()
    assert set(np.unique(brats.labels)) == {0, 1, 2, 3}
    t1gd, rim = brats.images[:, 1], brats.labels == 2
    assert t1gd[rim].mean() > 1.5 * t1gd[brats.labels == 3].mean(), "label 2 is the bright rim"

"""The generated cohort: anatomy, contrast, reproducibility, and 2-D against 3-D."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from leakaudit.cohorts import Cohort, GroupSettings, split_patients
from leakaudit.cohorts._phantom_anatomy import Anatomy, Person, Tissue
from leakaudit.cohorts._phantom_contrast import Scanner
from leakaudit.cohorts._phantom_fields import Lattice, Pose, spline_field
from leakaudit.cohorts.checks import check_cohort, copied_pairs
from leakaudit.cohorts.phantom import Phantom
from leakaudit.errors import ConfigurationError
from leakaudit.plugins import Kind, build


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Phantom(patients=40, size=64).load()


def lattice(size: int = 96, heights: tuple[float, ...] = (8.0, 12.0, 16.0)) -> Lattice:
    axis = ((np.arange(size) - (size - 1) / 2) * 224 / size).astype(np.float32)
    return Lattice(z=np.array(heights, dtype=np.float32), y=-axis, x=-axis)


def person(seed: int) -> tuple[Person, Scanner]:
    rng = np.random.default_rng(seed)
    drawn = Person.draw(rng)
    return drawn, Scanner.draw(rng, enhancing=drawn.lesion.rim_mm > 0)


def anatomy(seed: int) -> Anatomy:
    return person(seed)[0].anatomy(lattice())


def test_cohort_keeps_the_contract(cohort: Cohort) -> None:
    check_cohort(cohort)
    assert cohort.images.shape == (240, 4, 64, 64)
    assert cohort.modalities == ("T1", "T1Gd", "T2", "FLAIR")
    assert cohort.shareable
    assert cohort.regions == {"WT": (1, 2, 3), "TC": (2, 3), "ET": (2,)}
    assert cohort.patient_ids[0] == "P001"
    assert len(cohort.patient_ids) == 40
    for name in cohort.patient_ids:
        heights = cohort.positions[cohort.patients == name]
        assert np.all(np.diff(heights) >= 1)
    assert copied_pairs(cohort.images) == []


def test_same_seed_same_cohort_and_another_seed_another() -> None:
    first = Phantom(patients=2, size=32, seed=7).load()
    assert first.fingerprint() == Phantom(patients=2, size=32, seed=7).load().fingerprint()
    assert first.fingerprint() != Phantom(patients=2, size=32, seed=8).load().fingerprint()


def test_larger_cohort_begins_with_the_smaller() -> None:
    small = Phantom(patients=3, size=32).load()
    large = Phantom(patients=5, size=32).load()
    np.testing.assert_array_equal(large.images[: len(small.images)], small.images)
    np.testing.assert_array_equal(large.patients[: len(small.images)], small.patients)


def test_subset_of_modalities_is_a_subset_of_the_same_images() -> None:
    whole = Phantom(patients=2, size=32).load()
    part = Phantom(patients=2, size=32, modalities=("FLAIR", "T1")).load()
    np.testing.assert_array_equal(part.images, whole.images[:, [3, 0]])


def test_planes_agree_with_the_volume_at_the_same_height() -> None:
    drawn, scanner = person(3)
    volume, plane = lattice(48, (4.0, 8.0, 12.0)), lattice(48, (8.0,))
    whole, single = drawn.anatomy(volume), drawn.anatomy(plane)
    np.testing.assert_allclose(whole.fractions[:, 1], single.fractions[:, 0], atol=1e-4)
    np.testing.assert_array_equal(whole.labels[1], single.labels[0])
    images = scanner.image(whole, volume, ("T2",)), scanner.image(single, plane, ("T2",))
    np.testing.assert_allclose(images[0][:, 1], images[1][:, 0], atol=1e-4)


def test_finer_pixels_show_the_same_patient() -> None:
    coarse = Phantom(patients=2, size=48).load()
    fine = Phantom(patients=2, size=96).load()
    pooled = fine.images.reshape(*fine.images.shape[:2], 48, 2, 48, 2).mean(axis=(3, 5))
    agreement = np.corrcoef(pooled.ravel(), coarse.images.ravel())[0, 1]
    assert agreement > 0.97


@pytest.mark.parametrize("seed", range(6))
def test_fractions_are_shares(seed: int) -> None:
    fractions = anatomy(seed).fractions
    assert fractions.min() >= -1e-6
    np.testing.assert_allclose(fractions.sum(axis=0), 1, atol=1e-5)


def test_proportions_are_those_of_a_head() -> None:
    """Grey to white about 1, some fluid; no tissue missing."""
    totals = np.mean([anatomy(seed).fractions.sum(axis=(1, 2, 3)) for seed in range(12)], axis=0)
    brain = totals[Tissue.GREY] + totals[Tissue.WHITE] + totals[Tissue.DEEP_GREY]
    assert 0.25 < totals[Tissue.GREY] / brain < 0.6
    assert 0.05 < totals[Tissue.CSF] / brain < 0.35
    assert np.all(totals > 0)


def test_contrast_follows_the_textbook() -> None:
    signal = np.mean([person(seed)[1].signal for seed in range(30)], axis=0)
    t1, t1gd, t2, flair = signal
    for image in (t1, t1gd):
        assert image[Tissue.WHITE] > image[Tissue.GREY] > image[Tissue.CSF]
    assert t2[Tissue.CSF] > t2[Tissue.GREY] > t2[Tissue.WHITE]
    assert flair[Tissue.CSF] < flair[Tissue.WHITE] < flair[Tissue.GREY] < flair[Tissue.OEDEMA]
    assert t1gd[Tissue.ENHANCING] > t1gd[Tissue.WHITE] > t1[Tissue.ENHANCING]


def test_lesions_show_in_the_images(cohort: Cohort) -> None:
    _, t1gd, t2, flair = cohort.images.swapaxes(0, 1)
    oedema, enhancing, healthy = (cohort.labels == label for label in (1, 2, 0))
    head = flair > 0.2
    assert flair[oedema].mean() > flair[healthy & head].mean() + 0.2
    assert t2[oedema].mean() > t2[healthy & head].mean() + 0.1
    assert t1gd[enhancing].mean() > t1gd[oedema].mean() + 0.3


def test_lesions_vary_and_some_do_not_enhance(cohort: Cohort) -> None:
    sizes, enhancing, sides = [], [], []
    for name in cohort.patient_ids:
        labels = cohort.labels[cohort.patients == name]
        assert labels.any(), f"{name} has no lesion in any slice"
        sizes.append(int((labels > 0).sum()))
        enhancing.append(bool((labels == 2).any()))
        sides.append(np.nonzero(labels)[2].mean() < 32)
    assert max(sizes) > 8 * min(sizes)
    assert 0.05 < 1 - np.mean(enhancing) < 0.4
    assert 0.2 < np.mean(sides) < 0.8


def test_patients_differ_more_than_neighbouring_slices(cohort: Cohort) -> None:
    first = cohort.images[::6, 0].reshape(40, -1)
    second = cohort.images[1::6, 0].reshape(40, -1)
    within = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)]
    between = [
        np.corrcoef(first[a], first[b])[0, 1] for a, b in list(combinations(range(40), 2))[::20]
    ]
    assert np.mean(within) > np.mean(between) + 0.1


def test_hemispheres_are_not_mirror_images() -> None:
    fractions = anatomy(1).fractions[Tissue.GREY]
    mirrored = fractions[:, :, ::-1]
    assert np.corrcoef(fractions.ravel(), mirrored.ravel())[0, 1] < 0.9


def test_noise_is_rician() -> None:
    """In air the magnitude of noise of deviation s has mean s * sqrt(pi / 2)."""
    drawn, scanner = person(2)
    image = scanner.image(drawn.anatomy(lattice()), lattice(), ("T1",))[0]
    corner = image[:, :6, :6]
    assert corner.mean() == pytest.approx(scanner.noise[0] * np.sqrt(np.pi / 2), rel=0.15)


def test_volumes() -> None:
    cohort = Phantom(patients=2, size=48, dimensions=3, depth=32, modalities=("T1", "T2")).load()
    check_cohort(cohort)
    assert cohort.images.shape == (2, 2, 32, 48, 48)
    assert (cohort.labels > 0).reshape(2, -1).any(axis=1).all()


def test_patches_lie_in_the_volume_and_half_of_them_on_the_lesion() -> None:
    settings: dict[str, Any] = {
        "patients": 2, "size": 48, "dimensions": 3, "depth": 16, "modalities": ("T1",),
        "studies_per_patient": 2,
    }  # fmt: skip
    volumes = Phantom(**settings).load()
    patches = Phantom(**settings, patch_size=(8, 24, 16), patches_per_patient=3).load()
    check_cohort(patches)
    assert patches.images.shape == (12, 1, 8, 24, 16)
    assert patches.study is not None
    assert patches.study.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert patches.positions.tolist() == [0, 1, 2] * 4
    assert (patches.labels > 0).reshape(12, -1).any(axis=1)[patches.positions < 2].all()
    for row, image in enumerate(patches.images[:, 0]):
        windows = sliding_window_view(volumes.images[row // 3, 0], image.shape)
        assert (windows == image).all(axis=(3, 4, 5)).any()


def test_sixty_patients_take_seconds() -> None:
    started = time.process_time()
    Phantom(patients=12).load()
    assert time.process_time() - started < 6, "60 patients would take more than 30 s of processor"


@pytest.mark.parametrize(
    "settings",
    [
        {"patients": 0},
        {"size": 8},
        {"dimensions": 4},
        {"modalities": ("T1", "PET")},
        {"modalities": ("T1", "T1")},
        {"modalities": ()},
        {"colour": 1},
        {"patch_size": (8, 16, 16)},
        {"patch_size": (8, 16, 128), "dimensions": 3},
        {"patch_size": (8, 16), "dimensions": 3},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        build(Kind.COHORT, "phantom", settings)


def test_spline_field_is_standard_normal_and_smooth() -> None:
    points = np.linspace(-100, 100, 60, dtype=np.float32)
    grid = Lattice(z=points, y=points, x=points)
    field = spline_field(np.random.default_rng(0), grid, 8.0)
    assert field.std() == pytest.approx(1, rel=0.05)
    assert abs(field.mean()) < 0.05
    neighbours = np.corrcoef(field[:-1].ravel(), field[1:].ravel())[0, 1]
    assert neighbours > 0.75


def test_a_field_read_through_a_pose_is_the_same_field() -> None:
    still = lattice(24)
    unmoved = replace(still, pose=Pose(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)))
    step = float(still.y[0] - still.y[1])
    shifted = replace(still, pose=Pose(np.eye(3, dtype=np.float32), np.float32([0, -step, 0])))
    quarter = np.float32([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = replace(still, pose=Pose(quarter, np.zeros(3, np.float32)))
    field = spline_field(np.random.default_rng(3), still, 20.0)

    def read(through: Lattice) -> np.ndarray:
        return spline_field(np.random.default_rng(3), through, 20.0)

    np.testing.assert_allclose(read(unmoved), field, atol=1e-5)
    np.testing.assert_allclose(read(shifted)[:, 1:], field[:, :-1], atol=1e-4)
    # A point at (x, y) is read at (-y, x).
    np.testing.assert_allclose(read(turned), field.transpose(0, 2, 1)[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_second_study_shows_the_same_head_otherwise(dimensions: int) -> None:
    settings = {"patients": 4, "size": 32, "dimensions": dimensions, "depth": 8, "seed": 5}
    first, both = Phantom(**settings).load(), Phantom(**settings, studies_per_patient=2).load()
    check_cohort(both)
    assert first.study is None
    assert both.study is not None
    earlier, later = both.study == 0, both.study == 1
    np.testing.assert_array_equal(both.images[earlier], first.images)
    np.testing.assert_array_equal(both.positions[earlier], first.positions)
    for name in both.patient_ids:
        mine = both.patients == name
        assert both.study[mine].tolist() == sorted(both.study[mine])
        before, after = ((both.labels[mine & when] > 0).sum() for when in (earlier, later))
        if dimensions == 3:
            assert after > before
        assert not np.array_equal(both.images[mine & earlier], both.images[mine & later])
    if dimensions == 3:
        # Another pose and scanner, and still nearer to oneself than to anybody else.
        flat = (both.images - both.images[earlier].mean(0)).reshape(8, -1)
        alike = np.corrcoef(flat[earlier], flat[later])[:4, 4:]
        assert (alike.argmax(1) == np.arange(4)).all()
        assert np.diag(alike).max() < 0.99


def test_all_studies_of_a_patient_are_in_one_group() -> None:
    cohort = Phantom(patients=6, size=16, slices_per_patient=2, studies_per_patient=3).load()
    groups = split_patients(cohort, GroupSettings())
    for name in cohort.patient_ids:
        group = groups.group_of(name)
        assert group is not None
        assert set(np.flatnonzero(cohort.patients == name)) <= set(groups.indices[group])
        assert cohort.study is not None
        assert set(cohort.study[cohort.patients == name].tolist()) == {0, 1, 2}


def test_studies_and_sites_are_part_of_the_fingerprint() -> None:
    cohort = Phantom(patients=2, size=16, slices_per_patient=2).load()
    digests = {
        cohort.fingerprint(),
        replace(cohort, study=np.array([0, 0, 0, 1])).fingerprint(),
        replace(cohort, study=np.array([0, 1, 0, 1])).fingerprint(),
        replace(cohort, site=np.array(["a", "a", "b", "b"])).fingerprint(),
        replace(cohort, site=np.array(["a", "a", "a", "b"])).fingerprint(),
    }
    assert len(digests) == 5

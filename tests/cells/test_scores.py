"""The judge: pictures point at their patient or they do not; background never counts as head."""

from __future__ import annotations

import numpy as np
import pytest

from leakaudit.cells.scores import (
    Truth,
    foreground_of,
    image_metrics,
    reidentification,
    score_images,
    score_masks,
)


@pytest.fixture
def truth() -> Truth:
    rng = np.random.default_rng(0)
    owners = np.repeat([f"P{n}" for n in range(6)], 3)
    anatomy = rng.random((6, 1, 16, 16))
    images = np.clip(anatomy[np.repeat(np.arange(6), 3)] + 0.05 * rng.random((18, 1, 16, 16)), 0, 1)
    images = images.astype(np.float32)
    return Truth(
        images=images,
        masks=images > 0.7,
        foreground=np.ones((18, 16, 16), bool),
        lesion=(images > 0.9)[:, 0],
        patients=owners,
        positions=np.tile(np.arange(3), 6),
        typical=images.mean(axis=0),
    )


def test_a_perfect_copy_is_re_identified_and_a_common_picture_is_at_chance(truth: Truth) -> None:
    rows = np.arange(18)
    assert reidentification(truth, truth.images, rows).values.tolist() == [1.0] * 18
    common = np.broadcast_to(truth.typical, truth.images.shape).astype(np.float32)
    blind = reidentification(truth, common, rows)
    assert blind.chance == pytest.approx(1 / 6)
    np.testing.assert_allclose(blind.values, 1 / 6)


def test_another_patients_picture_points_at_the_other_patient(truth: Truth) -> None:
    moved = np.roll(truth.images, 3, axis=0)
    assert reidentification(truth, moved, np.arange(18)).values.tolist() == [0.0] * 18


def test_the_match_curve_starts_at_the_rate_of_first_guesses(truth: Truth) -> None:
    """And counts every patient once, also where one has fewer samples under attack."""
    guess = truth.images.copy()
    guess[:3] = truth.images[3:6]  # the first patient is always taken for the second
    rows = np.array([0, 3, 4, 5, 6, 7, 8, 9, 12, 15])
    score = reidentification(truth, guess[rows], rows)
    per_patient = [score.values[score.owners == name].mean() for name in np.unique(score.owners)]
    assert np.mean(per_patient) == pytest.approx(5 / 6)
    assert score.match_curve[0] == pytest.approx(5 / 6)
    assert len(score.match_curve) == 6
    assert score.match_curve[-1] == pytest.approx(1)


def test_the_attacked_slice_itself_is_no_candidate(truth: Truth) -> None:
    """A patient with one slice cannot be found by it: undefined, not a hit."""
    rows = np.arange(18)
    alone = Truth(**{**vars(truth), "patients": np.array(["X", *truth.patients[1:]])})
    values = reidentification(alone, truth.images, rows).values
    assert np.isnan(values[0])
    assert not np.isnan(values[1:]).any()


def test_image_scores_speak_of_whole_foreground_and_lesion(truth: Truth) -> None:
    scores = {(s.metric, s.region): s for s in score_images(truth, truth.images, image_metrics(),
                                                          np.arange(18))}  # fmt: skip
    assert {region for metric, region in scores if metric == "ssim"} == {
        "whole", "foreground", "lesion"
    }  # fmt: skip
    np.testing.assert_allclose(scores["ssim", "foreground"].values, 1.0)
    empty = truth.lesion.reshape(18, -1).sum(axis=1) == 0
    assert np.isnan(scores["mse", "lesion"].values[empty]).all()


def test_masks_are_scored_per_patient(truth: Truth) -> None:
    score = score_masks(truth, truth.masks.astype(np.float32), np.arange(18))
    assert len(score.values) == 6
    np.testing.assert_allclose(score.values, 1.0)


def test_foreground_includes_dark_ventricles_but_not_the_air() -> None:
    image = np.zeros((1, 1, 12, 12), np.float32)
    image[0, 0, 2:10, 2:10] = 0.5
    image[0, 0, 5:7, 5:7] = 0.0
    inside = foreground_of(image)
    assert inside[0, 5, 5]
    assert not inside[0, 0, 0]
    assert inside.sum() == 64

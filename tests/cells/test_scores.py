"""The judge: pictures point at their patient or they do not; background never counts as head."""

from __future__ import annotations

import numpy as np
import pytest

from leakaudit.cells.scores import (
    Truth,
    foreground_of,
    image_metrics,
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
    )


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

"""Dice of recovered masks against MONAI's, patient by patient."""

import numpy as np
import pytest
import torch
from monai.metrics.meandice import compute_dice

from leakaudit.errors import DataError
from leakaudit.metrics import MaskOverlap


def test_equals_monai_where_each_patient_has_one_sample_and_region() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.random((2, 5, 1, 8, 9)) > 0.6
    values, owners = MaskOverlap()(truth, guess, list("abcde"))
    expected = compute_dice(torch.from_numpy(guess), torch.from_numpy(truth))
    np.testing.assert_allclose(values, expected[:, 0].numpy(), atol=1e-6)
    assert owners.tolist() == list("abcde")


def test_samples_of_a_patient_are_taken_together_and_empty_ones_are_missing() -> None:
    truth = np.zeros((3, 1, 4, 4), dtype=bool)
    guess = truth.copy()
    truth[0, 0, 0] = True  # four voxels, two of them found; the second slice is empty in truth
    guess[0, 0, 0, :2] = True
    guess[1, 0, 0, 0] = True
    values, _ = MaskOverlap()(truth, guess, ["a", "a", "b"])
    assert values[0] == pytest.approx(2 * 2 / (4 + 3))
    assert np.isnan(values[1])


def test_shapes_must_agree() -> None:
    with pytest.raises(DataError, match="owner"):
        MaskOverlap()(np.zeros((2, 1, 4), bool), np.zeros((2, 1, 4), bool), ["a"])

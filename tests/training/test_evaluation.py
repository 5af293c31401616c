"""How well a network segments, beside what one reaches that learnt nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from leakaudit.training.evaluation import evaluate


def test_the_idle_dice_is_that_of_marking_everything() -> None:
    masks = np.zeros((3, 1, 4, 4), dtype=np.uint8)
    masks[0, 0, :2] = 1  # 8 of the 32 voxels that patient a has
    patients = np.array(["a", "a", "b"])

    def everything(rows: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(rows), 1, 4, 4)

    score = evaluate(everything, torch.arange(3), masks, patients, ("WT",))["WT"]
    assert score.idle["a"] == score.dice["a"] == pytest.approx(2 * 8 / (8 + 32))
    assert score.idle["b"] == score.dice["b"] == 0.0

"""The training loss: Dice plus cross-entropy, per sample, so that no gradient mixes patients."""

from __future__ import annotations

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn

# Smoothing of one voxel: with MONAI's 1e-5 a slice without lesion gives no usable gradient.
_DICE = DiceLoss(sigmoid=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


def sample_losses(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice loss plus binary cross-entropy of every sample: (n,).

    Args:
        logits: (n, regions, *space).
        masks: (n, regions, *space), 0 or 1.
    """
    dice: Tensor = _DICE(logits, masks)
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    return dice.flatten(1).mean(dim=1) + entropy.flatten(1).mean(dim=1)


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean over the samples of a batch: a scalar.

    Each sample's gradient depends on that sample alone, up to the factor one over the batch size.
    """
    return torch.mean(sample_losses(logits, masks))

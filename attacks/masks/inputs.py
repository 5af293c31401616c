"""Gradients as input channels of a network.

The gradient of the loss at a logit is negative exactly where the mask is one, but its size runs
over many orders of magnitude: large at a lesion's border, tiny where the network was already sure.
So every position is shown on three scales: against its own channels, against its surroundings,
and against the whole sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_AROUND = 5  # positions per axis that count as surroundings
_DARK = 1e-9  # of the largest value: below this a direction is rounding error


def input_channels(gradients: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """(n, all channels, *grid): what a party has of each sample at one level.

    Args:
        gradients: per recorded epoch (n, channels, *grid) at the state; their scale says nothing,
            because an unknown batch size divides it.
        features: per link (n, channels, *grid) that it sent.
    """
    return torch.cat([*(_on_all_scales(each) for each in gradients), *features], 1)


def _on_all_scales(gradients: Tensor) -> Tensor:
    """(n, 3 * channels + 2, *grid)."""
    largest = _per_sample(gradients.flatten(1).abs().amax(1), gradients)
    # First by its largest value: squares of a gradient of 1e-20 underflow.
    whole = gradients / torch.where(largest > 0, largest, 1.0)
    length = whole.square().mean(1, keepdim=True)
    alone = length.sqrt() + _DARK
    near = _surroundings(length).clamp_min(0).sqrt() + _DARK
    usual = _per_sample(whole.flatten(1).abs().median(1).values, whole).clamp_min(1e-12)
    return torch.cat(
        [whole / alone, _logarithm(alone), torch.asinh(whole / usual) / 3, whole / near,
         _logarithm(near)], 1
    )  # fmt: skip


def _logarithm(lengths: Tensor) -> Tensor:
    logs = lengths.log()
    return (logs - _per_sample(logs.flatten(1).mean(1), logs)) / 3


def _surroundings(tensor: Tensor) -> Tensor:
    """Mean over a neighbourhood, cut off at the image's border."""
    pool: type[nn.AvgPool2d | nn.AvgPool3d] = nn.AvgPool2d if tensor.ndim == 4 else nn.AvgPool3d
    averaged: Tensor = pool(_AROUND, 1, _AROUND // 2, count_include_pad=False)(tensor)
    return averaged


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (like.ndim - 1))

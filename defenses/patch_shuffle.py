"""Shuffle the patches of each message."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Guard, Site, Strength


class PatchShuffle(Defense):
    """Cut each message into patches and send them in a random order, fresh for every sample.

    Gradients come back in that order and are put back in place at the party. Each level is
    shuffled on its own.

    Protects: nothing that can be claimed; what a patch shows stays visible, and a reader of many
    levels can put the puzzle together. A decoder that needs places loses Dice. No attack that
    ships here puts patches back in order, so that their silence says nothing.
    Differs: the paper shuffles the tokens of a transformer, which does not mind the order.
    Source: Yao, Song et al. 2022 (PSLF: patch shuffling for split learning).
    """

    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("grid", rising=True)

    grid: int = Field(
        ge=2, le=64, description="patches along each side; must divide the size of every level"
    )

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The shuffling at one party.

        Raises:
            ConfigurationError: a level's size is no multiple of the grid.
        """
        del rng
        levels = self.acting_levels(site)
        for level in levels:
            space = site.shapes[level][1:]
            if any(side % self.grid for side in space):
                raise ConfigurationError(
                    "patch-shuffle cuts every level into whole patches",
                    found=f"grid {self.grid} on level {level} of size {'x'.join(map(str, space))}",
                    remedy="choose a grid that divides it, or name other `levels`",
                )
        return _PatchShuffleGuard(self.grid, levels)


class _PatchShuffleGuard(Guard):
    def __init__(self, grid: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self._grid = grid
        self._levels = levels

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """The patches in random order."""
        if level not in self._levels:
            return features
        patches = _to_patches(features, self._grid)
        keys = torch.rand(patches.shape[:2], generator=rng, device=rng.device)
        order = keys.argsort(dim=1).to(features.device)
        rows = torch.arange(len(patches), device=features.device)[:, None]
        return _from_patches(patches[rows, order], features.shape, self._grid)


def _to_patches(features: Tensor, grid: int) -> Tensor:
    """(n, channels, *space) to (n, patches, channels, *patch)."""
    samples, channels, *space = features.shape
    cut = [part for side in space for part in (grid, side // grid)]
    axes = len(space)
    order = [0, *(2 + 2 * axis for axis in range(axes)), 1, *(3 + 2 * axis for axis in range(axes))]
    split = features.reshape(samples, channels, *cut).permute(order)
    return split.reshape(samples, grid**axes, channels, *(side // grid for side in space))


def _from_patches(patches: Tensor, shape: torch.Size, grid: int) -> Tensor:
    """The inverse of :func:`_to_patches`."""
    samples, channels, *space = shape
    axes = len(space)
    split = patches.reshape(samples, *[grid] * axes, channels, *(side // grid for side in space))
    order = [0, 1 + axes]
    for axis in range(axes):
        order += [1 + axis, 2 + axes + axis]
    return split.permute(order).reshape(shape)

"""A convolutional decoder from features of any levels, and a first estimate, to images.

It runs from the deepest level it is given up to half resolution, whatever levels it is given, and
writes whole blocks of pixels from there: convolutions at full resolution cost most and add least,
because neighbouring pixels are already told apart by the first estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leakaudit.split.spec import level_size
from leakaudit.threat.view import Features

from .blocks import depth_to_space, space_to_depth, stretch, strides

_FINEST = 1  # the level at which the decoder ends: half resolution
_DEEPER = 1  # levels it looks below the coarsest one it is given, for context


@dataclass(frozen=True)
class _Place:
    """Where features enter: at which depth (2**depth pixels per position), and cut into what.

    Attributes:
        depth: the deepest whose positions hold whole positions of theirs.
        blocks: positions of theirs in one, along each axis.
        whole: whether they fit so; else they are repeated or left out to the nearest.
    """

    depth: int
    blocks: tuple[int, ...]
    whole: bool

    @classmethod
    def of(cls, space: tuple[int, ...], grid: tuple[int, ...]) -> _Place:
        own = strides(space, grid)
        powers = all(each & (each - 1) == 0 for each in own)
        coarsest = max(own) if powers else min(own)
        depth = max(_FINEST, coarsest.bit_length() - 1)
        blocks = tuple(max(1, 2**depth // each) for each in own)
        return cls(depth, blocks if powers else (1,) * len(own), powers)

    def brought(self, features: Tensor, grid: tuple[int, ...]) -> Tensor:
        """Features on the grid of that depth."""
        if not self.whole:
            return nn.functional.interpolate(features, grid, mode="nearest")
        return space_to_depth(features, self.blocks, grid)


class _Residual(nn.Module):
    """Two convolutions around a skip; each task has its own norms."""

    def __init__(self, dimensions: int, channels: int, tasks: int) -> None:
        super().__init__()
        conv, norm = _layers(dimensions)
        self.norms = nn.ModuleList(
            nn.ModuleList(norm(channels) for _ in range(2)) for _ in range(tasks)
        )
        self.convs = nn.ModuleList(conv(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, features: Tensor, task: int) -> Tensor:
        changed = features
        for norm, conv in zip(self.norms[task].children(), self.convs, strict=True):
            changed = conv(torch.relu(norm(changed)))
        return features + changed


class Decoder(nn.Module):
    """Features of some levels to images, U-Net fashion.

    Batch norm is safe here, unlike in the audited network: this is the adversary's own decoder,
    trained on its own patients, and run with fixed statistics. Several tasks, each with levels of
    its own to read, share all convolutions but not the norms, whose statistics differ.

    Args:
        shapes: level to (channels, *grid), for every level it reads.
        space: image size.
        outputs: image channels.
        width: feature channels at the finest level; twice as many below.
        tasks: how many tasks share it.
    """

    def __init__(
        self,
        shapes: Mapping[int, tuple[int, ...]],
        space: tuple[int, ...],
        outputs: int,
        width: int,
        tasks: int = 1,
    ) -> None:
        super().__init__()
        dimensions = len(space)
        conv, _ = _layers(dimensions)
        raise_by = nn.ConvTranspose2d if dimensions == 2 else nn.ConvTranspose3d
        self.space = space
        self.finest = _FINEST
        self.places = {level: _Place.of(space, shape[1:]) for level, shape in shapes.items()}
        depths = (place.depth for place in self.places.values())
        self.deepest = self._deepest(max(self.finest, *depths))
        widths = {
            level: width if level == self.finest else 2 * width
            for level in range(self.finest, self.deepest + 1)
        }
        self.stems = nn.ModuleDict()
        for level, place in self.places.items():
            blocks = shapes[level][0] * math.prod(place.blocks)
            self.stems[str(level)] = conv(blocks, widths[place.depth], 3, padding=1)
        pixels = outputs * 2 ** (dimensions * self.finest)
        self.estimate = conv(pixels, width, 3, padding=1)
        steps = range(self.finest, self.deepest)
        self.lower = nn.ModuleList(conv(widths[i], widths[i + 1], 2, stride=2) for i in steps)
        self.upper = nn.ModuleList(raise_by(widths[i + 1], widths[i], 2, stride=2) for i in steps)
        self.blocks = nn.ModuleList(_Residual(dimensions, each, tasks) for each in widths.values())
        self.last = conv(widths[self.finest], pixels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def begin_from(self, other: Decoder) -> None:
        """Take over what another decoder learnt of images; what reads features stays as it is."""
        own = self.state_dict()
        known = {
            name: tensor
            for name, tensor in other.state_dict().items()
            if not name.startswith("stems") and ".norms." not in name
            and name in own and own[name].shape == tensor.shape
        }  # fmt: skip
        self.load_state_dict(own | known)

    def _deepest(self, level: int) -> int:
        """As deep as asked for, but never below two positions per side."""
        wanted = level + _DEEPER
        while wanted > level and min(level_size(self.space, wanted)) < 2:
            wanted -= 1
        return wanted

    def forward(self, features: Features, estimate: Tensor, task: int = 0) -> Tensor:
        """Images (n, outputs, *space); zero at first.

        Args:
            features: level to (n, channels, *grid), standardised; of the task's levels.
            estimate: (n, outputs, *space), a first estimate, standardised.
            task: whose norms to use.
        """
        ends_at = level_size(self.space, self.finest)
        entering: Features = {
            self.finest: self.estimate(space_to_depth(estimate, 2**self.finest, ends_at))
        }
        for level in sorted(features):
            at = self.places[level].depth
            grid = level_size(self.space, at)
            stem = self.stems[str(level)]
            joined = stem(self.places[level].brought(features[level], grid))
            entering[at] = entering[at] + joined if at in entering else joined
        for index, lower in enumerate(self.lower):
            level = self.finest + index
            if level in entering:
                carried = lower(torch.relu(entering[level]))
                below = entering.get(level + 1)
                entering[level + 1] = carried if below is None else below + carried
        current = self.blocks[-1](entering[self.deepest], task)
        for index in reversed(range(len(self.upper))):
            level = self.finest + index
            raised = self.upper[index](torch.relu(current))
            raised = stretch(raised, level_size(self.space, level))
            if level in entering:
                raised = raised + entering[level]
            current = self.blocks[index](raised, task)
        blocks: Tensor = self.last(torch.relu(current))
        return depth_to_space(blocks, 2**self.finest, self.space)


def _layers(
    dimensions: int,
) -> tuple[type[nn.Conv2d | nn.Conv3d], type[nn.BatchNorm2d | nn.BatchNorm3d]]:
    if dimensions == 2:
        return nn.Conv2d, nn.BatchNorm2d
    return nn.Conv3d, nn.BatchNorm3d

"""The sums that a linear regression from features to images is solved from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from .blocks import Strides, space_to_depth
from .linear_decoder import LinearDecoder, summary_of

_MOST_COLUMNS = 1500  # beyond this the normal equations cost more than they recover
_ROWS_PER_COLUMN = 40
_RAISED = 12  # times that a penalty is raised tenfold before equations count as unsolvable


@dataclass(frozen=True, eq=False)
class Sums:
    """The normal equations of some samples; they add up.

    Attributes:
        gram: (columns, columns); the last column is the constant.
        moment: (columns, outputs).
        square: summed square of what is predicted.
        rows: how many positions were summed.
        kernel: (channels, *sides) of the local part.
    """

    gram: Tensor
    moment: Tensor
    square: float
    rows: int
    kernel: tuple[int, ...]

    @classmethod
    def total(cls, parts: Sequence[Sums]) -> Sums:
        """Of all samples together."""
        return cls(
            torch.stack([part.gram for part in parts]).sum(0),
            torch.stack([part.moment for part in parts]).sum(0),
            sum(part.square for part in parts),
            sum(part.rows for part in parts),
            parts[0].kernel,
        )

    def without(self, other: Sums) -> Sums:
        """Of these samples but some."""
        return Sums(
            self.gram - other.gram,
            self.moment - other.moment,
            self.square - other.square,
            self.rows - other.rows,
            self.kernel,
        )

    def solve(self, penalty: float, part: Tensor) -> Tensor:
        """(columns, outputs) of a ridge regression from some columns, the constant the last."""
        ridge = torch.full((len(part),), penalty * self.rows, dtype=torch.float64)
        ridge[-1] = 1e-9 * self.rows  # the constant is not shrunk
        gram = self.gram[part][:, part]
        root, failed = torch.linalg.cholesky_ex(gram + torch.diag(ridge))
        for _ in range(_RAISED):
            if not failed:
                break
            # Values far apart leave more rounding than the penalty covers.
            ridge = 10 * ridge
            root, failed = torch.linalg.cholesky_ex(gram + torch.diag(ridge))
        if failed:
            root = torch.linalg.cholesky(gram + torch.diag(ridge))
        weights = torch.zeros_like(self.moment)
        weights[part] = torch.cholesky_solve(self.moment[part], root)
        return weights

    def error(self, one: Tensor, other: Tensor) -> float:
        """Summed product of the errors that two sets of weights make on these samples."""
        return (
            self.square
            + ((self.gram @ one - self.moment) * other).sum()
            - (one * self.moment).sum()
        ).item()

    def decoder(self, weights: Tensor, factor: Strides, base: Tensor) -> LinearDecoder:
        """The map with these weights."""
        local = math.prod(self.kernel)
        each = weights.float()
        return LinearDecoder(
            each[:local].T.reshape(-1, *self.kernel).contiguous(), each[local:], base, factor
        )


def enough_columns_for(channels: int, dimensions: int) -> bool:
    """Whether neighbours of so many channels can all enter a regression."""
    columns: int = channels * 3**dimensions + 2 * channels
    return columns <= _MOST_COLUMNS


def summed(
    features: Tensor, images: Tensor, factor: Strides, samples: int, ways: int, rng: Generator
) -> Sums:
    """The normal equations of some samples, at as many positions as the columns need."""
    channels, grid = features.shape[1], tuple(features.shape[2:])
    d = len(grid)
    side = 3 if enough_columns_for(channels, d) else 1
    columns = channels * side**d + 2 * channels + 1
    positions = math.prod(grid)
    keep = min(positions, -(-_ROWS_PER_COLUMN * columns // ways // samples) + 16)
    blocks = space_to_depth(images, factor, grid).flatten(2)
    gram = torch.zeros(columns, columns, dtype=torch.float64)
    moment = torch.zeros(columns, blocks.shape[1], dtype=torch.float64)
    square = 0.0
    for part in torch.arange(len(features)).split(16):
        where = torch.randperm(positions, generator=rng)[:keep]
        rows = neighbourhoods(features[part], side, where)
        gram += rows.T @ rows
        wanted = blocks[part][:, :, where].movedim(1, 2).flatten(0, 1)
        moment += rows.T @ wanted
        square += wanted.double().square().sum().item()
    return Sums(gram, moment, square, keep * len(features), (channels, *(side,) * d))


def neighbourhoods(features: Tensor, side: int, where: Tensor) -> Tensor:
    """Rows (n * positions, columns): channels x offsets as a convolution orders them, summary."""
    grid = features.shape[2:]
    padded = nn.functional.pad(features, [side // 2] * (2 * len(grid)))
    strides = [math.prod(padded.shape[axis + 1 :]) for axis in range(2, padded.ndim)]
    corners = sum(
        place * stride
        for place, stride in zip(torch.unravel_index(where, grid), strides, strict=True)
    )
    offsets = torch.tensor([
        sum(by * stride for by, stride in zip(offset, strides, strict=True))
        for offset in itertools.product(range(side), repeat=len(grid))
    ])  # fmt: skip
    beside = (offsets[:, None] + corners).flatten().to(features.device)
    local = padded.flatten(2)[:, :, beside].unflatten(2, (len(offsets), -1)).flatten(1, 2)
    summary = summary_of(features)[:, :, None].expand(-1, -1, len(where))
    return torch.cat([local, summary], dim=1).movedim(1, 2).flatten(0, 1)

"""The best linear decoder, in closed form: a starting point no optimiser can get stuck before.

Ridge regression from a neighbourhood of features, and each channel's mean and spread over the
sample, to the pixels that belong to one feature position. Convex, so scaling, rotating or shifting
the channels cannot mislead it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

_MOST_COLUMNS = 1500  # beyond this the normal equations cost more than they recover
_ROWS_PER_COLUMN = 40
_PENALTIES = (1e-2, 1e-1, 1.0)  # relative to the variance of one standardised feature


def space_to_depth(images: Tensor, factor: int, grid: tuple[int, ...]) -> Tensor:
    """Cut images into blocks: (n, c, *grid * factor) to (n, c * factor**d, *grid); crops the rest.

    The inverse of :func:`depth_to_space` on what is not cropped.
    """
    n, channels = images.shape[:2]
    d = len(grid)
    cropped = images
    for axis, side in enumerate(grid, start=2):
        cropped = cropped.narrow(axis, 0, side * factor)
    blocks = cropped.reshape(n, channels, *itertools.chain(*((side, factor) for side in grid)))
    order = (0, 1, *(3 + 2 * axis for axis in range(d)), *(2 + 2 * axis for axis in range(d)))
    return blocks.permute(order).reshape(n, channels * factor**d, *grid)


def depth_to_space(blocks: Tensor, factor: int, space: tuple[int, ...]) -> Tensor:
    """Put blocks back: (n, c * factor**d, *grid) to (n, c, *space), edges repeated where short."""
    n, grid = blocks.shape[0], tuple(blocks.shape[2:])
    d = len(grid)
    split = blocks.reshape(n, -1, *(factor,) * d, *grid)
    pairs = itertools.chain(*((2 + d + axis, 2 + axis) for axis in range(d)))
    images = split.permute(0, 1, *pairs).reshape(n, -1, *(side * factor for side in grid))
    return stretch(images, space)


def stretch(images: Tensor, space: tuple[int, ...]) -> Tensor:
    """Repeat the last row, column and slice until the size fits: odd sizes halve rounding down."""
    missing = [side - have for side, have in zip(space, images.shape[2:], strict=True)]
    if not any(missing):
        return images
    return nn.functional.pad(
        images, [end for side in reversed(missing) for end in (0, side)], "replicate"
    )


@dataclass(frozen=True, eq=False)
class LinearDecoder:
    """A fitted linear map from features of one level to images.

    Attributes:
        local: (outputs * factor**d, channels, *kernel) convolution weights.
        summary: (2 * channels + 1, outputs * factor**d) weights of means, spreads and one.
        base: (1, outputs, *space), added to what is read.
        factor: pixels per feature position along each axis.
        space: image size.
    """

    local: Tensor
    summary: Tensor
    base: Tensor
    factor: int

    def __call__(self, features: Tensor) -> Tensor:
        """Images (n, outputs, *space), not clamped."""
        d = features.ndim - 2
        convolve = nn.functional.conv2d if d == 2 else nn.functional.conv3d
        blocks = convolve(features, self.local, padding=self.local.shape[-1] // 2)
        blocks = blocks + (_summary(features) @ self.summary)[(..., *(None,) * d)]
        return self.base + depth_to_space(blocks, self.factor, tuple(self.base.shape[2:]))


def _summary(features: Tensor) -> Tensor:
    flat = features.flatten(2)
    spread = flat.var(2, unbiased=False).clamp_min(1e-12).sqrt()
    return torch.cat([flat.mean(2), spread, torch.ones_like(flat[:, :1, 0])], dim=1)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear decoder with what it says of samples it has not seen.

    Attributes:
        decoder: fitted on all samples.
        unseen: (n, outputs, *space), each sample decoded by a fit that left its patient out.
        error: mean squared error of ``unseen`` clamped to [0, 1].
    """

    decoder: LinearDecoder
    unseen: Tensor
    error: float


def fit_linear(
    features: Tensor,
    images: Tensor,
    base: Tensor,
    factor: int,
    folds: Sequence[Tensor],
    rng: Generator,
) -> LinearFit:
    """Ridge regression, its penalty chosen by cross-validation over patients.

    Args:
        features: (n, channels, *grid), standardised.
        images: (n, outputs, *space).
        base: (1, outputs, *space), known beforehand: only what differs from it is read.
        factor: pixels per feature position, 2**level.
        folds: rows of each fold; no patient in two. A single fold predicts itself.
        rng: draws the positions that enter where there are more than enough.
    """
    sums = [
        _sums(features[fold], images[fold] - base, factor, len(features), rng) for fold in folds
    ]
    everything = _Sums.total(sums)
    best: LinearFit | None = None
    for penalty in _PENALTIES:
        unseen = torch.empty_like(images)
        for fold, own in zip(folds, sums, strict=True):
            rest = everything.without(own) if len(folds) > 1 else everything
            unseen[fold] = rest.solve(penalty, factor, base)(features[fold])
        error = (unseen.clamp(0, 1) - images).square().mean().item()
        if best is None or error < best.error:
            best = LinearFit(everything.solve(penalty, factor, base), unseen, error)
    if best is None:
        raise ValueError("no penalty to choose from")
    return best


@dataclass(frozen=True, eq=False)
class _Sums:
    """The normal equations of some samples; they add up."""

    gram: Tensor
    moment: Tensor
    rows: int
    kernel: tuple[int, ...]

    @classmethod
    def total(cls, parts: Sequence[_Sums]) -> _Sums:
        return cls(
            torch.stack([part.gram for part in parts]).sum(0),
            torch.stack([part.moment for part in parts]).sum(0),
            sum(part.rows for part in parts),
            parts[0].kernel,
        )

    def without(self, other: _Sums) -> _Sums:
        return _Sums(
            self.gram - other.gram,
            self.moment - other.moment,
            self.rows - other.rows,
            self.kernel,
        )

    def solve(self, penalty: float, factor: int, base: Tensor) -> LinearDecoder:
        ridge = torch.full((len(self.gram),), penalty * self.rows, dtype=torch.float64)
        ridge[-1] = 1e-9 * self.rows  # the constant is not shrunk
        weights = torch.cholesky_solve(
            self.moment, torch.linalg.cholesky(self.gram + torch.diag(ridge))
        ).float()
        local = math.prod(self.kernel)
        return LinearDecoder(
            weights[:local].T.reshape(-1, *self.kernel).contiguous(),
            weights[local:],
            base,
            factor,
        )


def _sums(features: Tensor, images: Tensor, factor: int, samples: int, rng: Generator) -> _Sums:
    channels, grid = features.shape[1], tuple(features.shape[2:])
    d = len(grid)
    side = 3 if channels * 3**d + 2 * channels <= _MOST_COLUMNS else 1
    columns = channels * side**d + 2 * channels + 1
    positions = math.prod(grid)
    keep = min(positions, -(-_ROWS_PER_COLUMN * columns // samples) + 16)
    blocks = space_to_depth(images, factor, grid).flatten(2)
    gram = torch.zeros(columns, columns, dtype=torch.float64)
    moment = torch.zeros(columns, blocks.shape[1], dtype=torch.float64)
    for part in torch.arange(len(features)).split(16):
        where = torch.randperm(positions, generator=rng)[:keep]
        rows = _neighbourhoods(features[part], side, where)
        gram += rows.T @ rows
        moment += rows.T @ blocks[part][:, :, where].movedim(1, 2).flatten(0, 1)
    return _Sums(gram, moment, keep * len(features), (channels, *(side,) * d))


def _neighbourhoods(features: Tensor, side: int, where: Tensor) -> Tensor:
    """Rows (n * positions, columns): channels x offsets as a convolution orders them, summary."""
    grid = features.shape[2:]
    padded = nn.functional.pad(features, [side // 2] * (2 * len(grid)))
    shifted = []
    for offset in itertools.product(range(side), repeat=len(grid)):
        window = padded
        for axis, (by, size) in enumerate(zip(offset, grid, strict=True), start=2):
            window = window.narrow(axis, by, size)
        shifted.append(window.flatten(2)[:, :, where])
    local = torch.stack(shifted, dim=2).flatten(1, 2)
    summary = _summary(features)[:, :, None].expand(-1, -1, len(where))
    return torch.cat([local, summary], dim=1).movedim(1, 2).flatten(0, 1)

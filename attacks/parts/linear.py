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

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch import Generator, Tensor, nn

from .blocks import Strides, depth_to_space, space_to_depth

_MOST_COLUMNS = 1500  # beyond this the normal equations cost more than they recover
_Doubles = npt.NDArray[np.float64]
_ROWS_PER_COLUMN = 40
_PENALTIES = (1e-2, 1e-1, 1.0)  # relative to the variance of one standardised feature


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
    factor: Strides

    def __call__(self, features: Tensor) -> Tensor:
        """Images (n, outputs, *space), not clamped."""
        d = features.ndim - 2
        convolve = nn.functional.conv2d if d == 2 else nn.functional.conv3d
        blocks = convolve(features, self.local, padding=self.local.shape[-1] // 2)
        blocks = blocks + (_summary(features) @ self.summary)[(..., *(None,) * d)]
        return self.base + depth_to_space(blocks, self.factor, tuple(self.base.shape[2:]))


def _summary(features: Tensor) -> Tensor:
    flat = features.flatten(2)
    mean = flat.mean(2)
    spread = (flat.square().mean(2) - mean.square()).clamp_min(1e-12).sqrt()
    return torch.cat([mean, spread, torch.ones_like(flat[:, :1, 0])], dim=1)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear decoder with what it says of samples it has not seen.

    Attributes:
        decoder: fitted on all samples.
        unseen: (n, outputs, *space), each sample decoded by a fit that left its patient out.
        error: mean squared error of ``unseen`` clamped to [0, 1].
        way: from which way of conditioning alone most can be read.
    """

    decoder: LinearDecoder
    unseen: Tensor
    error: float
    way: int = 0


def fit_linear(
    features: Tensor,
    images: Tensor,
    base: Tensor,
    factor: Strides,
    folds: Sequence[Tensor],
    rng: Generator,
    ways: int = 1,
) -> LinearFit:
    """Ridge regression, its penalty chosen by cross-validation over patients.

    Where features are there in several ways, a regression from each and one from all are weighed
    against each other by what they say of unseen patients (stacking; Breiman, "Stacked
    regressions", Machine Learning 24, 1996): which way is best cannot be told from few patients,
    and weighing loses little where choosing can lose much.

    Args:
        features: (n, channels, *grid), standardised.
        images: (n, outputs, *space).
        base: (1, outputs, *space), known beforehand: only what differs from it is read.
        factor: pixels per feature position.
        folds: rows of each fold; no patient in two. A single fold predicts itself.
        rng: draws the positions that enter where there are more than enough.
        ways: how many times the same channels are there, each time conditioned otherwise.
    """
    sums = [
        _sums(features[fold], images[fold] - base, factor, len(features), ways, rng)
        for fold in folds
    ]
    everything = _Sums.total(sums)
    rests = [everything.without(own) if len(folds) > 1 else everything for own in sums]
    parts = _parts(everything, ways)
    chosen = [_Ridge.best(everything, rests, sums, part) for part in parts]
    shares = _shares(chosen, sums)
    unseen = torch.empty_like(images)
    for number, fold in enumerate(folds):
        weights = _weighed(shares, [ridge.left_out[number] for ridge in chosen])
        unseen[fold] = everything.decoder(weights, factor, base)(features[fold])
    weights = _weighed(shares, [ridge.weights for ridge in chosen])
    error = (unseen.clamp(0, 1) - images).square().mean().item()
    way = min(range(ways), key=lambda each: chosen[each].error)
    return LinearFit(everything.decoder(weights, factor, base), unseen, error, way)


@dataclass(frozen=True, eq=False)
class _Ridge:
    """One regression: (columns, outputs) weights from all samples, and without each fold.

    Attributes:
        weights: from all samples.
        left_out: without each fold.
        error: summed square over the folds left out.
    """

    weights: Tensor
    left_out: list[Tensor]
    error: float

    @classmethod
    def best(
        cls, everything: _Sums, rests: Sequence[_Sums], sums: Sequence[_Sums], part: Tensor
    ) -> _Ridge:
        """With the largest penalty under which folds left out are predicted as well as with any.

        As well: worse by no more than the standard error of the difference. Few patients cannot
        tell nearer, and a penalty too small costs more on other patients than one too large
        (Breiman et al., "Classification and regression trees", 1984, section 3.4.3).
        """
        tried = []
        for penalty in sorted(_PENALTIES, reverse=True):
            left_out = [rest.solve(penalty, part) for rest in rests]
            errors = np.array(
                [own.error(each, each) for own, each in zip(sums, left_out, strict=True)]
            )
            tried.append((errors, penalty, left_out))
        least, *_ = min(tried, key=lambda each: float(each[0].sum()))
        errors, penalty, left_out = next(each for each in tried if _as_well(each[0] - least))
        return cls(everything.solve(penalty, part), left_out, float(errors.sum()))


def _as_well(worse_by: _Doubles) -> bool:
    """Whether errors, fold by fold, exceed others by no more than chance would have them."""
    if len(worse_by) < 2:
        return not worse_by.any()
    spread = float(worse_by.std(ddof=1)) / math.sqrt(len(worse_by))
    return float(worse_by.mean()) <= spread


def _shares(ridges: Sequence[_Ridge], sums: Sequence[_Sums]) -> list[float]:
    """How much each regression counts: not negative, one together, of least error left out."""
    if len(ridges) == 1:
        return [1.0]
    pairs = [
        [
            sum(
                own.error(one.left_out[number], other.left_out[number])
                for number, own in enumerate(sums)
            )
            for other in ridges
        ]
        for one in ridges
    ]
    errors = np.array(pairs) / max(np.trace(pairs), 1e-300)
    # Between regressions that say nearly the same, differences of large sums can fall below zero.
    strengths, directions = np.linalg.eigh((errors + errors.T) / 2)
    root = directions * np.sqrt(strengths.clip(1e-9))
    sum_to_one = 1e3 * np.ones((1, len(errors)))
    aims = np.append(np.zeros(len(errors)), 1e3)
    found, _ = optimize.nnls(np.concatenate([root.T, sum_to_one]), aims)
    return list(found / found.sum())


def _weighed(shares: Sequence[float], weights: Sequence[Tensor]) -> Tensor:
    return torch.stack([share * each for share, each in zip(shares, weights, strict=True)]).sum(0)


def _parts(sums: _Sums, ways: int) -> list[Tensor]:
    """Columns of each way's regression, and of all ways together."""
    every = torch.arange(len(sums.gram))
    if ways == 1:
        return [every]
    channels = sums.kernel[0]
    local = math.prod(sums.kernel)
    owner = torch.arange(channels).div(channels // ways, rounding_mode="floor")
    owners = torch.cat([owner.repeat_interleave(local // channels), owner, owner])
    return [torch.cat([(owners == way).nonzero()[:, 0], every[-1:]]) for way in range(ways)] + [
        every
    ]


@dataclass(frozen=True, eq=False)
class _Sums:
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
    def total(cls, parts: Sequence[_Sums]) -> _Sums:
        return cls(
            torch.stack([part.gram for part in parts]).sum(0),
            torch.stack([part.moment for part in parts]).sum(0),
            sum(part.square for part in parts),
            sum(part.rows for part in parts),
            parts[0].kernel,
        )

    def without(self, other: _Sums) -> _Sums:
        return _Sums(
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
        root = torch.linalg.cholesky(self.gram[part][:, part] + torch.diag(ridge))
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


def _sums(
    features: Tensor, images: Tensor, factor: Strides, samples: int, ways: int, rng: Generator
) -> _Sums:
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
        rows = _neighbourhoods(features[part], side, where)
        gram += rows.T @ rows
        wanted = blocks[part][:, :, where].movedim(1, 2).flatten(0, 1)
        moment += rows.T @ wanted
        square += wanted.double().square().sum().item()
    return _Sums(gram, moment, square, keep * len(features), (channels, *(side,) * d))


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

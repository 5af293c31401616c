"""Bring features into a form that is easy to learn from, whatever was done to each channel.

A fixed pattern laid over a channel, or a squashing of its values, removes nothing: but a decoder
that must first learn to undo it looks weaker than it is. Several ways are tried on auxiliary
patients, and the one from which most can be read is kept: squashing is undone by ranks or, because
ranks also spoil the proportions of what was not squashed, as a saturating function would be; a
fixed pattern by taking out the typical message, after the squashing.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from ._linear import space_to_depth

_KNOTS = 257
_POSITIONS = 64  # per sample, to compare the ways
_ALMOST = 1 - 2.0**-24  # nearer to a bound, single precision cannot tell values apart
_WORTH = 0.8  # of the plain way's error: another, which costs detail, must leave less


class Conditioning(Protocol):
    """A map of features, channel by channel, fitted on auxiliary samples."""

    @property
    def centred(self) -> bool:
        """Whether the typical sample is taken out, so that only differences are left."""

    def __call__(self, features: Tensor) -> Tensor:
        """Features (n, channels, *grid), of about unit spread."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Subtract a mean, divide by a spread.

    Attributes:
        centre: (1, channels, *ones) mean of a channel; where ``centred``, (1, channels, *grid), the
            typical sample, which takes out any pattern that is the same for all.
        spread: (1, channels, *ones).
        centred: as in :class:`Conditioning`.
    """

    centre: Tensor
    spread: Tensor
    centred: bool

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.centre) / self.spread

    @classmethod
    def fit(cls, features: Tensor, *, centred: bool) -> Scaling:
        """From auxiliary features; a channel that never changes keeps spread one."""
        space = tuple(range(2, features.ndim))
        wide = features.double()
        centre = wide.mean((0,) if centred else (0, *space), keepdim=True)
        spread = (wide - centre).square().mean((0, *space), keepdim=True).sqrt()
        size = wide.abs().amax((0, *space), keepdim=True)
        spread = torch.where(spread <= 1e-7 * size, 1.0, spread)
        return cls(centre.float(), spread.float(), centred)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Replace each value by the normal quantile of its rank: undoes any monotone change.

    Attributes:
        knots: (channels, knots) rising values of each channel.
        heights: (knots,) what they map to.
    """

    knots: Tensor
    heights: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        rows = features.movedim(1, 0).flatten(1).contiguous()
        right = torch.searchsorted(self.knots, rows).clamp(1, self.knots.shape[1] - 1)
        low, high = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        within = ((rows - low) / (high - low).clamp_min(1e-30)).clamp(0, 1)
        heights = self.heights[right - 1].lerp(self.heights[right], within)
        shape = (features.shape[1], features.shape[0], *features.shape[2:])
        return heights.reshape(shape).movedim(0, 1).contiguous()

    @classmethod
    def fit(cls, features: Tensor) -> Ranking:
        """From auxiliary features."""
        rows = features.movedim(1, 0).flatten(1).sort(dim=1).values
        at = torch.linspace(0, rows.shape[1] - 1, _KNOTS).round().long()
        share = (torch.arange(_KNOTS) + 0.5) / _KNOTS
        return cls(rows[:, at].contiguous(), torch.special.ndtri(share))


@dataclass(frozen=True, eq=False)
class Unsaturating:
    """Stretch what a saturating function pressed against a bound, the same for all channels.

    As if by the hyperbolic tangent; other such functions look alike towards their bounds.

    Attributes:
        bound: the largest size seen.
    """

    bound: float

    def __call__(self, features: Tensor) -> Tensor:
        return (features.double() / self.bound).clamp(-_ALMOST, _ALMOST).atanh().float()

    @classmethod
    def fit(cls, features: Tensor) -> Unsaturating:
        """From auxiliary features."""
        return cls(max(features.abs().max().item(), 1e-30))


@dataclass(frozen=True, eq=False)
class Chain:
    """Undo a squashing first, then scale."""

    first: Ranking | Unsaturating
    then: Scaling

    @property
    def centred(self) -> bool:
        """As in :class:`Conditioning`."""
        return self.then.centred

    def __call__(self, features: Tensor) -> Tensor:
        return self.then(self.first(features))

    @classmethod
    def fit(
        cls, features: Tensor, *, first: Callable[[Tensor], Ranking | Unsaturating], centred: bool
    ) -> Chain:
        """From auxiliary features, each step on what the one before it makes of them."""
        undoing = first(features)
        return cls(undoing, Scaling.fit(undoing(features), centred=centred))


def _ways(*, centring: bool) -> Iterator[Callable[[Tensor], Conditioning]]:
    """How to fit each that is tried; the first is the plain one."""
    choices = (False, True) if centring else (False,)
    for centred in choices:
        yield functools.partial(Scaling.fit, centred=centred)
    for first in (Unsaturating.fit, Ranking.fit):
        for centred in choices:
            yield functools.partial(Chain.fit, first=first, centred=centred)


def condition(
    features: Tensor, images: Tensor, factor: int, folds: Sequence[Tensor], rng: Generator,
    *, centring: bool = True,
) -> Conditioning:  # fmt: skip
    """The way from which a position's own features predict its pixels best, on unseen patients.

    Args:
        features: (n, channels, *grid), as sent.
        images: (n, outputs, *space), what they came from.
        factor: pixels per feature position along each axis.
        folds: rows of each fold; no patient in two.
        rng: which positions are compared.
        centring: whether ways that take out the typical sample are tried.
    """
    blocks = space_to_depth(images, factor, tuple(features.shape[2:])).flatten(2)
    where = torch.randperm(blocks.shape[2], generator=rng)[:_POSITIONS]
    few, pixels = features.flatten(2)[:, :, where], blocks[:, :, where]
    best, *others = _ways(centring=centring)
    least = _WORTH * _error(best(few), few, pixels, folds)
    for fit in others:
        error = _error(fit(few), few, pixels, folds)
        if error < least:
            best, least = fit, error
    return best(features)


def _error(way: Conditioning, features: Tensor, pixels: Tensor, folds: Sequence[Tensor]) -> float:
    """Squared error on unseen patients of a linear map from single positions.

    Args:
        way: fitted on ``features``.
        features: (n, channels, positions).
        pixels: (n, values, positions), what belongs to each.
        folds: rows of each fold.
    """
    wanted = pixels - pixels.mean(0) if way.centred else pixels
    conditioned = way(features)
    inputs = [_by_position(conditioned[fold]) for fold in folds]
    inputs = [torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1) for rows in inputs]
    outputs = [_by_position(wanted[fold]) for fold in folds]
    grams = [part.T @ part for part in inputs]
    moments = [part.T @ out for part, out in zip(inputs, outputs, strict=True)]
    total, moment = torch.stack(grams).sum(0), torch.stack(moments).sum(0)
    count = sum(len(part) for part in inputs)
    error = 0.0
    for fold in range(len(folds)):
        alone = len(folds) == 1
        gram = total if alone else total - grams[fold]
        ridge = 1e-3 * count * torch.eye(len(gram), dtype=gram.dtype)
        weights = torch.linalg.solve(gram + ridge, moment if alone else moment - moments[fold])
        error += (inputs[fold] @ weights - outputs[fold]).square().sum().item()
    return error


def _by_position(tensor: Tensor) -> Tensor:
    """(n, values, positions) as rows (n * positions, values), in double precision."""
    return tensor.movedim(1, 2).flatten(0, 1).double()


def by_patient(patients: Tensor, folds: int, rng: Generator) -> list[Tensor]:
    """Rows dealt into at most so many folds, no patient in two of them."""
    owners = torch.unique(patients)
    owners = owners[torch.randperm(len(owners), generator=rng)]
    dealt = itertools.islice((owners[first::folds] for first in range(folds)), len(owners))
    return [torch.isin(patients, each).nonzero()[:, 0] for each in dealt]

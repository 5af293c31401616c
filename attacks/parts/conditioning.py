"""Bring features into a form that is easy to learn from, whatever was done to each channel.

A fixed pattern laid over a channel, or a squashing of its values, removes nothing: but a decoder
that must first learn to undo it looks weaker than it is. Several ways are tried on auxiliary
patients, and the one from which most can be read is kept: squashing is undone by ranks or, because
ranks also spoil the proportions of what was not squashed, as a saturating function would be; a
fixed pattern by taking out the message of a blank image before, or the typical message after.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from .blocks import Strides, space_to_depth
from .normal_equations import enough_columns_for
from .squashing import Ranking, Unsaturating

_POSITIONS = 64  # per sample, to compare the ways; fewer where there are
_ROWS = 16_384  # of all samples already
_WORTH = 0.8  # of the plain way's error: another, which costs detail, must leave less


class Conditioning(Protocol):
    """A map of features, channel by channel, fitted on auxiliary samples."""

    @property
    def centred(self) -> bool:
        """Whether the typical sample is taken out, so that only differences are left."""

    @property
    def ways(self) -> int:
        """How many times every channel is there, each time in another way."""

    def __call__(self, features: Tensor) -> Tensor:
        """Features (n, ways * channels, *grid), of about unit spread."""


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
    ways: int = 1

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
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
class Chain:
    """Undo a squashing first, then scale."""

    first: Ranking | Unsaturating
    then: Scaling
    ways: int = 1

    @property
    def centred(self) -> bool:
        """As in :class:`Conditioning`."""
        return self.then.centred

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
        return self.then(self.first(features))

    @classmethod
    def fit(
        cls, features: Tensor, *, first: Callable[[Tensor], Ranking | Unsaturating], centred: bool
    ) -> Chain:
        """From auxiliary features, each step on what the one before it makes of them."""
        undoing = first(features)
        return cls(undoing, Scaling.fit(undoing(features), centred=centred))


@dataclass(frozen=True, eq=False)
class Cleared:
    """Take out what a blank image sends, then the rest.

    Attributes:
        blank: (1, channels, *grid).
        then: fitted on what is left.
    """

    blank: Tensor
    then: Conditioning

    @property
    def centred(self) -> bool:
        """As in :class:`Conditioning`."""
        return self.then.centred

    @property
    def ways(self) -> int:
        """As in :class:`Conditioning`."""
        return self.then.ways

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
        return self.then(features - self.blank)


@dataclass(frozen=True, eq=False)
class Beside:
    """Several ways side by side: all channels in the first, then all in the next.

    Attributes:
        each: the ways, all centred or none.
    """

    each: tuple[Conditioning, ...]

    @property
    def centred(self) -> bool:
        """As in :class:`Conditioning`."""
        return self.each[0].centred

    @property
    def ways(self) -> int:
        """As in :class:`Conditioning`."""
        return len(self.each)

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
        return torch.cat([way(features) for way in self.each], dim=1)


Fit = Callable[[Tensor], Conditioning]


def _ways(*, centred: bool) -> tuple[Fit, ...]:
    """How to fit each that is tried; the first is the plain one."""
    return (
        functools.partial(Scaling.fit, centred=centred),
        functools.partial(Chain.fit, first=Unsaturating.fit, centred=centred),
        functools.partial(Chain.fit, first=Ranking.fit, centred=centred),
    )


def condition(
    features: Tensor, images: Tensor, factor: Strides, folds: Sequence[Tensor], rng: Generator,
    *, blank: Tensor | None = None, centring: bool = True, beside: bool = False,
) -> Conditioning:  # fmt: skip
    """The way from which a position's own features predict its pixels best, on unseen patients.

    Args:
        features: (n, channels, *grid), as sent.
        images: (n, outputs, *space), what they came from.
        factor: pixels per feature position along each axis.
        folds: rows of each fold; no patient in two.
        rng: which positions are compared.
        blank: (1, channels, *grid), what is sent for an image of zeros; None where it stays in.
        centring: whether ways that take out the typical sample are tried.
        beside: whether all ways may stand side by side, for whoever can weigh them better than this
            comparison of single positions does.
    """
    blocks = space_to_depth(images, factor, tuple(features.shape[2:])).flatten(2)
    where = torch.randperm(blocks.shape[2], generator=rng)
    where = where[: min(_POSITIONS, -(-_ROWS // len(images)))]
    pixels = blocks[:, :, where]

    def error(fit: Fit, sent: Tensor) -> float:
        few = sent.flatten(2)[:, :, where]
        return _error(fit(few), few, pixels, folds)

    # A pattern laid over a message would spoil the ranks of what it hides: it goes first.
    if blank is not None and bool(torch.isfinite(blank).all()):
        plain, *_ = _ways(centred=False)
        cleared = features - blank
        if error(plain, cleared) < _WORTH * error(plain, features):
            return Cleared(blank, _best(cleared, error, centring, beside))
    return _best(features, error, centring, beside)


def _best(
    features: Tensor, error: Callable[[Fit, Tensor], float], centring: bool, beside: bool
) -> Conditioning:
    """Plain scaling, unless another way leaves clearly less error; where asked for, all ways."""
    left = {fit: error(fit, features) for fit in _ways(centred=False)}
    centred = {fit: error(fit, features) for fit in _ways(centred=True)} if centring else left
    if beside and enough_columns_for(len(left) * features.shape[1], features.ndim - 2):
        chosen = min(left, centred, key=lambda each: next(iter(each.values())))
        return Beside(tuple(fit(features) for fit in chosen))
    left |= centred
    plain, *others = left
    other = min(others, key=left.__getitem__)
    return (other if left[other] < _WORTH * left[plain] else plain)(features)


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

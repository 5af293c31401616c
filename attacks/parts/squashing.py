"""Undo what was done to each value of a channel: squashed against a bound, or stretched."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_KNOTS = 257
_ENTRIES = 1 << 14  # of a table between the knots
_ALMOST = 1 - 2.0**-24  # nearer to a bound, single precision cannot tell values apart


@dataclass(frozen=True, eq=False)
class Ranking:
    """Replace each value by the normal quantile of its rank: undoes a monotone change.

    Not one that spreads values over many orders of magnitude, such as an exponential of large
    values: the smallest of them are no longer told apart.

    Attributes:
        middle: (channels, 1) median of each channel.
        scale: (channels, 1) half of the distance between its quartiles.
        low: (channels, 1) least value, on the scale of :meth:`_even`.
        step: (channels, 1) distance between neighbouring entries of the table, likewise.
        table: (channels, entries) what evenly spaced values map to.
    """

    middle: Tensor
    scale: Tensor
    low: Tensor
    step: Tensor
    table: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
        rows = _even(features.movedim(1, 0).flatten(1), self.middle, self.scale)
        last = self.table.shape[1] - 1
        at = rows.sub_(self.low).div_(self.step).clamp_(0, last)
        left = at.long().clamp_(max=last - 1)
        heights = self.table.gather(1, left)
        heights = heights.lerp_(self.table.gather(1, left + 1), at - left)
        shape = (features.shape[1], features.shape[0], *features.shape[2:])
        return heights.reshape(shape).movedim(0, 1).contiguous()

    @classmethod
    def fit(cls, features: Tensor) -> Ranking:
        """From auxiliary features."""
        rows = features.movedim(1, 0).flatten(1).sort(dim=1).values
        at = torch.linspace(0, rows.shape[1] - 1, _KNOTS).round().long()
        knots = rows[:, at].contiguous()
        quarter = _KNOTS // 4
        middle = knots[:, 2 * quarter, None]
        scale = (knots[:, 3 * quarter, None] - knots[:, quarter, None]) / 2
        size = knots.abs().amax(1, keepdim=True)
        # Where half of all values are the same, what is left of the spread decides.
        scale = torch.where(scale > 1e-6 * size, scale, 0.01 * (knots[:, -1:] - knots[:, :1]))
        scale = torch.where(scale > 0, scale, 1.0)
        knots = _even(knots, middle, scale)
        heights = torch.special.ndtri((torch.arange(_KNOTS) + 0.5) / _KNOTS)
        low, high = knots[:, :1], knots[:, -1:]
        step = ((high - low) / (_ENTRIES - 1)).clamp_min(1e-30)
        # A table of even steps is looked up many times faster than a place among uneven knots.
        values = low + step * torch.arange(_ENTRIES)
        right = torch.searchsorted(knots, values).clamp(1, _KNOTS - 1)
        left, over = knots.gather(1, right - 1), knots.gather(1, right)
        within = ((values - left) / (over - left).clamp_min(1e-30)).clamp(0, 1)
        return cls(middle, scale, low, step, heights[right - 1].lerp(heights[right], within))


def _even(values: Tensor, middle: Tensor, scale: Tensor) -> Tensor:
    """(channels, values), long tails shortened, so that even steps resolve middle and tails."""
    return ((values - middle) / scale).asinh()


@dataclass(frozen=True, eq=False)
class Unsaturating:
    """Stretch what a saturating function pressed against a bound, the same for all channels.

    As if by the hyperbolic tangent; other such functions look alike towards their bounds.

    Attributes:
        bound: the largest size seen.
    """

    bound: float

    def __call__(self, features: Tensor) -> Tensor:
        """Conditioned features; as many samples and positions as given."""
        return (features.double() / self.bound).clamp(-_ALMOST, _ALMOST).atanh().float()

    @classmethod
    def fit(cls, features: Tensor) -> Unsaturating:
        """From auxiliary features."""
        return cls(max(features.abs().max().item(), 1e-30))

"""L-BFGS over many independent problems in one batch.

The well-kept implementations solve one problem: several images stacked into it share one step
length and one curvature, and wait for the worst. Torch's also drops curvature below a fixed 1e-10,
which is all of it where a gradient of a gradient is matched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

Losses = Callable[[Tensor], tuple[Tensor, Tensor]]

_DECREASE, _CURVATURE = 1e-4, 0.9  # Wolfe's conditions as Nocedal and Wright recommend them
_TRIALS = 12
_FIRST = 0.1  # root mean square of the first step


def minimised(losses: Losses, start: Tensor, steps: int, *, history: int = 30) -> Iterator[Tensor]:
    """Lower every row's loss on its own.

    Differs: the line search is the bisection of Lewis and Overton, which needs no interpolation and
    so treats all rows alike. A row that finds no lower loss stays, and forgets its curvature.

    Args:
        losses: (rows, values) to losses (rows,) and slopes (rows, values), in the same precision.
        start: (rows, values).
        steps: iterations; each costs one evaluation of all rows, seldom more.
        history: pairs of step and change of slope that stand for the curvature.

    Yields:
        (rows, values), where each row stands after every step; the start first.
    """
    memory = _Memory(history)
    points = start
    loss, slope = losses(points)
    yield points
    for _ in range(steps):
        direction = memory.direction(slope)
        falls = (slope * direction).sum(1) < 0
        direction = torch.where(falls[:, None], direction, -slope)
        ahead, new_loss, new_slope = _searched(losses, points, loss, slope, direction)
        better = (new_loss < loss) & new_slope.isfinite().all(1)
        row = better[:, None]
        memory.keep(better, ahead - points, new_slope - slope)
        points, slope = torch.where(row, ahead, points), torch.where(row, new_slope, slope)
        loss = torch.where(better, new_loss, loss)
        yield points


def _searched(
    losses: Losses, points: Tensor, loss: Tensor, slope: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Points along a direction where the loss has fallen and the slope has flattened."""
    steep = (slope * direction).sum(1)
    low, length = torch.zeros_like(loss), torch.ones_like(loss)
    high = torch.full_like(loss, torch.inf)
    ahead = points + length[:, None] * direction
    new_loss, new_slope = losses(ahead)
    for _ in range(_TRIALS):
        far = ~(new_loss <= loss + _DECREASE * length * steep)
        near = ~far & ((new_slope * direction).sum(1) < _CURVATURE * steep)
        if not bool((far | near).any()):
            break
        high, low = torch.where(far, length, high), torch.where(near, length, low)
        between = torch.where(high.isinf(), 2 * low, (low + high) / 2)
        length = torch.where(far | near, between, length)
        ahead = points + length[:, None] * direction
        new_loss, new_slope = losses(ahead)
    return ahead, new_loss, new_slope


@dataclass(eq=False)
class _Memory:
    """Recent steps and changes of slope, and the direction they suggest."""

    history: int
    pairs: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    def keep(self, better: Tensor, step: Tensor, change: Tensor) -> None:
        """One more pair; rows that went nowhere forget theirs."""
        bend = (step * change).sum(1)
        useful = better & (bend > 0)
        weight = torch.where(useful, 1 / torch.where(useful, bend, 1.0), 0.0)
        row = useful[:, None]
        self.pairs = [(s, c, torch.where(better, w, 0.0)) for s, c, w in self.pairs]
        self.pairs.append((torch.where(row, step, 0.0), torch.where(row, change, 0.0), weight))
        del self.pairs[: -self.history]

    def direction(self, slope: Tensor) -> Tensor:
        """The two-loop recursion, row by row."""
        size = slope.norm(dim=1).clamp_min(torch.finfo(slope.dtype).tiny)
        scale: Tensor = _FIRST * slope.shape[1] ** 0.5 / size
        towards, shares = slope, []
        for step, change, weight in reversed(self.pairs):
            share = weight * (step * towards).sum(1)
            shares.append(share)
            towards = towards - share[:, None] * change
        for _, change, weight in self.pairs:
            known = weight > 0
            bend = 1 / torch.where(known, weight, 1.0)
            scale = torch.where(known, bend / change.square().sum(1).clamp_min(1e-300), scale)
        towards = scale[:, None] * towards
        for (step, change, weight), share in zip(self.pairs, reversed(shares), strict=True):
            back = weight * (change * towards).sum(1)
            towards = towards + (share - back)[:, None] * step
        return towards.neg()

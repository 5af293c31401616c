"""The loop of every attack that changes a guess until it would have caused what was seen.

What is guessed and what it would cause belong to the attack, as an objective; what is believed of
guesses beforehand (:mod:`.priors`) enters the objective's loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.threat.attack import Checkpoint

from .effort import endings

Objective = Callable[..., tuple[Tensor, Tensor]]
"""The guess, ``turn`` (steps taken so far) and ``rng`` (defenses' randomness, drawn anew) to a
scalar to lower, priors included, and the distance (rows,) from what was seen, without them."""


@dataclass(frozen=True)
class Ending:
    """Where a guess is read: its effort, the steps of the common way, the rates of its own steps.

    Without own steps it is read on the way.
    """

    effort: int
    before: int
    rates: tuple[float, ...] = ()


def cooled(steps: int) -> list[Ending]:
    """A quarter, half and all of the steps, each brought to an end at a falling rate."""
    return [
        Ending(end, until, tuple(1 - step / (end - until) for step in range(end - until)))
        for end, until in endings(steps)
    ]


def on_the_way(steps: int, points: int) -> list[Ending]:
    """So many points, evenly along the steps, and the start."""
    return [Ending(at, at) for at in sorted({round(steps * i / points) for i in range(points + 1)})]


class Descent:
    """A guess on its way.

    Args:
        objective: what is lowered.
        guess: tensors to start from; the first is kept within ``bounds``.
        rates: highest step of each tensor, and of the network.
        network: changed with them, and given to the objective behind them.
        optimiser: from parameter groups.
        bounds: lowest and highest value.
    """

    def __init__(
        self, objective: Objective, guess: Sequence[Tensor], rates: Sequence[float], *,
        network: nn.Module | None = None, optimiser: Callable[[Any], Any] = torch.optim.Adam,
        bounds: tuple[float, float] = (-torch.inf, torch.inf),
    ) -> None:  # fmt: skip
        self._objective, self._network, self._bounds = objective, network, bounds
        self.guess = [each.detach().clone().requires_grad_() for each in guess]
        parts: list[list[Tensor]] = [[each] for each in self.guess]
        if network is not None:
            parts.append(list(network.parameters()))
        groups = [{"params": each, "lr": rate} for each, rate in zip(parts, rates, strict=True)]
        self._parts, self._optimiser = parts, optimiser(groups)
        self._rates = [group["lr"] for group in self._optimiser.param_groups]
        self.misfit, self.taken = torch.zeros(()), 0

    def copy(self) -> Descent:
        """The same from here on, whatever becomes of this one."""
        return copy.deepcopy(self, {id(self._objective): self._objective})

    def step(self, rate: float, rng: Generator, only: slice = slice(None)) -> None:
        """Change the guess, or some parts of it alone, at a share of the highest rates."""
        given = self.guess if self._network is None else [*self.guess, self._network]
        moving = [each for part in self._parts[only] for each in part]

        def closure() -> float:
            loss, now = self._objective(*given, turn=self.taken, rng=rng)
            slopes = torch.autograd.grad(loss, moving, allow_unused=True)
            for each, slope in zip(moving, slopes, strict=True):
                each.grad = slope
            # One step's distance is one draw of a random defense: recent ones count together.
            self.misfit = now.detach() if self.taken == 0 else before.lerp(now.detach(), 0.3)
            return float(loss.detach())

        before = self.misfit
        self._optimiser.zero_grad()
        for group, most in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = most * rate
        self._optimiser.step(closure)
        self.taken += 1
        with torch.no_grad():
            self.guess[0].clamp_(*self._bounds)


def followed(
    descent: Descent, ends: Sequence[Ending], rng: Generator, *,
    rate: Callable[[int], float] | None = None, only: slice = slice(None),
) -> Iterator[tuple[int, Descent]]:  # fmt: skip
    """Efforts spent, each with the guess that they come to.

    Args:
        descent: at its start.
        ends: by rising steps of the common way.
        rng: defenses' randomness.
        rate: share of the highest rates in each step of the common way; None: all of them.
        only: parts of the guess that change on the common way.

    Raises:
        AttackInvalidError: it diverged.
    """
    for ending in ends:
        for step in range(descent.taken, ending.before):
            descent.step(1.0 if rate is None else rate(step), rng, only)
        whole = ending is ends[-1] or not ending.rates
        last = descent if whole else descent.copy()
        # A curve must not change what it is a curve of: on the way, randomness is its own.
        drawn = rng if whole else Generator().manual_seed(rng.initial_seed())
        for share in ending.rates:
            last.step(share, drawn)
        if not bool(torch.isfinite(last.misfit).all()):
            raise AttackInvalidError(
                "what a guess would cause must stay finite",
                found=f"a distance of {last.misfit.max().item()} after {last.taken} steps",
                remedy="lower the attack's learning rate",
            )
        yield ending.effort, last


def nearest(guesses: Tensor, misfit: Tensor, restarts: int) -> Tensor:
    """(rows / restarts, ...): of the restarts of a guess, in a row, the one that matches best."""
    best = misfit.reshape(-1, restarts).argmin(1)
    chosen: Tensor = guesses.detach().unflatten(0, (-1, restarts))[torch.arange(len(best)), best]
    return chosen


def joined(parts: Sequence[Sequence[Checkpoint]]) -> list[Checkpoint]:
    """Curves of some samples each, as one of all."""
    return [
        Checkpoint(points[0].effort, torch.cat([point.values for point in points]))
        for points in zip(*parts, strict=True)
    ]

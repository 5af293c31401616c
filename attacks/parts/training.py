"""Train a network, batch by batch, on what a linear decoder of messages leaves over."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.threat.view import Features

from .decoder import Decoder
from .messages import Messages

_STRUCTURE = 0.5  # weight of lost structure beside absolute error
_AT_ONCE = 32
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class TrainingBudget:
    """How much a decoder may cost.

    Attributes:
        steps: optimiser steps of one task.
        width: channels of the decoder's finest level.
        batch_size: samples per step.
        learning_rate: highest rate; it rises at first and falls in the last quarter of the steps.
    """

    steps: int
    width: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a decoder learns from.

    Attributes:
        messages: those for the auxiliary images, and those to decode.
        images: (n, outputs, *space), what those features came from.
        patients: (n,) owners; some patients are held out to see how far to trust the network.
        altered: (n,), which images are altered copies of others; None where none is.
    """

    messages: Messages
    images: Tensor
    patients: Tensor
    altered: Tensor | None = None

    @property
    def unaltered(self) -> Tensor:
        """(n,), which images are as they were taken."""
        if self.altered is None:
            return torch.ones(len(self.images), dtype=torch.bool)
        return ~self.altered


@dataclass(frozen=True, eq=False)
class DecodingTask:
    """One task: what it reads, and what its linear decoder says.

    Attributes:
        draws: as in :class:`.messages.Messages`, of the task's levels.
        received: likewise.
        estimates: (n, outputs, *space) for each draw, standardised.
        estimate: (m, outputs, *space) for the samples to decode, standardised.
    """

    draws: tuple[Features, ...]
    received: Features
    estimates: list[Tensor]
    estimate: Tensor


@dataclass(frozen=True, eq=False)
class Said:
    """What a linear decoder and a network say together.

    Attributes:
        values: (m, outputs, *space) grey values of the samples to decode.
        share: how far the network is believed, 0 to 1.
        told: share of the images' variance that they tell of held-out patients.
        before: that the linear decoder alone tells of them.
    """

    values: Tensor
    share: float
    told: float
    before: float


@dataclass(eq=False)
class Trainer:
    """Trains a network on what linear decoders leave over, and says what it decodes.

    Attributes:
        data: what it learns from.
        learn: (n,) rows of the samples to learn from.
        held: rows of those that tell how far to trust the network.
        budget: what it may cost.
        typical: (1, outputs, *space), the mean image.
        unit: grey values per standardised value.
        rng: order of the samples, and which draw of the messages is learnt from.
    """

    data: TrainingSet
    learn: Tensor
    held: Tensor
    budget: TrainingBudget
    typical: Tensor
    unit: Tensor
    rng: Generator

    def __post_init__(self) -> None:
        self._batches = _batches(self.learn, self.budget.batch_size, self.rng)

    def image(self, standardised: Tensor) -> Tensor:
        """Grey values."""
        return (self.typical + self.unit * standardised).clamp(0, 1)

    def apart(self) -> Trainer:
        """This trainer with randomness of its own."""
        return replace(self, rng=Generator().manual_seed(self.rng.initial_seed()))

    def step(
        self,
        network: Decoder,
        optimiser: torch.optim.Optimizer,
        task: DecodingTask,
        number: int,
        rate: float,
    ) -> None:
        """One batch of one task, at a share of the learning rate.

        Args:
            network: what learns, in place.
            optimiser: of its weights.
            task: what is read.
            number: of the task, among those that share the network.
            rate: share of the learning rate, 0 to 1.

        Raises:
            AttackInvalidError: the loss is not finite.
        """
        for group in optimiser.param_groups:
            group["lr"] = self.budget.learning_rate * rate
        draw = int(torch.randint(len(task.draws), (), generator=self.rng))
        rows = next(self._batches)
        said = network(_rows(task.draws[draw], rows), task.estimates[draw][rows], number)
        loss = _loss(self.typical + self.unit * said, self.data.images[rows], self.unit)
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "a decoder's loss must stay finite",
                found=loss.item(),
                remedy="lower learning_rate",
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def finished(
        self,
        network: Decoder,
        optimiser: torch.optim.Optimizer,
        task: DecodingTask,
        number: int,
        steps: int,
    ) -> Said:
        """What a copy of a network says of one task after its last steps, at a falling rate.

        Arguments as for :meth:`step`, and how many steps are left.
        """
        own = copy.deepcopy(network)
        last = optimiser_of(own)
        last.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        for step in range(steps):
            self.step(own, last, task, number, 1 - step / steps)
        return self.said(own, task, number)

    def said(self, network: Decoder, task: DecodingTask, number: int) -> Said:
        """The samples to decode, trusting the network as far as held-out patients advise.

        They are few, and tell whether to believe the network, and how far; to pick the step by them
        as well would be to pick a stroke of luck.
        """
        start = task.estimates[0][self.held]
        tried = self._answers(network, _rows(task.draws[0], self.held), start, number)
        truth = self.data.images[self.held]
        share = min(tried, key=lambda each: _distance(tried[each], truth))
        variance = (truth - self.typical).square().mean().clamp_min(1e-30)
        told = {
            each: 1 - float((tried[each] - truth).square().mean() / variance)
            for each in (share, 0.0)
        }
        values = self._answers(network, task.received, task.estimate, number)[share]
        return Said(values, share, told[share], told[0.0])

    def _answers(
        self, network: Decoder, features: Features, start: Tensor, number: int
    ) -> dict[float, Tensor]:
        """What linear decoder and network say together, for several shares of the latter."""
        network.eval()
        parts = torch.arange(len(start)).split(_AT_ONCE)
        with torch.no_grad():
            learnt = torch.cat(
                [network(_rows(features, part), start[part], number) for part in parts]
            )
        network.train()
        return {share: self.image(start + share * (learnt - start)) for share in _SHARES}


def _distance(guess: Tensor, truth: Tensor) -> float:
    """What is compared on held-out patients: absolute error and lost structure alike."""
    return (guess - truth).abs().mean().item() + _STRUCTURE * _structure_lost(guess, truth).item()


def _loss(guess: Tensor, truth: Tensor, unit: Tensor) -> Tensor:
    return ((guess - truth).abs().mean() + _STRUCTURE * _structure_lost(guess, truth)) / unit


def _structure_lost(guess: Tensor, truth: Tensor) -> Tensor:
    """One minus SSIM with a flat window of 7: smooth enough to learn from, cheap to compute."""
    space = truth.shape[2:]
    side = min(7, *space)
    pool: Callable[..., Tensor] = (
        nn.functional.avg_pool2d if len(space) == 2 else nn.functional.avg_pool3d
    )
    mean_a, mean_b = pool(guess, side, 1), pool(truth, side, 1)
    var_a = pool(guess * guess, side, 1) - mean_a.square()
    var_b = pool(truth * truth, side, 1) - mean_b.square()
    shared = pool(guess * truth, side, 1) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    likeness = ((2 * mean_a * mean_b + c1) * (2 * shared + c2)) / (
        (mean_a.square() + mean_b.square() + c1) * (var_a + var_b + c2)
    )
    return 1 - likeness.mean()


def optimiser_of(network: Decoder) -> torch.optim.Optimizer:
    """AdamW as decoders are trained with; the trainer sets the rate of every step."""
    return torch.optim.AdamW(network.parameters(), weight_decay=1e-2, betas=(0.9, 0.98), fused=True)


def _batches(rows: Tensor, size: int, rng: Generator) -> Iterator[Tensor]:
    """Endless batches, every sample once per pass."""
    size = min(size, len(rows))
    while True:
        order = rows[torch.randperm(len(rows), generator=rng)]
        yield from order[: len(order) // size * size].split(size)


def _rows(features: Features, rows: Tensor) -> Features:
    return {level: tensor[rows] for level, tensor in features.items()}

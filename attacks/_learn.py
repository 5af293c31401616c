"""Learn a decoder on auxiliary patients: linear first, then what the linear one leaves over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.view import Features

from ._conditioning import by_patient
from ._decoder import Decoder
from ._linear import LinearFit, fit_linear
from ._releases import Releases

_FOLDS = 4
_STRUCTURE = 0.5  # weight of lost structure beside absolute error
_CHECKPOINTS = 5
_HELD_OUT = 0.2
_AT_ONCE = 32
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Budget:
    """How much a decoder may cost.

    Attributes:
        steps: optimiser steps.
        width: channels of the decoder's finest level.
        batch_size: samples per step.
        learning_rate: highest rate of the cosine schedule.
    """

    steps: int
    width: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a decoder learns from.

    Attributes:
        known: messages for the auxiliary images, and those to decode.
        images: (n, outputs, *space), what those features came from.
        patients: (n,) owners; some patients are held out to see how far to trust the network.
        altered: (n,), which images are altered copies of others; None where none is.
    """

    known: Releases
    images: Tensor
    patients: Tensor
    altered: Tensor | None = None

    @property
    def unaltered(self) -> Tensor:
        """(n,), which images are as they were taken."""
        if self.altered is None:
            return torch.ones(len(self.images), dtype=torch.bool)
        return ~self.altered


def hold_out(patients: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Split samples by patient into those to learn from and those to check by.

    With a single patient nothing can be held out: both are all samples.
    """
    owners = torch.unique(patients)
    if len(owners) < 2:
        every = torch.arange(len(patients))
        return every, every
    count = max(1, round(_HELD_OUT * len(owners)))
    held = owners[torch.randperm(len(owners), generator=rng)[:count]]
    kept = torch.isin(patients, held)
    return (~kept).nonzero()[:, 0], kept.nonzero()[:, 0]


def decode(lesson: Lesson, budget: Budget, rng: Generator) -> Guess:
    """Learn a decoder and apply it; the guess carries the effort curve.

    Args:
        lesson: auxiliary features and images, and the features to decode.
        budget: what it may cost.
        rng: order of the samples, and which patients are held out.
    """
    draws, received = lesson.known.draws, lesson.known.received
    level, fit = _best_linear(lesson, by_patient(lesson.patients, _FOLDS, rng), rng)
    learn, held = hold_out(lesson.patients, rng)
    # What is attacked is unaltered: so is what the network is checked by.
    held = held[lesson.unaltered[held]]
    typical = lesson.images[learn[lesson.unaltered[learn]]].mean(0, keepdim=True)
    unit = (lesson.images - typical).std().clamp_min(1e-6)
    # Out of fold on the first draw: a linear decoder's own samples look easier than a victim's.
    first = [fit.unseen, *(fit.decoder(features[level]) for features in draws[1:])]
    estimates = [(each - typical) / unit for each in first]
    estimate = (fit.decoder(received[level]) - typical) / unit

    network = Decoder(
        {each: features.shape[1] for each, features in received.items()},
        tuple(lesson.images.shape[2:]),
        lesson.images.shape[1],
        budget.width,
    )
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2, betas=(0.9, 0.98))

    def image(standardised: Tensor) -> Tensor:
        return (typical + unit * standardised).clamp(0, 1)

    def answers(features: Features, start: Tensor) -> dict[float, Tensor]:
        """What linear decoder and network say together, for several shares of the latter."""
        network.eval()
        parts = torch.arange(len(start)).split(_AT_ONCE)
        with torch.no_grad():
            learnt = torch.cat([network(_rows(features, part), start[part]) for part in parts])
        network.train()
        return {share: image(start + share * (learnt - start)) for share in _SHARES}

    held_draw, held_start = _rows(draws[0], held), estimates[0][held]
    trail = [Checkpoint(0, image(estimate))]
    stops = {round(budget.steps * (part + 1) / _CHECKPOINTS) for part in range(_CHECKPOINTS)}
    batches = _batches(learn, budget.batch_size, rng)
    for step in range(1, budget.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = budget.learning_rate * _schedule((step - 1) / budget.steps)
        draw = int(torch.randint(len(draws), (), generator=rng))
        rows = next(batches)
        said = network(_rows(draws[draw], rows), estimates[draw][rows])
        loss = _loss(typical + unit * said, lesson.images[rows], unit)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step not in stops:
            continue
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "a decoder's loss must stay finite",
                found=f"{loss.item()} after {step} steps",
                remedy="lower learning_rate",
            )
        # Few patients are held out. They tell whether to believe the network, and how far; to pick
        # the step by them as well would be to pick a stroke of luck.
        tried = answers(held_draw, held_start)
        share = min(tried, key=lambda each: _distance(tried[each], lesson.images[held]))
        trail.append(Checkpoint(step, answers(received, estimate)[share]))
    return Guess(values=trail[-1].values, effort=budget.steps, trail=tuple(trail[:-1]))


def _best_linear(lesson: Lesson, folds: Sequence[Tensor], rng: Generator) -> tuple[int, LinearFit]:
    """The level from which a linear decoder reads most."""
    typical = lesson.images[lesson.unaltered].mean(0, keepdim=True)
    fits = []
    for level, features in lesson.known.draws[0].items():
        base = typical if level in lesson.known.centred else torch.zeros_like(typical)
        fits.append((level, fit_linear(features, lesson.images, base, 2**level, folds, rng)))
    return min(fits, key=lambda each: each[1].error)


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


def _schedule(progress: float) -> float:
    """A short warm-up, then a cosine down to nothing."""
    warm = 0.1
    if progress < warm:
        return (progress + 0.01) / (warm + 0.01)
    return 0.5 + 0.5 * float(torch.cos(torch.tensor(torch.pi * (progress - warm) / (1 - warm))))


def _batches(rows: Tensor, size: int, rng: Generator) -> Iterator[Tensor]:
    """Endless batches, every sample once per pass."""
    size = min(size, len(rows))
    while True:
        order = rows[torch.randperm(len(rows), generator=rng)]
        yield from order[: len(order) // size * size].split(size)


def _rows(features: Features, rows: Tensor) -> Features:
    return {level: tensor[rows] for level, tensor in features.items()}

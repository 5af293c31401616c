"""Learn a decoder on auxiliary patients: linear first, then what the linear one leaves over."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
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
_CHECKED = 48  # held-out samples at most: enough to choose one of five shares
_FURTHER = 0.25  # steps of a further task that shares a network, over those of one alone
_BEGUN = 0.6  # of the steps, where the network of another victim is there to begin from
_TOGETHER = 0.75  # of a task's steps that are taken in turn with the others'
_AT_ONCE = 32
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Budget:
    """How much a decoder may cost.

    Attributes:
        steps: optimiser steps of one task.
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
    """Learn one decoder, of all levels that were sent: :func:`decode_all` with a single task."""
    (guess,), _ = decode_all(lesson, [tuple(lesson.known.received)], budget, rng)
    return guess


def decode_all(
    lesson: Lesson,
    tasks: Sequence[Sequence[int]],
    budget: Budget,
    rng: Generator,
    before: Decoder | None = None,
) -> tuple[list[Guess], Decoder]:
    """Learn decoders of one victim's messages and apply them; guesses carry the effort curve.

    Tasks that read different levels of the same messages have linear decoders of their own. They
    share a network that learns them in turn, and each finishes with a copy of its own: how an image
    is put together does not depend on which level it is read from, nor much on whose it is, so a
    task among several needs a fraction of the steps.

    Args:
        lesson: auxiliary features and images, and the features to decode.
        tasks: levels that are read, one guess for each.
        budget: what it may cost.
        rng: order of the samples, and which patients are held out.
        before: the network of an earlier victim, to begin from.

    Returns:
        A guess per task, its effort counted in steps of the network behind it; and the network
        that the tasks share.
    """
    fits = _linear_fits(lesson, tasks, by_patient(lesson.patients, _FOLDS, rng), rng)
    learn, held = hold_out(lesson.patients, rng)
    # What is attacked is unaltered: so is what the network is checked by.
    held = held[lesson.unaltered[held]]
    held = held[torch.randperm(len(held), generator=rng)[:_CHECKED]]
    typical = lesson.images[learn[lesson.unaltered[learn]]].mean(0, keepdim=True)
    unit = (lesson.images - typical).std().clamp_min(1e-6)
    heads = [_Head.of(lesson, levels, fits, typical, unit) for levels in tasks]
    network = Decoder(
        {
            each: features.shape[1] // lesson.known.ways.get(each, 1)
            for each, features in lesson.known.received.items()
        },
        tuple(lesson.images.shape[2:]),
        lesson.images.shape[1],
        budget.width,
        len(tasks),
    )
    course = _Course(lesson, learn, held, budget, typical, unit, rng)
    if before is not None:
        network.begin_from(before)
    part = (1 + _FURTHER * (len(tasks) - 1)) / len(tasks) * (1.0 if before is None else _BEGUN)
    each = max(1, round(budget.steps * part))
    shared = round(_TOGETHER * each) if len(tasks) > 1 else 0
    stops = {max(1, round(each * (number + 1) / _CHECKPOINTS)) for number in range(_CHECKPOINTS)}
    trails = [[Checkpoint(0, course.image(head.estimate))] for head in heads]

    def taught(
        network: Decoder, optimiser: torch.optim.Optimizer, chosen: Sequence[int], rounds: range
    ) -> None:
        for done in rounds:
            for task in chosen:
                course.step(network, optimiser, heads[task], task, done / each)
            if done + 1 in stops:
                steps = min(done + 1, shared) * len(tasks) + max(0, done + 1 - shared)
                for task in chosen:
                    trails[task].append(Checkpoint(steps, course.said(network, heads[task], task)))

    optimiser = _optimiser(network)
    taught(network, optimiser, range(len(tasks)), range(shared))
    for task in range(len(tasks)):
        own = copy.deepcopy(network)
        finishing = _optimiser(own)
        finishing.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        taught(own, finishing, [task], range(shared, each))
    guesses = [Guess(trail[-1].values, trail[-1].effort, tuple(trail[:-1])) for trail in trails]
    return guesses, network


@dataclass(eq=False)
class _Course:
    """How a network is taught what linear decoders leave over, and asked what it says."""

    lesson: Lesson
    learn: Tensor
    held: Tensor
    budget: Budget
    typical: Tensor
    unit: Tensor
    rng: Generator

    def __post_init__(self) -> None:
        self._batches = _batches(self.learn, self.budget.batch_size, self.rng)

    def image(self, standardised: Tensor) -> Tensor:
        """Grey values."""
        return (self.typical + self.unit * standardised).clamp(0, 1)

    def step(
        self,
        network: Decoder,
        optimiser: torch.optim.Optimizer,
        head: _Head,
        task: int,
        progress: float,
    ) -> None:
        """One batch of one task."""
        for group in optimiser.param_groups:
            group["lr"] = self.budget.learning_rate * _schedule(progress)
        draw = int(torch.randint(len(head.draws), (), generator=self.rng))
        rows = next(self._batches)
        said = network(_rows(head.draws[draw], rows), head.estimates[draw][rows], task)
        loss = _loss(self.typical + self.unit * said, self.lesson.images[rows], self.unit)
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "a decoder's loss must stay finite",
                found=loss.item(),
                remedy="lower learning_rate",
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def said(self, network: Decoder, head: _Head, task: int) -> Tensor:
        """The samples to decode, trusting the network as far as held-out patients advise.

        They are few, and tell whether to believe the network, and how far; to pick the step by them
        as well would be to pick a stroke of luck.
        """
        start = head.estimates[0][self.held]
        tried = self._answers(network, _rows(head.draws[0], self.held), start, task)
        truth = self.lesson.images[self.held]
        share = min(tried, key=lambda each: _distance(tried[each], truth))
        return self._answers(network, head.received, head.estimate, task)[share]

    def _answers(
        self, network: Decoder, features: Features, start: Tensor, task: int
    ) -> dict[float, Tensor]:
        """What linear decoder and network say together, for several shares of the latter."""
        network.eval()
        parts = torch.arange(len(start)).split(_AT_ONCE)
        with torch.no_grad():
            learnt = torch.cat(
                [network(_rows(features, part), start[part], task) for part in parts]
            )
        network.train()
        return {share: self.image(start + share * (learnt - start)) for share in _SHARES}


@dataclass(frozen=True, eq=False)
class _Head:
    """One task: what it reads, and what its linear decoder says.

    Attributes:
        draws: as in :class:`Releases`, of the task's levels.
        received: likewise.
        estimates: (n, outputs, *space) for each draw, standardised.
        estimate: (m, outputs, *space) for the samples to decode, standardised.
    """

    draws: tuple[Features, ...]
    received: Features
    estimates: list[Tensor]
    estimate: Tensor

    @classmethod
    def of(
        cls,
        lesson: Lesson,
        levels: Sequence[int],
        fits: Mapping[int, LinearFit],
        typical: Tensor,
        unit: Tensor,
    ) -> _Head:
        """Of the level from which a linear decoder reads most."""
        known = lesson.known.only(levels)
        level = min(levels, key=lambda each: fits[each].error)
        fit = fits[level]
        # Out of fold on the first draw: a linear decoder's own samples look easier than a victim's.
        first = [fit.unseen, *(fit.decoder(draw[level]) for draw in known.draws[1:])]
        ways = {each: (fits[each].way, known.ways.get(each, 1)) for each in levels}
        return cls(
            tuple(_one_way(draw, ways) for draw in known.draws),
            _one_way(known.received, ways),
            [(each - typical) / unit for each in first],
            (fit.decoder(known.received[level]) - typical) / unit,
        )


def _linear_fits(
    lesson: Lesson, tasks: Sequence[Sequence[int]], folds: Sequence[Tensor], rng: Generator
) -> dict[int, LinearFit]:
    """A linear decoder of every level that some task reads; fitted once."""
    typical = lesson.images[lesson.unaltered].mean(0, keepdim=True)
    fits = {}
    for level in sorted({level for levels in tasks for level in levels}):
        features = lesson.known.draws[0][level]
        base = typical if level in lesson.known.centred else torch.zeros_like(typical)
        ways = lesson.known.ways.get(level, 1)
        fits[level] = fit_linear(features, lesson.images, base, 2**level, folds, rng, ways)
    return fits


def _one_way(features: Features, ways: Mapping[int, tuple[int, int]]) -> Features:
    """The channels in one of several ways: level to (which, of how many)."""
    return {level: features[level].chunk(many, dim=1)[way] for level, (way, many) in ways.items()}


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


def _optimiser(network: Decoder) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), weight_decay=1e-2, betas=(0.9, 0.98), fused=True)


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

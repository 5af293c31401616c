"""Learn a decoder on auxiliary patients: linear first, then what the linear one leaves over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from leakaudit.threat.attack import Checkpoint, Guess, WayTried
from leakaudit.threat.view import Features

from .blocks import strides
from .conditioning import by_patient
from .decoder import Decoder
from .effort import endings
from .linear import LinearFit, fit_linear
from .training import DecodingTask, Said, Trainer, TrainingBudget, TrainingSet, optimiser_of
from .whole import blended, fit_whole

_FOLDS = 4
_WARMING = 0.1  # of the steps: the first ones, at a rising rate
_HELD_OUT = 0.2
_CHECKED = 48  # held-out samples at most: enough to choose one of five shares
_FURTHER = 0.25  # steps of a further task that shares a network, over those of one alone
_NEAR = "linear, around each position"
_WHOLE = "linear, of whole messages"
_WEIGHED = "both linear, weighed"
_HELD = "linear, of patients held out"
_NETWORK = "with a network beside, of the same patients"
_BEGUN = 0.65  # of the steps, where the network of another victim is there to begin from


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


def decode(data: TrainingSet, budget: TrainingBudget, rng: Generator) -> Guess:
    """Learn one decoder, of all levels that were sent: :func:`decode_all` with a single task."""
    (guess,), _ = decode_all(data, [tuple(data.messages.received)], budget, rng)
    return guess


def decode_all(
    data: TrainingSet,
    tasks: Sequence[Sequence[int]],
    budget: TrainingBudget,
    rng: Generator,
    before: Decoder | None = None,
) -> tuple[list[Guess], Decoder]:
    """Learn decoders of one victim's messages and apply them; guesses carry the effort curve.

    Tasks that read different levels of the same messages have linear decoders of their own. They
    share a network that learns them in turn, and each finishes with a copy of its own: how an image
    is put together does not depend on which level it is read from, nor much on whose it is, so a
    task among several needs a fraction of the steps.

    Args:
        data: auxiliary features and images, and the features to decode.
        tasks: levels that are read, one guess for each.
        budget: what it may cost.
        rng: order of the samples, and which patients are held out.
        before: the network of an earlier victim, to begin from.

    Returns:
        A guess per task, its effort counted in steps of the network behind it; and the network
        that the tasks share.
    """
    fits = linear_fits(data, tasks, by_patient(data.patients, _FOLDS, rng), rng)
    learn, held = hold_out(data.patients, rng)
    # What is attacked is unaltered: so is what the network is checked by.
    held = held[data.unaltered[held]]
    held = held[torch.randperm(len(held), generator=rng)[:_CHECKED]]
    typical = data.images[learn[data.unaltered[learn]]].mean(0, keepdim=True)
    unit = (data.images - typical).std().clamp_min(1e-6)
    reading = [_task(data, levels, fits, typical, unit) for levels in tasks]
    network = Decoder(
        {
            each: (features.shape[1] // data.messages.ways.get(each, 1), *features.shape[2:])
            for each, features in data.messages.received.items()
        },
        tuple(data.images.shape[2:]),
        data.images.shape[1],
        budget.width,
        len(tasks),
    )
    trainer = Trainer(data, learn, held, budget, typical, unit, rng)
    if before is not None:
        network.begin_from(before)
    part = (1 + _FURTHER * (len(tasks) - 1)) / len(tasks) * (1.0 if before is None else _BEGUN)
    trails, said = _taught(trainer, network, reading, max(1, round(budget.steps * part)))
    guesses = [
        Guess(
            trail[-1].values, trail[-1].effort, tuple(trail[:-1]),
            ways=tuple(_ways(data, levels, fits, answer)),
        )
        for levels, trail, answer in zip(tasks, trails, said, strict=True)
    ]  # fmt: skip
    return guesses, network


def _ways(
    data: TrainingSet, levels: Sequence[int], fits: Mapping[int, LinearFit], said: Said
) -> Iterator[WayTried]:
    """What the decoders of each level told, and the network of several levels or of one."""
    variance = (data.images - data.images.mean(0)).square().mean().clamp_min(1e-30).item()
    best = min(levels, key=lambda each: fits[each].error)
    for level in levels:
        for name, error in fits[level].parts:
            yield WayTried((level,), "decoder", name, 1 - error / variance)
        told = 1 - fits[level].error / variance
        yield WayTried((level,), "decoder", _WEIGHED, told, used=level == best)
    own = tuple(levels)
    yield WayTried(own, "decoder", _HELD, said.before)
    yield WayTried(own, "decoder", _NETWORK, said.told, used=said.share > 0)


def _taught(
    trainer: Trainer, network: Decoder, tasks: Sequence[DecodingTask], rounds: int
) -> tuple[list[list[Checkpoint]], list[Said]]:
    """For each task what its linear decoder says, then with a network that ends early, and late.

    Tasks learn in turn while the rate is full, and part to end. Beside these, what each said last.
    """
    optimiser = optimiser_of(network)
    trails = [[Checkpoint(0, trainer.image(task.estimate))] for task in tasks]
    done = 0
    for end, until in endings(rounds):
        for step in range(done, until):
            rate = min(1.0, (step + 1) / (_WARMING * rounds))
            for number, task in enumerate(tasks):
                trainer.step(network, optimiser, task, number, rate)
        done, alone = until, end - until
        # A curve must not change what it is a curve of: on the way, randomness is its own.
        here = trainer if end == rounds else trainer.apart()
        last = [
            here.finished(network, optimiser, task, number, alone)
            for number, task in enumerate(tasks)
        ]
        for trail, said in zip(trails, last, strict=True):
            trail.append(Checkpoint(done * len(tasks) + alone, said.values))
    return trails, last


def linear_fits(
    data: TrainingSet, tasks: Sequence[Sequence[int]], folds: Sequence[Tensor], rng: Generator
) -> dict[int, LinearFit]:
    """What linear maps say of every level that some task reads; fitted once.

    One looks around each position, one at whole messages at once.

    Args:
        data: auxiliary features and images.
        tasks: levels that are read.
        folds: rows of each fold; no patient in two.
        rng: draws positions where there are more than enough.
    """
    typical = data.images[data.unaltered].mean(0, keepdim=True)
    fits = {}
    for level in sorted({level for levels in tasks for level in levels}):
        features = data.messages.draws[0][level]
        base = typical if level in data.messages.centred else torch.zeros_like(typical)
        ways = data.messages.ways.get(level, 1)
        factor = strides(data.images.shape[2:], features.shape[2:])
        near = fit_linear(features, data.images, base, factor, folds, rng, ways)
        fits[level] = near
        if len(folds) > 1:
            far = fit_whole(features, data.images, folds, ways)
            both = blended([near, far], data.images, data.unaltered)
            fits[level] = replace(both, parts=((_NEAR, near.error), (_WHOLE, far.error)))
    return fits


def _task(
    data: TrainingSet,
    levels: Sequence[int],
    fits: Mapping[int, LinearFit],
    typical: Tensor,
    unit: Tensor,
) -> DecodingTask:
    """What reads some levels, from the one of which a linear decoder reads most."""
    known = data.messages.only(levels)
    level = min(levels, key=lambda each: fits[each].error)
    fit = fits[level]
    # Out of fold on the first draw: a linear decoder's own samples look easier than a victim's.
    first = [fit.unseen, *(fit.decoder(draw[level]) for draw in known.draws[1:])]
    ways = {each: (fits[each].way, known.ways.get(each, 1)) for each in levels}
    return DecodingTask(
        tuple(_one_way(draw, ways) for draw in known.draws),
        _one_way(known.received, ways),
        [(each - typical) / unit for each in first],
        (fit.decoder(known.received[level]) - typical) / unit,
    )


def _one_way(features: Features, ways: Mapping[int, tuple[int, int]]) -> Features:
    """The channels in one of several ways: level to (which, of how many)."""
    return {level: features[level].chunk(many, dim=1)[way] for level, (way, many) in ways.items()}

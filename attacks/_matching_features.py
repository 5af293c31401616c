"""Optimise images until the features they would cause match those that were sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint
from leakaudit.threat.view import Features

Encode = Callable[[Tensor, Generator], Features]

_CHECKPOINTS = 5


@dataclass(frozen=True)
class MatchingBudget:
    """How much matching may cost.

    Attributes:
        steps: optimiser steps per image and restart.
        restarts: starting points per image; the one whose features match best is kept.
        learning_rate: highest step, in grey values.
        total_variation: weight of the mean difference between neighbouring pixels.
        at_once: images optimised in one batch, restarts included.
    """

    steps: int
    restarts: int
    learning_rate: float
    total_variation: float
    at_once: int


@dataclass(frozen=True, eq=False)
class Release:
    """One recorded epoch: the encoder as it was, and what it sent.

    Attributes:
        encode: images and randomness to level to features; differentiable.
        sent: level to (n, channels, *grid).
    """

    encode: Encode
    sent: Features


def match(
    releases: Sequence[Release],
    start: Callable[[int], Tensor],
    budget: MatchingBudget,
    rng: Generator,
) -> list[Checkpoint]:
    """Images of all samples, on the way and at the end.

    Every step looks at one release, in turn, and draws the defense's randomness anew: over the
    steps the image fits the expectation over both.

    Args:
        releases: what was sent, in one epoch or several.
        start: restart number to (n, modalities, *space) in [0, 1].
        budget: what it may cost.
        rng: the defenses' randomness as the adversary redraws it.

    Raises:
        NotMountableError: no gradient comes back through the encoder.
        AttackInvalidError: the features' distance is not finite.
    """
    samples = len(next(iter(releases[0].sent.values())))
    starts = torch.stack([start(number) for number in range(budget.restarts)], dim=1)
    size = max(1, budget.at_once // budget.restarts)
    parts = [
        _match_rows(releases, starts[rows], rows, budget, rng)
        for rows in torch.arange(samples).split(size)
    ]
    return [
        Checkpoint(points[0].effort, torch.cat([point.values for point in points]))
        for points in zip(*parts, strict=True)
    ]


def _match_rows(
    releases: Sequence[Release],
    starts: Tensor,
    rows: Tensor,
    budget: MatchingBudget,
    rng: Generator,
) -> list[Checkpoint]:
    restarts = starts.shape[1]
    images = starts.flatten(0, 1).clone().requires_grad_()
    owner = rows.repeat_interleave(restarts)
    wanted = [
        {level: tensor[owner] for level, tensor in release.sent.items()} for release in releases
    ]
    spreads = [
        {level: _spread(tensor) for level, tensor in release.sent.items()} for release in releases
    ]
    optimiser = torch.optim.Adam([images], lr=budget.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.steps)
    stops = {round(budget.steps * (part + 1) / _CHECKPOINTS) for part in range(_CHECKPOINTS)}
    recent = torch.zeros(len(images))
    points = []
    for step in range(1, budget.steps + 1):
        turn = step % len(releases)
        features = releases[turn].encode(images, rng)
        misfit = torch.zeros(len(images))
        for level, target in wanted[turn].items():
            gap = (features[level] - target) / spreads[turn][level]
            misfit = misfit + gap.flatten(1).square().mean(1)
        if step == 1 and not _pulls(misfit, images):
            raise NotMountableError(
                "matching features needs an encoder that can be differentiated",
                found="a defense through which no gradient comes back",
                remedy="mount decoder-inversion, which needs queries alone",
            )
        loss = misfit.sum() + budget.total_variation * _roughness(images).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            images.clamp_(0, 1)
        recent = misfit.detach() if step == 1 else recent.lerp(misfit.detach(), 0.3)
        if step in stops:
            if not bool(torch.isfinite(recent).all()):
                raise AttackInvalidError(
                    "features of a guess must stay finite",
                    found=f"a distance of {recent.max().item()} after {step} steps",
                    remedy="lower learning_rate",
                )
            best = recent.reshape(-1, restarts).argmin(1)
            grouped = images.detach().unflatten(0, (-1, restarts))
            points.append(Checkpoint(step, grouped[torch.arange(len(rows)), best].clone()))
    return points


def _pulls(misfit: Tensor, images: Tensor) -> bool:
    """Whether what is left of the distance tells how to change the images."""
    if not misfit.requires_grad:
        return False
    (pull,) = torch.autograd.grad(misfit.sum(), images, retain_graph=True, allow_unused=True)
    return pull is not None and (bool(pull.any()) or not bool(misfit.any()))


def _spread(features: Tensor) -> Tensor:
    """(1, channels, *ones): differences are judged channel by channel, however it was scaled."""
    axes = (0, *range(2, features.ndim))
    return features.std(axes, keepdim=True).clamp_min(1e-3 * features.std() + 1e-30)


def _roughness(images: Tensor) -> Tensor:
    """(n,) mean absolute difference between neighbours along every axis."""
    total = torch.zeros(len(images))
    for axis in range(2, images.ndim):
        total = total + images.diff(dim=axis).abs().flatten(1).mean(1)
    return total

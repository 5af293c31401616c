"""Optimise images until the features they would cause match those that were sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint
from leakaudit.threat.view import Features

from ..parts.descent import Descent, cooled, followed, joined, nearest
from ..parts.priors import UsualImages, total_variation

_LEAST_WARRANTED = 1e-5  # where nothing is drawn, only what no feature shows is made usual

Encode = Callable[[Tensor, Generator], Features]


@dataclass(frozen=True)
class MatchingBudget:
    """How much matching may cost.

    Attributes:
        steps: optimiser steps per image and restart.
        restarts: starting points per image; the one whose features match best is kept.
        learning_rate: highest step, in grey values.
        total_variation: weight of the mean difference between neighbouring pixels.
        usual_images: weight of how unusual an image is, in units of what noise warrants.
        at_once: images optimised in one batch, restarts included.
    """

    steps: int
    restarts: int
    learning_rate: float
    total_variation: float
    usual_images: float
    at_once: int


@dataclass(frozen=True, eq=False)
class RecordedEpoch:
    """One recorded epoch: the encoder as it was, and what it sent.

    Attributes:
        encode: images and randomness to level to features; differentiable.
        sent: level to (n, channels, *grid).
    """

    encode: Encode
    sent: Features


def match(
    releases: Sequence[RecordedEpoch],
    start: Callable[[int], Tensor],
    budget: MatchingBudget,
    rng: Generator,
    usual: UsualImages | None = None,
) -> list[Checkpoint]:
    """Images of all samples, on the way and at the end.

    Every step looks at one release, in turn, and draws the defense's randomness anew: over the
    steps the image fits the expectation over both.

    Args:
        releases: what was sent, in one epoch or several.
        start: restart number to (n, modalities, *space) in [0, 1].
        budget: what it may cost.
        rng: the defenses' randomness as the adversary redraws it.
        usual: what images are usually like; None where the adversary knows none.

    Raises:
        NotMountableError: no gradient comes back through the encoder.
        AttackInvalidError: the features' distance is not finite.
    """
    samples = len(next(iter(releases[0].sent.values())))
    starts = torch.stack([start(number) for number in range(budget.restarts)], dim=1)
    size = max(1, budget.at_once // budget.restarts)
    prior = None
    if usual is not None:
        warranted = max(_warranted(releases, starts[: budget.at_once, 0], rng), _LEAST_WARRANTED)
        prior = _Prior(usual, budget.usual_images * warranted)
    parts = []
    for rows in torch.arange(samples).split(size):
        objective = _Features(releases, rows, budget, prior)
        descent = Descent(
            objective, [starts[rows].flatten(0, 1)], [budget.learning_rate], bounds=(0, 1)
        )
        parts.append(
            [
                Checkpoint(effort, nearest(last.guess[0], last.misfit, budget.restarts))
                for effort, last in followed(descent, cooled(budget.steps), rng)
            ]
        )
    return joined(parts)


@dataclass(frozen=True, eq=False)
class _Prior:
    """What to believe of an image, and how much against features of unit spread."""

    usual: UsualImages
    weight: float


class _Features:
    """How far the features of some images are from those that were sent."""

    def __init__(
        self,
        releases: Sequence[RecordedEpoch],
        rows: Tensor,
        budget: MatchingBudget,
        prior: _Prior | None,
    ) -> None:
        self._releases, self._budget, self._prior = releases, budget, prior
        owner = rows.repeat_interleave(budget.restarts)
        self._wanted = [
            {level: tensor[owner] for level, tensor in each.sent.items()} for each in releases
        ]
        self._spreads = [
            {level: _spread(tensor) for level, tensor in each.sent.items()} for each in releases
        ]

    def __call__(self, images: Tensor, *, turn: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Loss, and squared distance by image, of the release whose turn it is."""
        number = (turn + 1) % len(self._releases)
        features = self._releases[number].encode(images, rng)
        misfit = torch.zeros(len(images))
        for level, target in self._wanted[number].items():
            gap = (features[level] - target) / self._spreads[number][level]
            misfit = misfit + gap.flatten(1).square().mean(1)
        if turn == 0 and not _pulls(misfit, images):
            raise NotMountableError(
                "matching features needs an encoder that can be differentiated",
                found="a defense through which no gradient comes back",
                remedy="mount decoder-inversion, which needs queries alone",
            )
        loss = misfit.sum() + self._budget.total_variation * total_variation(images).sum()
        if self._prior is not None:
            loss = loss + self._prior.weight * self._prior.usual(images).sum()
        return loss, misfit


def _pulls(misfit: Tensor, images: Tensor) -> bool:
    """Whether what is left of the distance tells how to change the images."""
    if not misfit.requires_grad:
        return False
    (pull,) = torch.autograd.grad(misfit.sum(), images, retain_graph=True, allow_unused=True)
    return pull is not None and (bool(pull.any()) or not bool(misfit.any()))


def _warranted(releases: Sequence[RecordedEpoch], images: Tensor, rng: Generator) -> float:
    """Weight of the prior's energy beside the features' distance.

    Were features linear in the image and everything normally distributed, the two together would be
    the posterior's logarithm: per release, the variance of what a defense draws, in units of the
    features' spread, times values of an image per value of a feature. Levels count alike in the
    distance, so they do here.

    Raises:
        AttackInvalidError: what would be sent is not finite.
    """
    total = 0.0
    with torch.no_grad():
        for release in releases:
            first, second = release.encode(images, rng), release.encode(images, rng)
            for level, sent in release.sent.items():
                gap = (first[level] - second[level]) / _spread(sent)
                if not bool(torch.isfinite(gap).all()):
                    raise AttackInvalidError(
                        "what an encoder would send must be finite",
                        found=f"infinite or undefined values at level {level}",
                        remedy="attack another epoch, or mount decoder-inversion",
                    )
                # Of a channel that varied more than what was sent, nothing is left but noise.
                drawn = gap.square().mean((0, *range(2, gap.ndim))).div(2).clamp_max(1).mean()
                share = images[0].numel() / gap[0].numel()
                total += drawn.item() * share / len(release.sent)
    return total / len(releases) ** 2


def _spread(features: Tensor) -> Tensor:
    """(1, channels, *ones): differences are judged channel by channel, however it was scaled."""
    axes = (0, *range(2, features.ndim))
    return features.std(axes, keepdim=True).clamp_min(1e-3 * features.std() + 1e-30)

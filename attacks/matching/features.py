"""Optimise images until the features they would cause match those that were sent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint
from leakaudit.threat.view import Features

from ..parts.effort import endings
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
    parts = [
        _match_rows(releases, starts[rows], rows, budget, prior, rng)
        for rows in torch.arange(samples).split(size)
    ]
    return [
        Checkpoint(points[0].effort, torch.cat([point.values for point in points]))
        for points in zip(*parts, strict=True)
    ]


def _match_rows(
    releases: Sequence[RecordedEpoch],
    starts: Tensor,
    rows: Tensor,
    budget: MatchingBudget,
    prior: _Prior | None,
    rng: Generator,
) -> list[Checkpoint]:
    descent, done, points = _Descent(releases, starts, rows, budget, prior), 0, []
    for end, until in endings(budget.steps):
        for _ in range(done, until):
            descent.step(1.0, rng)
        done, whole = until, end == budget.steps
        last = descent if whole else descent.copy()
        # A curve must not change what it is a curve of: on the way, randomness is its own.
        drawn = rng if whole else Generator().manual_seed(rng.initial_seed())
        for step in range(until, end):
            last.step(1 - (step - until) / (end - until), drawn)
        points.append(Checkpoint(end, last.best()))
    return points


@dataclass(frozen=True, eq=False)
class _Prior:
    """What to believe of an image, and how much against features of unit spread."""

    usual: UsualImages
    weight: float


class _Descent:
    """Images on their way to where their features match."""

    def __init__(
        self,
        releases: Sequence[RecordedEpoch],
        starts: Tensor,
        rows: Tensor,
        budget: MatchingBudget,
        prior: _Prior | None,
    ) -> None:
        self._args = releases, starts, rows, budget, prior
        self.prior = prior
        self.releases, self.budget, self.restarts = releases, budget, starts.shape[1]
        self.images = starts.flatten(0, 1).clone().requires_grad_()
        owner = rows.repeat_interleave(self.restarts)
        self.wanted = [
            {level: tensor[owner] for level, tensor in each.sent.items()} for each in releases
        ]
        self.spreads = [
            {level: _spread(tensor) for level, tensor in each.sent.items()} for each in releases
        ]
        self.optimiser = torch.optim.Adam([self.images], lr=budget.learning_rate)
        self.recent = torch.zeros(len(self.images))
        self.taken = 0

    def copy(self) -> _Descent:
        """The same from here on, whatever becomes of this one."""
        other = _Descent(*self._args)
        with torch.no_grad():
            other.images.copy_(self.images)
        other.optimiser.load_state_dict(copy.deepcopy(self.optimiser.state_dict()))
        other.recent, other.taken = self.recent.clone(), self.taken
        return other

    def step(self, rate: float, rng: Generator) -> None:
        """Look at the next release, at a share of the learning rate."""
        self.taken += 1
        turn = self.taken % len(self.releases)
        features = self.releases[turn].encode(self.images, rng)
        misfit = torch.zeros(len(self.images))
        for level, target in self.wanted[turn].items():
            gap = (features[level] - target) / self.spreads[turn][level]
            misfit = misfit + gap.flatten(1).square().mean(1)
        if self.taken == 1 and not _pulls(misfit, self.images):
            raise NotMountableError(
                "matching features needs an encoder that can be differentiated",
                found="a defense through which no gradient comes back",
                remedy="mount decoder-inversion, which needs queries alone",
            )
        loss = misfit.sum() + self.budget.total_variation * total_variation(self.images).sum()
        if self.prior is not None:
            loss = loss + self.prior.weight * self.prior.usual(self.images).sum()
        for group in self.optimiser.param_groups:
            group["lr"] = self.budget.learning_rate * rate
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            self.images.clamp_(0, 1)
        now = misfit.detach()
        self.recent = now if self.taken == 1 else self.recent.lerp(now, 0.3)

    def best(self) -> Tensor:
        """(rows, modalities, *space): of all restarts those whose features match best."""
        if not bool(torch.isfinite(self.recent).all()):
            raise AttackInvalidError(
                "features of a guess must stay finite",
                found=f"a distance of {self.recent.max().item()} after {self.taken} steps",
                remedy="lower learning_rate",
            )
        best = self.recent.reshape(-1, self.restarts).argmin(1)
        grouped: Tensor = self.images.detach().unflatten(0, (-1, self.restarts))
        chosen: Tensor = grouped[torch.arange(len(best)), best]
        return chosen.clone()


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

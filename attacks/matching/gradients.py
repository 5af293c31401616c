"""Change images until the gradients they cause match those that were seen: the solver alone.

It knows no view and no encoder: only a function from images to gradients, what came out of it, and
where to start.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Adam

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint

from ..parts.descent import Descent, followed, nearest, on_the_way
from ..parts.priors import disagreement, total_variation
from .lbfgs import minimised

_POINTS = 4
_LEAST = 1e-6  # squared distance over squared length below which single precision sees noise
_LEAST_DOUBLE = 1e-16


@dataclass(frozen=True)
class ImageBudget:
    """What it may cost, and what is believed of images.

    Attributes:
        method: distance and optimiser.
        steps: optimiser steps.
        restarts: starting points per update.
        learning_rate: highest step of Adam, in grey values.
        total_variation: weight of the images' total variation, against the distance's logarithm.
        usual_features: weight of how unusual their features are, against the same; whoever calls
            :func:`matched` passes the term, weighted.
        usual_images: likewise of how unusual they are themselves.
        agreement: weight of the restarts' distance from their mean, against the same; Adam only,
            because the others' steps would mislead a line search.
    """

    method: Literal["lbfgs", "cosine"]
    steps: int
    restarts: int
    learning_rate: float
    total_variation: float
    usual_features: float = 0.0
    usual_images: float = 0.0
    agreement: float = 0.0

    @property
    def precision(self) -> torch.dtype:
        """What images and gradients are computed in: curvature needs double."""
        return torch.float64 if self.method == "lbfgs" else torch.float32


def matched(
    caused: Callable[[Tensor], Tensor],
    wanted: Tensor,
    start: Tensor,
    budget: ImageBudget,
    unusual: Callable[[Tensor], Tensor] | None = None,
) -> list[Checkpoint]:
    """Images whose gradients match, on the way and at the end.

    Args:
        caused: images (rows, batch, modalities, *space) to gradients (rows, values), a row by
            itself; differentiable, in the budget's precision.
        wanted: (rows, values), the gradients that were seen, restarts of one update in a row.
        start: (rows, batch, modalities, *space) in [0, 1].
        budget: what it may cost.
        unusual: images to (rows,), how unusual they and their features are, weighted; None where
            nobody knows.

    Returns:
        Checkpoints of images (rows / restarts, batch, modalities, *space) in [0, 1]: of all
        restarts the one that matches best.

    Raises:
        NotMountableError: no gradient comes back through ``caused``.
        AttackInvalidError: it diverged.
    """
    wanted, start = wanted.to(budget.precision), start.to(budget.precision)
    least = _LEAST_DOUBLE if budget.method == "lbfgs" else _LEAST
    length = wanted.square().sum(1).clamp_min(1e-30)

    def distance(images: Tensor) -> Tensor:
        got = caused(images)
        if budget.method == "cosine":
            return 1 - nn.functional.cosine_similarity(got, wanted)
        return (got - wanted).square().sum(1) / length

    def lowered(images: Tensor) -> tuple[Tensor, Tensor]:
        apart = distance(images)
        if not apart.requires_grad:
            raise NotMountableError(
                "matching gradients needs an encoder that can be differentiated",
                found="a defense through which no gradient comes back",
            )
        # The logarithm keeps the pull alive when the distance is small, as it soon is.
        varies = total_variation(images.flatten(1, 2))
        loss = (apart + least).log() + budget.total_variation * varies
        if unusual is not None:
            loss = loss + unusual(images)
        if budget.agreement:
            loss = loss + budget.agreement * disagreement(images, budget.restarts)
        return loss, apart

    points: list[Checkpoint] = []

    def note(step: int, images: Tensor) -> None:
        apart = distance(images.detach()).detach()
        if not bool(torch.isfinite(apart).all()):
            raise AttackInvalidError(
                "the distance between weight updates must stay finite",
                found=apart.max().item(),
                remedy="lower learning_rate",
            )
        best = nearest(images, apart, budget.restarts)
        points.append(Checkpoint(step, best.clamp(0, 1).float()))

    ends = on_the_way(budget.steps, _POINTS)
    if budget.method == "lbfgs":

        def flat(values: Tensor) -> tuple[Tensor, Tensor]:
            images = values.reshape(start.shape).detach().requires_grad_()
            loss, _ = lowered(images)
            (slope,) = torch.autograd.grad(loss.sum(), images)
            return loss.detach(), slope.flatten(1)

        stops = {end.effort for end in ends}
        for step, values in enumerate(minimised(flat, start.flatten(1), budget.steps)):
            if step in stops:
                note(step, values.reshape(start.shape))
        return points

    def whole(images: Tensor, **_: object) -> tuple[Tensor, Tensor]:
        loss, apart = lowered(images)
        return loss.sum(), apart

    adam, rates = partial(Adam, betas=(0.9, 0.99)), [budget.learning_rate]
    descent = Descent(whole, [start], rates, bounds=(0, 1), optimiser=adam)
    for step, last in followed(
        descent, ends, Generator(),
        rate=lambda step: (1 + math.cos(math.pi * step / budget.steps)) / 2,
    ):  # fmt: skip
        note(step, last.guess[0])
    return points

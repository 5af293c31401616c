"""Change images until the gradients they cause match those that were seen: the solver alone.

It knows no view and no encoder: only a function from images to gradients, what came out of it, and
where to start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint

from ..parts.priors import disagreement, total_variation
from .lbfgs import minimise

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

    def losses(images: Tensor) -> tuple[Tensor, Tensor]:
        images = images.detach().requires_grad_()
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
        (slope,) = torch.autograd.grad(loss.sum(), images)
        return loss.detach(), slope

    stops = {round(budget.steps * part / _POINTS) for part in range(_POINTS + 1)}
    points: list[Checkpoint] = []

    def note(step: int, images: Tensor) -> None:
        if step not in stops:
            return
        apart = distance(images).detach()
        if not bool(torch.isfinite(apart).all()):
            raise AttackInvalidError(
                "the distance between weight updates must stay finite",
                found=apart.max().item(),
                remedy="lower learning_rate",
            )
        best = apart.reshape(-1, budget.restarts).argmin(1)
        found = images.unflatten(0, (-1, budget.restarts))[torch.arange(len(best)), best]
        points.append(Checkpoint(step, found.clamp(0, 1).float()))

    if budget.method == "lbfgs":
        _descend(losses, start, budget.steps, note)
    else:
        _follow(losses, start, budget, note)
    return points


def _descend(
    losses: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    steps: int,
    note: Callable[[int, Tensor], None],
) -> None:
    """L-BFGS, every row on its own."""

    def flat(values: Tensor) -> tuple[Tensor, Tensor]:
        loss, slope = losses(values.reshape(start.shape))
        return loss, slope.flatten(1)

    minimise(
        flat,
        start.flatten(1),
        steps,
        visit=lambda step, values, _: note(step, values.reshape(start.shape)),
    )


def _follow(
    losses: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    budget: ImageBudget,
    note: Callable[[int, Tensor], None],
) -> None:
    """Adam with a cosine schedule, held within [0, 1]."""
    images = start.clone().requires_grad_()
    adam = torch.optim.Adam([images], lr=budget.learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(1, budget.steps))
    for step in range(budget.steps + 1):
        note(step, images.detach())
        if step < budget.steps:
            _, images.grad = losses(images)
            adam.step()
            schedule.step()
            with torch.no_grad():
                images.clamp_(0, 1)

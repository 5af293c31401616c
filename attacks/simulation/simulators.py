"""The adversary's own encoders, trained against the victims' server until they send alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.models.loss import segmentation_loss
from leakaudit.threat.view import View

from ..parts.messages import Messages
from .imitation import Critic, MessageMoments, answers_anew, imitated, last_release
from .stand_in import look_alike

_CRITIC_RATE = 2e-4  # slower than the simulators: the moments lead, the critic refines


@dataclass(frozen=True)
class SimulatorBudget:
    """What simulators may cost, and what they are pulled by.

    Attributes:
        steps: optimiser steps.
        batch_size: samples per step.
        learning_rate: highest step size of the simulators.
        moments: weight of the difference in means and covariances.
        adversarial: weight of the critic's verdict.
        draws: redraws of a random defense on auxiliary images.
    """

    steps: int
    batch_size: int
    learning_rate: float
    moments: float
    adversarial: float
    draws: int


class Simulators:
    """Encoders trained on auxiliary patients: the server segments with them, and they send alike.

    The victims' server alone does not pin an encoder down. Two regularisers make what it sends
    look like what the victims sent: typical message and covariances of neighbouring values are
    matched, and a critic must not tell them apart.

    Args:
        view: grants the server's weights, messages, auxiliary images and masks.
        budget: what they may cost.
        rng: batches and the defenses' randomness, as the adversary redraws it.

    Raises:
        AttackInvalidError: training diverged.
    """

    def __init__(self, view: View, budget: SimulatorBudget, rng: Generator) -> None:
        self._view, self._budget, self._rng = view, budget, rng
        self._alone = view.split.orientation == "horizontal"
        victims = tuple(dict.fromkeys(target.victim for target in view.targets))
        names = view.split.party_names if not self._alone else victims
        self._endpoints = {name: look_alike(view, name, rng) for name in names}
        self._images = {name: view.auxiliary_images(name) for name in names}
        self.received = {
            name: last_release(
                view, name, random=answers_anew(self._endpoints[name], self._images[name], rng)
            )
            for name in victims
        }
        # A simulator's messages carry noise as the last release does: what is free of it does not
        # look like them.
        self._seen = {name: last_release(view, name, random=False) for name in victims}
        self._moments = {
            name: {level: MessageMoments.of(tensor) for level, tensor in each.items()}
            for name, each in self._seen.items()
        }
        self._train()

    def releases(self, victim: str) -> Messages:
        """What the simulator sends for auxiliary images, beside what the victim sent.

        Each is standardised by itself, channel by channel: what is left of a difference in scale
        is taken out.
        """
        return imitated(
            self._view, self._endpoints[victim], self._images[victim], self.received[victim],
            self._budget.draws, self._rng,
        )  # fmt: skip

    def _train(self) -> None:
        budget, view, rng = self._budget, self._view, self._rng
        server, head = view.server(view.last_epoch)
        masks = view.auxiliary_masks().float()
        critics = nn.ModuleDict(
            {
                f"{number}/{level}": Critic(tensor.shape[1], tensor.ndim - 2)
                for number, each in enumerate(self._seen.values())
                for level, tensor in each.items()
            }
        )
        weights = [p for each in self._endpoints.values() for p in each.parameters()]
        simulators = torch.optim.AdamW(weights, lr=budget.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(simulators, budget.steps)
        judges = torch.optim.Adam(critics.parameters(), lr=_CRITIC_RATE, betas=(0.5, 0.9))
        for _ in range(budget.steps):
            rows = torch.randint(len(masks), (budget.batch_size,), generator=rng)
            sent = {
                name: endpoint(self._images[name][rows], rng)
                for name, endpoint in self._endpoints.items()
            }
            together = [[each] for each in sent.values()] if self._alone else [list(sent.values())]
            loss = torch.stack(
                [
                    segmentation_loss(head(server(each, view.space)), masks[rows])
                    for each in together
                ]
            ).mean()
            told_apart = torch.zeros(())
            for number, (name, seen) in enumerate(self._seen.items()):
                some = torch.randint(len(view), (budget.batch_size,), generator=rng)
                for level, tensor in seen.items():
                    moments, critic = self._moments[name][level], critics[f"{number}/{level}"]
                    mine = moments.standard(sent[name][level])
                    theirs = moments.standard(tensor[some])
                    loss = loss + budget.moments * moments.apart(mine) / len(seen)
                    loss = loss - budget.adversarial * critic(mine).mean() / len(seen)
                    told_apart = told_apart + nn.functional.relu(1 - critic(theirs)).mean()
                    told_apart = told_apart + nn.functional.relu(1 + critic(mine.detach())).mean()
            if not bool(torch.isfinite(loss)):
                raise AttackInvalidError(
                    "a simulator's loss must stay finite",
                    found=loss.item(),
                    remedy="lower simulator_learning_rate",
                )
            gradients = torch.autograd.grad(loss, weights, allow_unused=True)
            for parameter, gradient in zip(weights, gradients, strict=True):
                parameter.grad = gradient
            judges.zero_grad()
            told_apart.backward(inputs=list(critics.parameters()))
            simulators.step()
            judges.step()
            schedule.step()

"""The adversary's own encoders, trained against the victims' server until they send alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, View
from leakaudit.training.loss import segmentation_loss

from ._releases import Releases
from ._stand_in import stand_in

_AT_ONCE = 32
_CRITIC_RATE = 2e-4  # slower than the simulators: the moments lead, the critic refines
_CRITIC_WIDTH = 32


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
        self._endpoints = {name: _built(view, name, rng) for name in names}
        self._images = {name: view.auxiliary_images(name) for name in names}
        self.received = {name: _received(view, name, self._random(name)) for name in victims}
        self._looks = {
            name: {level: _Look.of(tensor) for level, tensor in each.items()}
            for name, each in self.received.items()
        }
        self._train()

    def releases(self, victim: str) -> Releases:
        """What the simulator sends for auxiliary images, beside what the victim sent.

        Each is standardised by itself, channel by channel: what is left of a difference in scale
        is taken out.
        """
        random = self._random(victim)
        epochs = len(self._view.epochs) if random else 1
        draws = [
            _mean([self._sent(victim) for _ in range(max(1, epochs - 1))])
            for _ in range(self._budget.draws if random else 1)
        ]
        received = self.received[victim]
        return Releases(
            tuple({level: _standard(each, each) for level, each in draw.items()} for draw in draws),
            {level: _standard(each, each) for level, each in received.items()},
        )

    def _train(self) -> None:
        budget, view, rng = self._budget, self._view, self._rng
        server, head = view.server(view.last_epoch)
        masks = view.auxiliary_masks().float()
        critics = nn.ModuleDict(
            {
                f"{number}/{level}": _Critic(tensor.shape[1], tensor.ndim - 2)
                for number, each in enumerate(self.received.values())
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
            for number, (name, seen) in enumerate(self.received.items()):
                some = torch.randint(len(view), (budget.batch_size,), generator=rng)
                for level, tensor in seen.items():
                    look, critic = self._looks[name][level], critics[f"{number}/{level}"]
                    mine, theirs = look.standard(sent[name][level]), look.standard(tensor[some])
                    loss = loss + budget.moments * look.apart(mine) / len(seen)
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

    def _sent(self, name: str) -> Features:
        endpoint, rng = self._endpoints[name], self._rng
        with torch.no_grad():
            parts = [endpoint(part, rng) for part in self._images[name].split(_AT_ONCE)]
        return {level: torch.cat([part[level] for part in parts]) for level in parts[0]}

    def _random(self, name: str) -> bool:
        """Whether a simulator behind the defenses says something else the second time."""
        endpoint, images = self._endpoints[name], self._images[name][:2]
        with torch.no_grad():
            first, second = endpoint(images, self._rng), endpoint(images, self._rng)
        return any(not torch.equal(first[level], second[level]) for level in first)


@dataclass(frozen=True, eq=False)
class _Look:
    """What a victim's messages of one level look like, as far as a mean can tell."""

    centre: Tensor
    spread: Tensor
    typical: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, tensor: Tensor) -> _Look:
        axes = (0, *range(2, tensor.ndim))
        centre, spread = tensor.mean(axes, keepdim=True), tensor.std(axes, keepdim=True)
        spread = spread.clamp_min(1e-3 * float(tensor.std()) + 1e-30)
        even = (tensor - centre) / spread
        return cls(centre, spread, even.mean(0), _covariance(even))

    def standard(self, tensor: Tensor) -> Tensor:
        return (tensor - self.centre) / self.spread

    def apart(self, even: Tensor) -> Tensor:
        """How far the means and covariances of standardised messages are from these."""
        return (even.mean(0) - self.typical).square().mean() + (
            _covariance(even) - self.covariance
        ).square().mean()


class _Critic(nn.Module):
    """Says how much a patch of a message looks like a victim's."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.body = nn.Sequential(
            conv(channels, _CRITIC_WIDTH, 3, padding=1), nn.LeakyReLU(0.2),
            conv(_CRITIC_WIDTH, _CRITIC_WIDTH, 3, padding=1), nn.LeakyReLU(0.2),
            conv(_CRITIC_WIDTH, 1, 1),
        )  # fmt: skip

    def forward(self, even: Tensor) -> Tensor:
        verdicts: Tensor = self.body(even)
        return verdicts


def _covariance(even: Tensor) -> Tensor:
    """Of the channels at a position and at its next neighbours: tells textures apart."""
    parts = [even]
    for axis in range(2, even.ndim):
        parts.append(even.roll(1, axis))
    rows = torch.cat(parts, dim=1).movedim(1, -1).flatten(0, -2)
    return rows.T @ rows / len(rows)


def _built(view: View, name: str, rng: Generator) -> PartyEndpoint:
    """The victim's design where the adversary knows it, else another of the same shapes."""
    endpoint = stand_in(view, name, rng)
    if Knowledge.ARCHITECTURE not in view.knowledge:
        for module in endpoint.encoder.modules():
            for place, child in module.named_children():
                if isinstance(child, nn.LeakyReLU):
                    setattr(module, place, nn.GELU())
    return endpoint


def _received(view: View, victim: str, random: bool) -> Features:
    """What a victim sent last; where fresh noise was added, as the earlier epochs foretell it.

    A linear map from all earlier releases of a sample to the last one: noise that is new in every
    epoch cannot be foretold, so what is foretold is free of it.
    """
    last = {
        level: view.activations(victim, level, view.last_epoch) for level in view.split.crossing
    }
    if not random or len(view.epochs) < 2:
        return last
    foretold: Features = {}
    for level, wanted in last.items():
        earlier = torch.cat(
            [view.activations(victim, level, epoch) for epoch in view.epochs[:-1]], dim=1
        )
        rows = earlier.movedim(1, -1).flatten(0, -2).double()
        aims = wanted.movedim(1, -1).flatten(0, -2).double()
        centre, aim = rows.mean(0), aims.mean(0)
        gram = (rows - centre).T @ (rows - centre)
        ridge = 1e-4 * gram.diagonal().mean().clamp_min(1e-300)
        eye = torch.eye(len(gram), dtype=gram.dtype)
        weights = torch.linalg.solve(gram + ridge * eye, (rows - centre).T @ (aims - aim))
        told = ((rows - centre) @ weights + aim).float()
        foretold[level] = told.unflatten(0, (len(wanted), *wanted.shape[2:])).movedim(-1, 1)
    return foretold


def _standard(features: Tensor, like: Tensor) -> Tensor:
    axes = (0, *range(2, features.ndim))
    spread = like.std(axes, keepdim=True)
    return (features - like.mean(axes, keepdim=True)) / spread.clamp_min(1e-12)


def _mean(draws: list[Features]) -> Mapping[int, Tensor]:
    return {level: torch.stack([each[level] for each in draws]).mean(0) for level in draws[0]}

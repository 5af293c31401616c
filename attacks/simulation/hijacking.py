"""A dishonest server at work: gradients that train an encoder towards the server's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.view import Features, View

from ..parts.decoder import Decoder
from .imitation import Critic, MessageMoments, covariance_of, encoded, standard
from .stand_in import stand_in

_WIDTH = 16  # of the autoencoder's decoder, in channels
_CRITIC_RATE = 1e-3
_KEPT = 0.8  # of the moments of earlier batches, at each new one
_LEAST = 1e-12


@dataclass(frozen=True)
class HijackBudget:
    """What hijacking may cost, and what encoders are pulled by.

    Attributes:
        levels: whose features are hijacked.
        pilot_steps: optimiser steps of each autoencoder, before the training.
        batch_size: samples per step of the autoencoders and critics.
        learning_rate: highest step size of the autoencoders.
        moments: weight of the difference in means and covariances.
        adversarial: weight of the critic's verdict.
        strength: length of what is sent back, in lengths of the honest gradient.
    """

    levels: tuple[int, ...]
    pilot_steps: int
    batch_size: int
    learning_rate: float
    moments: float
    adversarial: float
    strength: float


class Hijack:
    """Decides what every victim gets back; a :class:`leakaudit.exchange.interference.Interference`.

    Args:
        view: before the training; grants the encoders' design and auxiliary images.
        budget: what it may cost.
        rng: batches, and the defenses' randomness as the adversary redraws it.
    """

    def __init__(self, view: View, budget: HijackBudget, rng: Generator) -> None:
        victims = dict.fromkeys(target.victim for target in view.targets)
        # Encoders that are averaged can follow one pilot only.
        averaged = view.split.orientation == "horizontal"
        first: PartyEndpoint | None = None
        self._hijacks: dict[str, _PartyHijack] = {}
        for name in victims:
            hijack = self._hijacks[name] = _PartyHijack(view, name, budget, rng, first)
            first = hijack.pilot if averaged else None

    def sent_back(self, party: str, received: Features, owed: Features) -> Features:
        """The pull towards the server's own features; honest gradients for who is no victim."""
        hijack = self._hijacks.get(party)
        return owed if hijack is None else hijack.sent_back(received, owed)

    def kept(self) -> Mapping[str, Tensor]:
        """Every pilot's weights."""
        return {
            f"{name}/{key}": tensor.detach().clone().contiguous()
            for name, hijack in self._hijacks.items()
            for key, tensor in hijack.pilot.state_dict().items()
        }


def pilot_of(view: View, name: str, kept: Mapping[str, Tensor], rng: Generator) -> PartyEndpoint:
    """The pilot that a party was trained towards, from what was kept."""
    endpoint = stand_in(view, name, rng)
    start = f"{name}/"
    endpoint.load_state_dict(
        {key.removeprefix(start): each for key, each in kept.items() if key.startswith(start)}
    )
    return endpoint.eval().requires_grad_(False)


class _PartyHijack:
    """Pulls one party's encoder: towards a pilot of its own, or one with the weights of another."""

    def __init__(
        self, view: View, name: str, budget: HijackBudget, rng: Generator,
        pilot: PartyEndpoint | None,
    ) -> None:  # fmt: skip
        self._budget, self._rng = budget, rng
        self._images = view.auxiliary_images(name)
        if pilot is None:
            self.pilot = _taught(view, name, self._images, budget, rng)
        else:
            self.pilot = stand_in(view, name, rng).eval().requires_grad_(False)
            self.pilot.encoder.load_state_dict(pilot.encoder.state_dict())
        sent = encoded(self.pilot, self._images, rng)
        self._targets = {
            level: _MomentTarget(MessageMoments.of(sent[level])) for level in budget.levels
        }
        self._critics = {
            level: Critic(sent[level].shape[1], sent[level].ndim - 2) for level in budget.levels
        }
        weights = [p for critic in self._critics.values() for p in critic.parameters()]
        self._judges = torch.optim.Adam(weights, lr=_CRITIC_RATE, betas=(0.5, 0.9))

    def sent_back(self, received: Features, owed: Features) -> Features:
        leaves = {level: received[level].clone().requires_grad_() for level in self._targets}
        loss = torch.zeros(())
        for level, leaf in leaves.items():
            target, critic = self._targets[level], self._critics[level]
            even = target.moments.standard(leaf)
            loss = loss + self._budget.moments * target.apart(even)
            loss = loss + self._budget.adversarial * (critic(even) - 1).square().mean()
        pulls = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
        self._teach_critics({level: leaf.detach() for level, leaf in leaves.items()})
        # As long as what is owed: Adam at the parties does not mind, and nobody sees it by length.
        wanted = self._budget.strength * max(_length(owed), _LEAST)
        factor = wanted / max(_length(pulls), _LEAST)
        if not bool(torch.isfinite(loss)) or not 0 <= factor < float("inf"):
            raise AttackInvalidError(
                "what a dishonest server sends back must be finite",
                found=f"a loss of {loss.item()}",
                remedy="lower `strength`, or the learning rate of the training",
            )
        return {
            level: factor * pulls[level] if level in pulls else torch.zeros_like(gradient)
            for level, gradient in owed.items()
        }

    def _teach_critics(self, received: Features) -> None:
        """Least squares: a pilot's messages are 1, a victim's 0."""
        rows = torch.randint(len(self._images), (self._budget.batch_size,), generator=self._rng)
        own = encoded(self.pilot, self._images[rows], self._rng)
        loss = torch.zeros(())
        for level, critic in self._critics.items():
            moments = self._targets[level].moments
            loss = loss + (critic(moments.standard(own[level])) - 1).square().mean()
            loss = loss + critic(moments.standard(received[level])).square().mean()
        self._judges.zero_grad(set_to_none=True)
        loss.backward()
        self._judges.step()


class _MomentTarget:
    """Moments to be reached, and those of a victim over its last batches.

    A batch's own mean differs from the mean over patients by chance. Pulling every batch's mean to
    the target would pull all patients to the same features, which tell nothing.
    """

    def __init__(self, moments: MessageMoments) -> None:
        self.moments = moments
        self._mean: Tensor | None = None
        self._covariance: Tensor | None = None

    def apart(self, even: Tensor) -> Tensor:
        mean, covariance = even.mean(0), covariance_of(even)
        if self._mean is not None and self._covariance is not None:
            mean = _KEPT * self._mean + (1 - _KEPT) * mean
            covariance = _KEPT * self._covariance + (1 - _KEPT) * covariance
        self._mean, self._covariance = mean.detach(), covariance.detach()
        return (mean - self.moments.typical).square().mean() + (
            covariance - self.moments.covariance
        ).square().mean()


def _taught(
    view: View, name: str, images: Tensor, budget: HijackBudget, rng: Generator
) -> PartyEndpoint:
    """An encoder built like the party's, trained so that images can be read off what it sends."""
    pilot = stand_in(view, name, rng)
    sent = encoded(pilot, images[:1], rng)
    decoder = Decoder(
        {level: tuple(sent[level].shape[1:]) for level in budget.levels},
        view.space, images.shape[1], _WIDTH,
    )  # fmt: skip
    typical = images.mean(0, keepdim=True)
    unit = (images - typical).std().clamp_min(1e-6)
    both = nn.ModuleList([pilot, decoder])
    optimiser = torch.optim.AdamW(both.parameters(), lr=budget.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.pilot_steps)
    for _ in range(budget.pilot_steps):
        batch = images[torch.randint(len(images), (budget.batch_size,), generator=rng)]
        features = pilot(batch, rng)
        even = {level: standard(features[level]) for level in budget.levels}
        said = typical + unit * decoder(even, torch.zeros_like(batch))
        loss = (said - batch).abs().mean() / unit
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "an autoencoder's loss must stay finite",
                found=loss.item(),
                remedy="lower pilot_learning_rate",
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return pilot.eval().requires_grad_(False)


def _length(features: Features) -> float:
    return float(
        torch.stack([each.double().square().sum() for each in features.values()]).sum().sqrt()
    )

"""Joint matching: change images and a guess at the encoder until both explain what was sent."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View

from .matching.grey_values import coloured, departures, strongest_pattern, tempered
from .parts.effort import Effort, scaled
from .parts.priors import total_variation
from .simulation.imitation import last_release
from .simulation.stand_in import stand_in

_COOLING = 0.25  # of the steps with images: the last ones, at a falling rate
_ENDS = (0.5, 1.0)  # of the steps: the earlier end is for the effort curve
_RIDGE = 1e-3


class JointMatching(Attack):
    """Optimise images together with an encoder, knowing neither weights nor data.

    Knows: messages of the victim; how its encoder is built. Auxiliary images, where granted, only
    set the grey values.
    Differs: images start from the first principal component of the channels, which an untrained
    encoder first learns to explain (the paper starts from grey and alternates); one encoder serves
    a whole batch of images, so that they constrain each other. Behind defenses the channels are
    mixed as fits best, for keys it cannot know; where a defense is random, the last release is
    foretold from all earlier ones, which leaves fresh noise out. At full resolution what looks
    like noise in the result is weighed down, where auxiliary images say what images look like.
    Source: Erdogan, Kupcu, Cicek, "UnSplit", WPES 2022, section 3.
    """

    needs = Knowledge.ACTIVATIONS | Knowledge.ARCHITECTURE
    asset = "images"
    criterion = "singling out"
    family = "matching"
    source = "Erdogan et al. 2022"

    effort: Effort = Field(default="standard", description="scales steps and restarts")
    encoder_steps: PositiveInt = Field(
        default=100, le=1_000_000, description="optimiser steps of the encoder alone, at first"
    )
    steps: PositiveInt = Field(
        default=80, le=1_000_000, description="optimiser steps of images and encoder together"
    )
    restarts: PositiveInt = Field(
        default=1, le=64, description="untrained encoders; the nearest match is kept"
    )
    encoder_learning_rate: PositiveFloat = Field(
        default=1e-2, le=1.0, description="highest step size of the encoder"
    )
    learning_rate: PositiveFloat = Field(
        default=3e-2, le=1.0, description="highest step size, in grey values of [0, 1]"
    )
    total_variation: NonNegativeFloat = Field(
        default=1.0, le=1e3, description="weight of the mean difference of neighbouring pixels"
    )
    at_once: PositiveInt = Field(default=32, le=65_536, description="images that share an encoder")

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One optimisation per target and batch of images."""
        return {target: self._guess(view, target, rng) for target in view.targets}

    def _guess(self, view: View, target: Target, rng: Generator) -> Guess:
        probe = stand_in(view, target.victim, rng)
        random = _random(probe, view, target.victim, rng)
        sent = last_release(view, target.victim, random=random)
        known = (
            view.auxiliary_images(target.victim)
            if Knowledge.AUXILIARY_IMAGES in view.knowledge
            else None
        )
        parts = []
        for rows in torch.arange(len(view)).split(self.at_once):
            part = {level: sent[level][rows] for level in target.levels}
            restarts = self.restarts * (3 if self.effort == "thorough" else 1)
            tried = [self._match(view, target, part, known, rng, random) for _ in range(restarts)]
            parts.append(min(tried, key=lambda each: each.misfit).points)
        merged = [
            Checkpoint(points[0].effort, torch.cat([point.values for point in points]))
            for points in zip(*parts, strict=True)
        ]
        *trail, last = [
            Checkpoint(point.effort, _finished(point.values, known, target.levels))
            for point in merged
        ]
        return Guess(last.values, last.effort, tuple(trail))

    def _match(
        self,
        view: View,
        target: Target,
        sent: Features,
        known: Tensor | None,
        rng: Generator,
        random: bool,
    ) -> _Match:
        modalities, finest = view.modalities[target.victim], min(target.levels)
        structure = strongest_pattern(sent[finest], view.space)
        structure = structure.expand(-1, modalities, *view.space)
        images = coloured(structure, known).clone()
        wanted = {level: _even(each) for level, each in sent.items()}
        encoder = _Encoder(
            stand_in(view, target.victim, rng), wanted, images, rng, through=not random
        )
        descent = _Descent(encoder, images, self)
        points, done = [Checkpoint(0, images.clone())], 0
        for share in _ENDS:
            alone, together = (
                max(1, round(share * scaled(each, self.effort)))
                for each in (self.encoder_steps, self.steps)
            )
            for _ in range(done, alone):
                descent.step(1.0, rng, move=False)
            done = alone
            last, drawn = descent, rng
            if share < 1:
                # A curve must not change what it is a curve of: its randomness is its own.
                last, drawn = descent.copy(), Generator().manual_seed(rng.initial_seed())
            for step in range(together):
                left = (together - step) / (_COOLING * together)
                last.step(min(1.0, left), drawn, move=True)
            points.append(Checkpoint(alone + together, last.images.detach().clone()))
        if not descent.misfit < float("inf"):
            raise AttackInvalidError(
                "features of a guess must stay finite",
                found=f"a distance of {descent.misfit}",
                remedy="lower learning_rate or encoder_learning_rate",
            )
        return _Match(points, descent.misfit)


@dataclass(frozen=True, eq=False)
class _Match:
    points: list[Checkpoint]
    misfit: float


class _Descent:
    """Images and an encoder on their way to explain what was sent."""

    def __init__(self, encoder: _Encoder, images: Tensor, attack: JointMatching) -> None:
        self.encoder, self.attack = encoder, attack
        self.images = images.clone().requires_grad_()
        self.misfit, self.taken = float("inf"), 0
        self._optimisers = (
            torch.optim.Adam(list(encoder.parameters()), lr=attack.encoder_learning_rate),
            torch.optim.Adam([self.images], lr=attack.learning_rate),
        )

    def copy(self) -> _Descent:
        """The same from here on, whatever becomes of this one."""
        other = _Descent(copy.deepcopy(self.encoder), self.images.detach(), self.attack)
        for theirs, own in zip(other._optimisers, self._optimisers, strict=True):
            theirs.load_state_dict(copy.deepcopy(own.state_dict()))
        other.misfit, other.taken = self.misfit, self.taken
        return other

    def step(self, rate: float, rng: Generator, *, move: bool) -> None:
        """Change the encoder, and where ``move`` the images, at a share of the learning rates."""
        features = self.encoder(self.images, rng)
        misfit = torch.stack(
            [
                (features[level] - each).square().mean()
                for level, each in self.encoder.wanted.items()
            ]
        ).sum()
        loss = misfit + self.attack.total_variation * total_variation(self.images).mean()
        rates = (self.attack.encoder_learning_rate, self.attack.learning_rate)
        for optimiser, most in zip(self._optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = most * rate
            optimiser.zero_grad()
        loss.backward()
        for optimiser in self._optimisers[: 2 if move else 1]:
            optimiser.step()
        with torch.no_grad():
            self.images.clamp_(0, 1)
        self.misfit = 0.7 * self.misfit + 0.3 * misfit.item() if self.taken else misfit.item()
        self.taken += 1


class _Encoder(nn.Module):
    """An untrained endpoint; behind defenses its channels are mixed, for keys it cannot know.

    Defenses are left out where no gradient comes back through them, or they are random: noise
    cannot be matched.
    """

    def __init__(
        self, endpoint: PartyEndpoint, sent: Features, images: Tensor, rng: Generator, *,
        through: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.endpoint = endpoint
        with torch.enable_grad():
            features = endpoint(images[:1], rng)
        told = all(_tells(features[level], endpoint.encoder) for level in sent)
        self.through = through and told
        self.keyed = len(endpoint.guards) > 0
        self.wanted = sent

    def forward(self, images: Tensor, rng: Generator) -> Features:
        """Level to features, as the victim might have sent them."""
        features: Features = (
            self.endpoint(images, rng) if self.through else self.endpoint.encoder(images)
        )
        even = {level: _even(features[level]) for level in self.wanted}
        if not self.keyed:
            return even
        return {level: _mapped(each, self.wanted[level]) for level, each in even.items()}


def _mapped(features: Tensor, wanted: Tensor) -> Tensor:
    """Channels mixed so that they come nearest to those wanted, whatever key mixed these.

    The best mixture needs no gradient of its own: to first order it does not change the misfit.
    """
    with torch.no_grad():
        rows = features.movedim(1, -1).flatten(0, -2)
        aims = wanted.movedim(1, -1).flatten(0, -2)
        gram = rows.T @ rows / len(rows) + _RIDGE * torch.eye(rows.shape[1])
        mixture = torch.linalg.solve(gram, rows.T @ aims / len(rows))
    return torch.einsum("ci,nc...->ni...", mixture, features)


def _finished(images: Tensor, known: Tensor | None, levels: tuple[int, ...]) -> Tensor:
    """Grey values set; without full resolution only departures from the typical image are told."""
    found = coloured(images, known)
    if known is None:
        return found
    if min(levels) > 0:
        return departures(found, known)
    return tempered(found, known)


def _tells(features: Tensor, encoder: nn.Module) -> bool:
    """Whether a gradient of these features comes back to the encoder's weights."""
    if not features.requires_grad:
        return False
    pulls = torch.autograd.grad(
        features.square().sum(), list(encoder.parameters()), retain_graph=True, allow_unused=True
    )
    return any(bool(pull.any()) for pull in pulls if pull is not None)


def _random(endpoint: PartyEndpoint, view: View, victim: str, rng: Generator) -> bool:
    """Whether the same image gives other messages the second time."""
    if not len(endpoint.guards):
        return False
    image = torch.full((1, view.modalities[victim], *view.space), 0.5)
    image = image + 0.1 * torch.randn(image.shape, generator=rng)
    with torch.no_grad():
        first, second = endpoint(image, rng), endpoint(image, rng)
    return any(not torch.equal(first[level], second[level]) for level in first)


def _even(features: Tensor) -> Tensor:
    """Every channel centred, of unit spread: compared however it was scaled or moved."""
    axes = (0, *range(2, features.ndim))
    centred = features - features.mean(axes, keepdim=True)
    variance = centred.square().mean(axes, keepdim=True)
    # Before the root: that of nothing, as of a channel that is never sent, has no gradient.
    least = 1e-6 * float(variance.detach().max()) + 1e-30
    return centred / variance.clamp_min(least).sqrt()

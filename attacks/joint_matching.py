"""Joint matching: change images and a guess at the encoder until both explain what was sent."""

from __future__ import annotations

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View

from .matching.grey_values import coloured, departures, strongest_pattern, tempered
from .parts.descent import Descent, Ending, followed, joined
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
            parts.append(min(tried, key=lambda each: each[1])[0])
        *trail, last = [
            Checkpoint(point.effort, _finished(point.values, known, target.levels))
            for point in joined(parts)
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
    ) -> tuple[list[Checkpoint], float]:
        modalities, finest = view.modalities[target.victim], min(target.levels)
        structure = strongest_pattern(sent[finest], view.space)
        structure = structure.expand(-1, modalities, *view.space)
        images = coloured(structure, known).clone()
        wanted = {level: _even(each) for level, each in sent.items()}
        encoder = _Encoder(
            stand_in(view, target.victim, rng), wanted, images, rng, through=not random
        )
        rates = self.learning_rate, self.encoder_learning_rate
        descent = Descent(self._misfit, [images], rates, network=encoder, bounds=(0, 1))
        points = [Checkpoint(0, images)]
        for spent, last in followed(descent, self._ends(), rng, only=slice(1, None)):
            points.append(Checkpoint(spent, last.guess[0].detach().clone()))
        return points, descent.misfit.item()

    def _ends(self) -> list[Ending]:
        """First the encoder learns alone, then images move with it, at last at a falling rate."""
        ends = []
        for share in _ENDS:
            alone, together = (
                max(1, round(share * scaled(each, self.effort)))
                for each in (self.encoder_steps, self.steps)
            )
            rates = (min(1.0, (together - i) / (_COOLING * together)) for i in range(together))
            ends.append(Ending(alone + together, alone, tuple(rates)))
        return ends

    def _misfit(
        self, images: Tensor, encoder: _Encoder, *, turn: int, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        del turn
        features = encoder(images, rng)
        gaps = [(features[level] - each).square().mean() for level, each in encoder.wanted.items()]
        misfit = torch.stack(gaps).sum()
        return misfit + self.total_variation * total_variation(images).mean(), misfit


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

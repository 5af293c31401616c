"""Joint matching: change images and a guess at the encoder until both explain what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View

from ._effort import Effort, scaled
from ._grey_scale import coloured, departures, strongest_pattern
from ._smoothness import total_variation
from ._stand_in import stand_in

_POINTS = 4


class JointMatching(Attack):
    """Optimise images together with an encoder, knowing neither weights nor data.

    Knows: messages of the victim; how its encoder is built. Auxiliary images, where granted, only
    set the grey values.
    Differs: images start from the first principal component of the channels, which an untrained
    encoder first learns to explain (the paper starts from grey and alternates); one encoder serves
    a whole batch of images, so that they constrain each other; behind defenses a map of the
    channels is learned with it, and where a defense is random the recorded epochs take turns, each
    with an encoder of its own, while the images are shared.
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
        default=1e-2, le=1.0, description="highest step size, in grey values of [0, 1]"
    )
    total_variation: NonNegativeFloat = Field(
        default=1.0, le=1e3, description="weight of the mean difference of neighbouring pixels"
    )
    at_once: PositiveInt = Field(default=32, le=65_536, description="images that share an encoder")
    releases: PositiveInt = Field(
        default=4, le=10_000, description="recorded epochs to match where a defense is random"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One optimisation per target and batch of images."""
        return {target: self._guess(view, target, rng) for target in view.targets}

    def _guess(self, view: View, target: Target, rng: Generator) -> Guess:
        probe = stand_in(view, target.victim, rng)
        epochs = (
            view.epochs[-self.releases :]
            if _random(probe, view, target.victim, rng)
            else view.epochs[-1:]
        )
        known = (
            view.auxiliary_images(target.victim)
            if Knowledge.AUXILIARY_IMAGES in view.knowledge
            else None
        )
        parts = []
        for rows in torch.arange(len(view)).split(self.at_once):
            sent = [
                {
                    level: view.activations(target.victim, level, epoch)[rows]
                    for level in target.levels
                }
                for epoch in epochs
            ]
            restarts = self.restarts * (3 if self.effort == "thorough" else 1)
            tried = [self._match(view, target, sent, known, rng) for _ in range(restarts)]
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
        sent: Sequence[Features],
        known: Tensor | None,
        rng: Generator,
    ) -> _Match:
        modalities, finest = view.modalities[target.victim], min(target.levels)
        pattern = torch.stack([strongest_pattern(each[finest], view.space) for each in sent])
        # A component's sign is arbitrary: those of other epochs are turned to agree with the last.
        signs = torch.sign((pattern * pattern[-1]).flatten(1).sum(1)).reshape(
            -1, *(1,) * sent[0][finest].ndim
        )
        structure = (signs * pattern).mean(0).expand(-1, modalities, *view.space)
        images = coloured(structure, known).clone().requires_grad_()
        encoders = [
            _Encoder(stand_in(view, target.victim, rng), each, images.detach(), rng)
            for each in sent
        ]
        weights = [parameter for encoder in encoders for parameter in encoder.parameters()]
        spreads = [{level: _spread(each[level]) for level in each} for each in sent]
        alone, together = (scaled(each, self.effort) for each in (self.encoder_steps, self.steps))
        by_weights = torch.optim.Adam(weights, lr=self.encoder_learning_rate)
        by_images = torch.optim.Adam([images], lr=self.learning_rate)
        schedules = [
            torch.optim.lr_scheduler.CosineAnnealingLR(by_weights, alone + together),
            torch.optim.lr_scheduler.CosineAnnealingLR(by_images, together),
        ]
        stops = {round(together * (part + 1) / _POINTS) for part in range(_POINTS)}
        points = [Checkpoint(0, images.detach().clone())]
        recent = 0.0
        for step in range(1, alone + together + 1):
            turn = step % len(sent)
            features = encoders[turn](images, rng)
            misfit = torch.stack(
                [
                    ((features[level] - wanted) / spreads[turn][level]).square().mean()
                    for level, wanted in sent[turn].items()
                ]
            ).sum()
            loss = misfit + self.total_variation * total_variation(images).mean()
            by_weights.zero_grad()
            by_images.zero_grad()
            loss.backward()
            by_weights.step()
            schedules[0].step()
            if step > alone:
                by_images.step()
                schedules[1].step()
                with torch.no_grad():
                    images.clamp_(0, 1)
            recent = misfit.item() if step == 1 else 0.7 * recent + 0.3 * misfit.item()
            if step - alone in stops:
                points.append(Checkpoint(step, images.detach().clone()))
        if not recent < float("inf"):
            raise AttackInvalidError(
                "features of a guess must stay finite",
                found=f"a distance of {recent}",
                remedy="lower learning_rate or encoder_learning_rate",
            )
        return _Match(points, recent)


@dataclass(frozen=True, eq=False)
class _Match:
    points: list[Checkpoint]
    misfit: float


class _Encoder(nn.Module):
    """An untrained endpoint; behind defenses also a map of the channels, for keys it cannot know.

    Where no gradient comes back through the defenses they are left out, and the map stands for
    them.
    """

    def __init__(
        self, endpoint: PartyEndpoint, sent: Features, images: Tensor, rng: Generator
    ) -> None:
        super().__init__()
        self.endpoint = endpoint
        with torch.enable_grad():
            features = endpoint(images[:1], rng)
        self.through = all(_tells(features[level], endpoint.encoder) for level in sent)
        if not self.through:
            features = endpoint.encoder(images[:1])
        self.maps = nn.ModuleDict()
        if len(endpoint.guards):
            conv = nn.Conv2d if images.ndim == 4 else nn.Conv3d
            for level, wanted in sent.items():
                mapping = conv(features[level].shape[1], wanted.shape[1], 1)
                nn.init.dirac_(mapping.weight)
                self.maps[str(level)] = mapping

    def forward(self, images: Tensor, rng: Generator) -> Features:
        """Level to features, as the victim might have sent them."""
        features: Features = (
            self.endpoint(images, rng) if self.through else self.endpoint.encoder(images)
        )
        return {
            level: self.maps[str(level)](each) if str(level) in self.maps else each
            for level, each in features.items()
        }


def _finished(images: Tensor, known: Tensor | None, levels: tuple[int, ...]) -> Tensor:
    """Grey values set; without full resolution only departures from the typical image are told."""
    found = coloured(images, known)
    if known is None or min(levels) == 0:
        return found
    return departures(found, known)


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


def _spread(features: Tensor) -> Tensor:
    """(1, channels, *ones): differences are judged channel by channel, however it was scaled."""
    axes = (0, *range(2, features.ndim))
    return features.std(axes, keepdim=True).clamp_min(1e-3 * features.std() + 1e-30)

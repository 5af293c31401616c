"""Encoders of one's own that send like the victims': what it takes, and what is learnt from them.

Messages look alike where their typical values and covariances agree, and where a critic cannot tell
them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.view import Features, View

from ..parts.messages import Messages

_CRITIC_WIDTH = 32
_AT_ONCE = 32
_PROBES = 2


@dataclass(frozen=True, eq=False)
class MessageMoments:
    """Mean and covariance of a victim's messages at one level, on their own scale.

    Attributes:
        centre: (1, channels, *ones), of all values of a channel.
        spread: likewise, their standard deviation.
        typical: (channels, *grid), the mean standardised message.
        covariance: as :func:`covariance_of` gives it.
    """

    centre: Tensor
    spread: Tensor
    typical: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, tensor: Tensor) -> MessageMoments:
        """Those of messages (n, channels, *grid), about their own scale."""
        axes = (0, *range(2, tensor.ndim))
        centre, spread = tensor.mean(axes, keepdim=True), tensor.std(axes, keepdim=True)
        spread = spread.clamp_min(1e-3 * float(tensor.std()) + 1e-30)
        even = (tensor - centre) / spread
        return cls(centre, spread, even.mean(0), covariance_of(even))

    def standard(self, tensor: Tensor) -> Tensor:
        """Other messages on this one's scale."""
        return (tensor - self.centre) / self.spread

    def apart(self, even: Tensor) -> Tensor:
        """How far the means and covariances of standardised messages are from these."""
        return (even.mean(0) - self.typical).square().mean() + (
            covariance_of(even) - self.covariance
        ).square().mean()


class Critic(nn.Module):
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
        """(n, 1, *grid) of standardised messages (n, channels, *grid); the higher, the likelier."""
        verdicts: Tensor = self.body(even)
        return verdicts


def covariance_of(even: Tensor) -> Tensor:
    """Of the channels at a position and at its next neighbours: tells textures apart."""
    parts = [even]
    for axis in range(2, even.ndim):
        parts.append(even.roll(1, axis))
    rows = torch.cat(parts, dim=1).movedim(1, -1).flatten(0, -2)
    return rows.T @ rows / len(rows)


def last_release(view: View, victim: str, *, random: bool) -> Features:
    """What a victim sent last; where fresh noise was added, as the earlier epochs foretell it.

    A linear map from all earlier releases of a sample to the last one: noise that is new in every
    epoch cannot be foretold, so what is foretold is free of it.
    """
    last = {
        level: view.activations(victim, level, view.last_epoch) for level in view.split.crossing
    }
    if not random or len(view.epochs) < 2:
        return last
    return {
        level: _foretold(
            torch.cat(
                [view.activations(victim, level, epoch) for epoch in view.epochs[:-1]], dim=1
            ),
            wanted,
        )
        for level, wanted in last.items()
    }


def _foretold(earlier: Tensor, wanted: Tensor) -> Tensor:
    """What the channels of earlier releases tell of a later one, by least squares."""
    rows = earlier.movedim(1, -1).flatten(0, -2).double()
    aims = wanted.movedim(1, -1).flatten(0, -2).double()
    centre, aim = rows.mean(0), aims.mean(0)
    gram = (rows - centre).T @ (rows - centre)
    ridge = 1e-4 * gram.diagonal().mean().clamp_min(1e-300)
    eye = torch.eye(len(gram), dtype=gram.dtype)
    weights = torch.linalg.solve(gram + ridge * eye, (rows - centre).T @ (aims - aim))
    told = ((rows - centre) @ weights + aim).float()
    found: Tensor = told.unflatten(0, (len(wanted), *wanted.shape[2:])).movedim(-1, 1)
    return found


def answers_anew(endpoint: PartyEndpoint, images: Tensor, rng: Generator) -> bool:
    """Whether an encoder behind the defenses says something else the second time."""
    first, second = (encoded(endpoint, images[:_PROBES], rng) for _ in range(2))
    return any(not torch.equal(first[level], second[level]) for level in first)


def encoded(endpoint: PartyEndpoint, images: Tensor, rng: Generator) -> Features:
    """What an encoder sends, without a graph."""
    with torch.no_grad():
        parts = [endpoint(part, rng) for part in images.split(_AT_ONCE)]
    return {level: torch.cat([part[level] for part in parts]) for level in parts[0]}


def imitated(
    view: View,
    endpoint: PartyEndpoint,
    images: Tensor,
    received: Features,
    draws: int,
    rng: Generator,
) -> Messages:
    """What one's own encoder sends for auxiliary images, beside what a victim sent.

    Each is standardised by itself, channel by channel: what is left of a difference in scale is
    taken out.

    Args:
        view: whose epochs were put together in what was received.
        endpoint: one's own encoder, behind the defenses.
        images: (n, modalities, *space), auxiliary.
        received: as :func:`last_release` gives it.
        draws: redraws of a random defense.
        rng: the defenses' randomness, as the adversary redraws it.
    """
    random = answers_anew(endpoint, images, rng)
    earlier = len(view.epochs) - 1 if random else 0

    def release() -> Features:
        if not earlier:
            return encoded(endpoint, images, rng)
        before = _mean([encoded(endpoint, images, rng) for _ in range(earlier)])
        last = encoded(endpoint, images, rng)
        return {level: _foretold(before[level], each) for level, each in last.items()}

    drawn = [release() for _ in range(draws if random else 1)]
    return Messages(
        tuple({level: standard(each) for level, each in draw.items()} for draw in drawn),
        {level: standard(each) for level, each in received.items()},
    )


def standard(features: Tensor) -> Tensor:
    """Every channel centred and of unit spread over all samples."""
    axes = (0, *range(2, features.ndim))
    spread = features.std(axes, keepdim=True).clamp_min(1e-12)
    even: Tensor = (features - features.mean(axes, keepdim=True)) / spread
    return even


def _mean(draws: list[Features]) -> Features:
    return {level: torch.stack([each[level] for each in draws]).mean(0) for level in draws[0]}

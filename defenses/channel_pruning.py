"""Send only some channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from leakaudit.exchange.defense import Defense, Guard, Site, Strength
from leakaudit.exchange.message import Direction

from ._sample_norms import channel_energies


class ChannelPruning(Defense):
    """Send a share of the channels of each level; the others are zero.

    Protects: nothing that can be claimed; removes what the kept channels do not carry.
    Differs: DISCO's filter also fights a decoder; here, stack it with adversarial-decoder or
    distance-correlation, whose loss reaches the scores. Its choice is one per level, not per image.
    Source: Singh, Chopra, Garza et al., CVPR 2021 (DISCO).
    """

    silence: ClassVar[str] = "channels that are not sent are gone; the others are sent as they are"
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    learned: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("keep", rising=False)

    keep: float = Field(gt=0, lt=1, description="share of channels that are sent, at least one")
    choose: Literal["learned", "energy"] = Field(
        default="learned",
        description="learned: scores trained with the encoder, the same channels for all samples; "
        "energy: the strongest channels of each sample",
    )

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The gates of one party."""
        return _ChannelPruningGuard(
            {level: self._gate(site.shapes[level][0], rng) for level in self.acting_levels(site)}
        )

    def wire_share(self, direction: Direction, level: int, channels: int) -> float:
        """The share of channels sent; their numbers take next to nothing.

        Gradients cross whole: those of zeroed channels are not zero.
        """
        del level
        return self._kept(channels) / channels if direction is Direction.ACTIVATION else 1.0

    def _kept(self, channels: int) -> int:
        return max(1, round(self.keep * channels))

    def _gate(self, channels: int, rng: Generator) -> nn.Module:
        kept = self._kept(channels)
        if self.choose == "energy":
            return _EnergyGate(kept)
        return _LearnedGate(0.1 * torch.randn(channels, generator=rng), kept)


class _ChannelPruningGuard(Guard):
    def __init__(self, gates: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.gates = nn.ModuleDict({str(level): gate for level, gate in gates.items()})

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """The features with zeros in the channels that are not sent."""
        del rng
        if str(level) not in self.gates:
            return features
        gated: Tensor = self.gates[str(level)](features)
        return gated


class _EnergyGate(nn.Module):
    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept

    def forward(self, features: Tensor) -> Tensor:
        energies = channel_energies(features.detach())
        mask = _top(energies, self._kept).to(features.dtype)
        return features * mask.reshape(*mask.shape, *[1] * (features.dim() - 2))


class _LearnedGate(nn.Module):
    """Hard choice forward, soft scores backward (straight-through; Bengio et al. 2013)."""

    def __init__(self, scores: Tensor, kept: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)
        self._kept = kept

    def forward(self, features: Tensor) -> Tensor:
        soft = self.scores.sigmoid()
        hard = _top(self.scores.detach()[None], self._kept)[0].to(soft.dtype)
        mask = soft + (hard - soft).detach()
        return features * mask.to(features.dtype).reshape(1, -1, *[1] * (features.dim() - 2))


def _top(scores: Tensor, kept: int) -> Tensor:
    """Ones at the largest scores of each row, zeros elsewhere; of equals the first."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return (order.argsort(dim=1) < kept).to(scores.dtype)

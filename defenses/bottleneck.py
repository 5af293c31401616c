"""Send fewer channels, mixed by a learned 1x1 convolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Generator, Tensor, nn

from leakaudit.exchange.defense import Defense, Guard, Site, Strength

from ._randomness import initialised_projection


class Bottleneck(Defense):
    """Squeeze the channels through a learned 1x1 convolution before sending.

    The server is built for the channels that arrive. The convolution belongs to the party and
    trains with its encoder.

    Protects: nothing that can be claimed; fewer channels carry less, and cost fewer bytes.
    Source: Eshratifar, Esmaili, Pedram 2019 (BottleNet); Roth et al. 2022 vary what is sent.
    """

    silence: ClassVar[str] = "a fixed linear map to fewer channels: what it drops is gone"
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    learned: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("keep", rising=False)

    keep: float = Field(gt=0, lt=1, description="share of channels that remain, at least one")

    def channels(self, before: int) -> int:
        """Channels sent where so many come in."""
        return max(1, round(self.keep * before))

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The convolutions of one party."""
        return _BottleneckGuard(
            {
                level: initialised_projection(
                    site.split.dimensions,
                    site.shapes[level][0],
                    self.channels(site.shapes[level][0]),
                    rng,
                )
                for level in self.acting_levels(site)
            }
        )


class _BottleneckGuard(Guard):
    def __init__(self, convolutions: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self._channels = {
            level: int(next(conv.parameters()).shape[0]) for level, conv in convolutions.items()
        }
        self.convolutions = nn.ModuleDict(
            {str(level): conv for level, conv in convolutions.items()}
        )

    def shapes(self, shapes: Mapping[int, tuple[int, ...]]) -> Mapping[int, tuple[int, ...]]:
        """With the remaining channels."""
        return {
            level: (self._channels.get(level, shape[0]), *shape[1:])
            for level, shape in shapes.items()
        }

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """The squeezed channels."""
        del rng
        if level not in self._channels:
            return features
        squeezed: Tensor = self.convolutions[str(level)](features)
        return squeezed

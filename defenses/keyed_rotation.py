"""Turn the channels by a secret rotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Guard, Site

from .bottleneck import Bottleneck


class KeyedRotation(Defense):
    """Multiply the channels of each level by a secret orthogonal matrix, fixed for the run.

    The server learns on rotated features as well as on plain ones, so Dice costs nothing.

    Protects: nothing against an adversary who may query the encoder or knows images of the
    party's modality: pairs of image and message give the key away. Only an adversary without any
    pair is hindered.
    Source: the family of learnable and keyed encryptions, such as Huang et al. 2020 (InstaHide),
    broken by Carlini et al. 2021.
    """

    silence: ClassVar[str] = "a fixed linear map, which attacks undo"
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The keys of one party."""
        return _KeyedRotationGuard(
            {level: _rotation(site.shapes[level][0], rng) for level in self.acting_levels(site)}
        )

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """A learned linear map right after a rotation undoes it or takes it in.

        Raises:
            ConfigurationError: a bottleneck comes later on the same messages.
        """
        super().check_stack(before, after)
        if any(isinstance(other, Bottleneck) and self.overlaps(other) for other in after):
            raise ConfigurationError(
                "a rotation comes after a bottleneck, whose learned weights would take it in",
                found="KeyedRotation, then Bottleneck",
                remedy="exchange the two",
            )


class _KeyedRotationGuard(Guard):
    def __init__(self, keys: Mapping[int, Tensor]) -> None:
        super().__init__()
        self._levels = tuple(keys)
        for level, key in keys.items():
            self.register_buffer(f"key_{level}", key)

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """The rotated channels."""
        del rng
        if level not in self._levels:
            return features
        key = self.get_buffer(f"key_{level}").to(features.dtype)
        rotated: Tensor = torch.einsum("oc,nc...->no...", key, features)
        return rotated


def _rotation(channels: int, rng: Generator) -> Tensor:
    """An orthogonal matrix from the uniform (Haar) distribution; Mezzadri 2007, section 5."""
    gaussian = torch.randn(channels, channels, generator=rng, dtype=torch.float64)
    orthogonal, upper = torch.linalg.qr(gaussian)
    haar: Tensor = orthogonal * upper.diagonal().sign()
    return haar.float()

"""What an encoder made of images: whoever asks about them again pays for the defense's redraw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from leakaudit.threat.sources import Features

_KEPT_BYTES = 2**26  # of features; earlier ones are forgotten for it, larger ones never kept


@runtime_checkable
class Guarded(Protocol):
    """An encoder, and guards, which may be random."""

    @property
    def encoder_draws(self) -> bool:
        """Whether the encoder itself may be random, as one is that drops in training."""

    def encoded(self, images: Tensor) -> Features:
        """Features before any defense."""

    def guarded(self, features: Features, rng: Generator) -> Features:
        """The same as every defense in turn lets them go."""


class Asked:
    """Answers to queries, message by message.

    An attack on a random defense asks about the same images many times: the encoder need not run
    again for each redraw. Of what it made, the latest is kept.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[object, Tensor, list[Features], int]] = []

    def answers(
        self,
        endpoint: Callable[[Tensor, Generator], Features] | Guarded,
        images: Tensor,
        size: int,
        rng: Generator,
    ) -> list[Features]:
        """What is sent for these images, in messages of so many samples.

        Args:
            endpoint: encoder and guards.
            images: (n, modalities, *space).
            size: samples of a message, at most.
            rng: the defenses' randomness.
        """
        with torch.no_grad():
            if not isinstance(endpoint, Guarded):
                return [endpoint(part, rng) for part in images.split(size)]
            if endpoint.encoder_draws:
                return [
                    endpoint.guarded(endpoint.encoded(part), rng) for part in images.split(size)
                ]
            return [
                # A guard that writes into a message must not write into what is kept.
                endpoint.guarded({level: each.clone() for level, each in part.items()}, rng)
                for part in self._encoded(endpoint, images, size)
            ]

    def _encoded(self, endpoint: Guarded, images: Tensor, size: int) -> Iterator[Features]:
        for whose, known, parts, _ in self._kept:
            if whose is endpoint and torch.equal(known, images):
                yield from parts
                return
        fresh: list[Features] = []
        for part in images.split(size):
            fresh.append(endpoint.encoded(part))
            yield fresh[-1]
        held = sum(each.nbytes for part in fresh for each in part.values())
        if held <= _KEPT_BYTES:
            self._kept.append((endpoint, images.clone(), fresh, held))
        while sum(kept for *_, kept in self._kept) > _KEPT_BYTES:
            del self._kept[0]

"""Put back what a fixed transform over space moved away from its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..epochs import pooled
from ..examples import altered
from .crossing import Ask, Crossing, NotApplicableError, Undo

_ASKED = 600  # images
_MOST_POSITIONS = 1100  # whose transform takes seconds


@dataclass(frozen=True)
class Places:
    """A permutation, rotation or signs of positions, always the same, turned towards the images.

    Features vary with the images where they belong. Of the covariance of images and messages the
    orthogonal factor is what turns the latter back, as far as what an encoder does to images by
    itself is symmetric and positive (orthogonal Procrustes; Schönemann 1966).

    Attributes:
        apart: whether every channel has a transform of its own.
    """

    apart: bool

    @property
    def name(self) -> str:
        """In words."""
        return f"positions of {'each channel' if self.apart else 'all channels'} turned to images"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """From many altered copies of the images."""
        grid = sent.values.shape[2:]
        if not 1 < grid.numel() <= _MOST_POSITIONS:
            raise NotApplicableError(f"{grid.numel()} positions")
        own = Generator().manual_seed(0)
        asked = torch.cat([altered(images, own) for _ in range(-(-_ASKED // len(images)))])
        asked = asked[:_ASKED]
        rows = ask(asked).values.flatten(2)
        rows = rows - rows.mean(0)
        rows = rows / rows.square().mean((0, 2), keepdim=True).sqrt().clamp_min(1e-300)
        aims = pooled(asked, grid).double().flatten(2).sum(1)
        together = torch.einsum("np,ncq->cpq", aims - aims.mean(0), rows)
        if self.apart:
            turns = _orthogonal(together)
        else:
            first = _orthogonal(together[together.square().sum((1, 2)).argmax()])
            # Channels that go against the strongest one count with the other sign.
            weights = torch.einsum("cpq,pq->c", together, first)
            turns = _orthogonal(torch.einsum("c,cpq->pq", weights, together))[None]

        def undo(given: Crossing) -> Crossing:
            flat = given.values.flatten(2)
            turned = torch.einsum("cpq,ncq->ncp", turns.expand(flat.shape[1], -1, -1), flat)
            return given.of(turned.reshape(given.values.shape))

        return undo


def _orthogonal(matrix: Tensor) -> Tensor:
    left, _, right = torch.linalg.svd(matrix)
    found: Tensor = left @ right
    return found


PLACES = (Places(apart=False), Places(apart=True))

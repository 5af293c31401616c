"""A message as one vector, and how alike two vectors of one patient are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leakaudit.threat.view import Features

_CELLS = 4  # per axis: where in the image something is, told coarsely
_COMPONENTS = 128


def describe(features: Features) -> Tensor:
    """One vector per sample: means over a coarse grid and spreads over the sample, per channel.

    Args:
        features: level to (n, channels, *grid).

    Returns:
        (n, numbers) double.
    """
    parts = []
    for _, tensor in sorted(features.items()):
        wide = tensor.double()
        cells = tuple(min(_CELLS, side) for side in tensor.shape[2:])
        pool: Callable[..., Tensor] = (
            nn.functional.adaptive_avg_pool2d
            if len(cells) == 2
            else nn.functional.adaptive_avg_pool3d
        )
        flat = wide.flatten(2)
        parts += [
            pool(wide, cells).flatten(1),
            pool(wide.square(), cells).flatten(1).sqrt(),
            flat.std(2),
            flat.abs().mean(2),
        ]
    return torch.cat(parts, dim=1)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Standardise, keep the strongest components, give each a spread of one.

    Attributes:
        centre: (numbers,).
        spread: (numbers,).
        components: (numbers, kept).
    """

    centre: Tensor
    spread: Tensor
    components: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """(n, kept)."""
        return ((vectors - self.centre) / self.spread) @ self.components

    @classmethod
    def fit(cls, vectors: Tensor) -> Whitening:
        """From the vectors of auxiliary samples."""
        centre = vectors.mean(0)
        spread = vectors.std(0)
        spread = torch.where(spread <= 1e-7 * vectors.abs().amax(0), 1.0, spread)
        _, sizes, directions = torch.linalg.svd((vectors - centre) / spread, full_matrices=False)
        kept = min(_COMPONENTS, max(1, len(vectors) // 2), int((sizes > 1e-6 * sizes[0]).sum()))
        kept = max(1, kept)
        scale = sizes[:kept].clamp_min(1e-30) / len(vectors) ** 0.5
        return cls(centre, spread, directions[:kept].T / scale)


def between_patients(vectors: Tensor, patients: Tensor, shrinkage: float) -> Tensor:
    """A map after which samples of one patient lie close: within-patient spread becomes round.

    Args:
        vectors: (n, kept), whitened.
        patients: (n,) owners; where each has a single sample, there is nothing to learn.
        shrinkage: 0 to 1, how far the within-patient covariance is pulled to a round one.

    Returns:
        (kept, kept).
    """
    _, owner = torch.unique(patients, return_inverse=True)
    sums = torch.zeros(int(owner.max()) + 1, vectors.shape[1], dtype=vectors.dtype)
    means = sums.index_add(0, owner, vectors) / torch.bincount(owner)[:, None]
    left = vectors - means[owner]
    within = left.T @ left / max(1, len(vectors) - len(means))
    size = within.diagonal().mean()
    if size <= 0:
        return torch.eye(vectors.shape[1], dtype=vectors.dtype)
    even = torch.eye(len(within), dtype=within.dtype)
    shrunk = (1 - shrinkage) * within / size + shrinkage * even
    values, directions = torch.linalg.eigh(shrunk)
    scaled: Tensor = directions / values.clamp_min(1e-6).sqrt()
    return scaled


def likeness(vectors: Tensor, others: Tensor) -> Tensor:
    """(n, m) cosine of every pair, -1 to 1."""
    unit = nn.functional.normalize(vectors, dim=1)
    return unit @ nn.functional.normalize(others, dim=1).T

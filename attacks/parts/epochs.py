"""Which recorded epoch tells most: a leak in one early epoch is a leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from leakaudit.threat.view import Features

from .conditioning import by_patient

_FOLDS = 3
_POSITIONS = 64  # per sample
_WORTH = 0.05  # of the images' variance, which an epoch alone must tell more
_PENALTY = 1e-2


class Source(Protocol):
    """Where a victim's messages are read from: one epoch, or several put together."""

    def epochs(self, level: int) -> tuple[int, ...]:
        """Which recorded epochs those are."""

    def queried(self, images: Tensor, levels: Sequence[int], rng: Generator) -> Features:
        """What the victim would send for these images, by level."""

    def received(self, levels: Sequence[int]) -> Features:
        """What it sent for the attacked samples, by level."""


def strongest_epochs(
    usual: Source,
    earlier: Mapping[int, Source],
    levels: Sequence[int],
    images: Tensor,
    patients: Tensor,
    rng: Generator,
) -> Source:
    """For each level the epoch from which a closed-form reader tells most of unseen patients.

    Args:
        usual: what is read unless an epoch by itself surely tells more: the last one, or all
            together where a defense is random.
        earlier: every earlier epoch by itself.
        levels: which are read.
        images: (n, modalities, *space), auxiliary.
        patients: (n,) whose they are.
        rng: seeds randomness of its own, so that nothing else changes by having looked.
    """
    if not earlier:
        return usual
    own = torch.Generator().manual_seed(rng.initial_seed())
    folds = by_patient(patients, _FOLDS, own)

    def told(source: Source) -> dict[int, float]:
        sent = source.queried(images, levels, own)
        return {level: _told(sent[level], images, folds, own) for level in levels}

    expected = told(usual)
    each = {epoch: told(source) for epoch, source in earlier.items()}
    chosen: dict[int, Source] = {}
    for level in levels:
        best = max(each, key=lambda epoch: each[epoch][level])
        more = each[best][level] > expected[level] + _WORTH
        chosen[level] = earlier[best] if more else usual
    return usual if all(each is usual for each in chosen.values()) else _PerLevel(chosen)


class _PerLevel:
    """Each level from a source of its own."""

    def __init__(self, chosen: Mapping[int, Source]) -> None:
        self._chosen = chosen

    def epochs(self, level: int) -> tuple[int, ...]:
        return self._chosen[level].epochs(level)

    def queried(self, images: Tensor, levels: Sequence[int], rng: Generator) -> Features:
        found: Features = {}
        for source in dict.fromkeys(self._chosen[level] for level in levels):
            mine = [level for level in levels if self._chosen[level] is source]
            found |= source.queried(images, mine, rng)
        return {level: found[level] for level in levels}

    def received(self, levels: Sequence[int]) -> Features:
        return {level: self._chosen[level].received([level])[level] for level in levels}


def _told(features: Tensor, images: Tensor, folds: Sequence[Tensor], rng: Generator) -> float:
    """Share of the images' variance, at the level's resolution, that a ridge regression tells.

    Of patients it has not seen, position by position, about the typical message and image.
    """
    grid = features.shape[2:]
    small = pooled(images, grid).flatten(2)
    flat = features.flatten(2)
    if not bool(torch.isfinite(flat).all()):
        return 0.0
    places = torch.randperm(flat.shape[2], generator=rng)[:_POSITIONS]
    known, aims = flat[:, :, places].double(), small[:, :, places].double()
    left, whole = 0.0, 0.0
    for fold in folds:
        rest = torch.ones(len(known), dtype=torch.bool)
        rest[fold] = False
        if not bool(rest.any()):
            return 0.0
        centre, aim = known[rest].mean(0), aims[rest].mean(0)
        rows = (known[rest] - centre).movedim(1, -1).flatten(0, 1)
        wanted = (aims[rest] - aim).movedim(1, -1).flatten(0, 1)
        gram = rows.T @ rows
        ridge = _PENALTY * gram.diagonal().mean().clamp_min(1e-300)
        eye = torch.eye(len(gram), dtype=gram.dtype)
        weights = torch.linalg.solve(gram + ridge * eye, rows.T @ wanted)
        guessed = (known[fold] - centre).movedim(1, -1) @ weights
        truth = (aims[fold] - aim).movedim(1, -1)
        left += float((guessed - truth).square().sum())
        whole += float(truth.square().sum())
    return 0.0 if whole <= 0 else 1 - left / whole


def pooled(images: Tensor, grid: Sequence[int]) -> Tensor:
    """(n, modalities, *grid), the mean of what each position of a message covers."""
    if len(grid) == 2:
        return nn.functional.adaptive_avg_pool2d(images, (grid[0], grid[1]))
    return nn.functional.adaptive_avg_pool3d(images, (grid[0], grid[1], grid[2]))

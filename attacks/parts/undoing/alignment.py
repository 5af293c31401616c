"""Turn messages back towards what is typical: signs, rotations, places that are drawn anew.

What is typical is not known beforehand, for queries are turned as well: it is the mean of what was
turned towards the mean before it (generalised Procrustes analysis; Gower 1975).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .crossing import Ask, Crossing, NotApplicableError, Undo
from .invariants import unit_samples

_ROUNDS = 4


@dataclass(frozen=True)
class Signs:
    """Signs of channels, drawn anew for every sample."""

    name: str = "signs of channels turned to the typical"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """The direction that most of each channel's maps have in common, up to sign."""
        del images, ask
        rows = _to_unit(sent.values.flatten(2)).movedim(1, 0)  # (channels, n, positions)
        _, vectors = torch.linalg.eigh(rows @ rows.mT)
        common = torch.einsum("cn,cnp->cp", vectors[..., -1], rows)

        def undo(given: Crossing) -> Crossing:
            along = torch.einsum("ncp,cp->nc", given.values.flatten(2), common)
            return given.of(given.values * _lined(torch.where(along < 0, -1.0, 1.0), given.values))

        return undo


@dataclass(frozen=True)
class SignsOfPositions:
    """Signs of positions, the same for all channels, drawn anew for every sample."""

    name: str = "signs of positions turned to the typical"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """Position by position, the direction over channels in common."""
        del images, ask
        rows = sent.values.flatten(2).movedim(2, 0)  # (positions, n, channels)
        _, vectors = torch.linalg.eigh(rows.mT @ rows)
        common = vectors[..., -1]
        # Neighbours agree: each direction's sign is that of the one all have most in common.
        _, every = torch.linalg.eigh(common.T @ common)
        common = common * torch.where(common @ every[:, -1] < 0, -1.0, 1.0)[:, None]

        def undo(given: Crossing) -> Crossing:
            along = torch.einsum("ncp,pc->np", given.values.flatten(2), common)
            signs = torch.where(along < 0, -1.0, 1.0)[:, None]
            return given.of(given.values * signs.reshape(len(along), 1, *given.values.shape[2:]))

        return undo


@dataclass(frozen=True)
class Rotations:
    """Rotations of the channels, drawn anew for every sample or message.

    Attributes:
        together: whether the samples of a message share theirs.
        whitened: whether channels may be mixed otherwise than by a rotation.
    """

    together: bool
    whitened: bool = False

    @property
    def name(self) -> str:
        """In words."""
        how = "whitened and " if self.whitened else ""
        return (
            f"channels of a {'message' if self.together else 'sample'} {how}turned to the typical"
        )

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """The typical message, whichever way it is turned."""
        del images, ask
        if sent.values.shape[1] < 2:
            raise NotApplicableError("one channel cannot be turned")
        prepared = self._prepared(sent)
        rows = prepared.values.flatten(2)
        typical = rows[0]
        for _ in range(_ROUNDS):
            typical = self._turned(prepared, typical).values.flatten(2).mean(0)
        return lambda given: self._turned(self._prepared(given), typical)

    def _prepared(self, sent: Crossing) -> Crossing:
        if not self.whitened:
            return sent
        rows = sent.values.flatten(2)
        grams = rows @ rows.mT
        if self.together:
            grams = sent.summed(grams)
        values, vectors = torch.linalg.eigh(grams)
        top = values[:, -1:].clamp_min(1e-300)
        scale = torch.where(values > 1e-12 * top, values.clamp_min(1e-300).rsqrt(), 0.0)
        return sent.of((scale[..., None] * (vectors.mT @ rows)).reshape(sent.values.shape))

    def _turned(self, sent: Crossing, typical: Tensor) -> Crossing:
        rows = sent.values.flatten(2)
        cross = typical @ rows.mT
        if self.together:
            cross = sent.summed(cross)
        left, _, right = torch.linalg.svd(cross)
        return sent.of((left @ right @ rows).reshape(sent.values.shape))


@dataclass(frozen=True)
class Turns:
    """Mirrored, and where sides are equal turned by right angles, anew for every sample."""

    name: str = "mirrored and turned to the typical"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """Which of few positions each sample is in; the typical one is held beside the image."""
        del ask
        ways = _turns(sent.values.shape[2:])
        aim = _pooled(images, sent.values.shape[2:]).mean(0)
        typical = unit_samples(sent.values)[0]
        for _ in range(_ROUNDS):
            typical = _best_of(sent.values, ways, typical).mean(0)
        typical = max((way(typical[None])[0] for way in ways), key=lambda each: _told(each, aim))
        return lambda given: given.of(_best_of(given.values, ways, typical))


@dataclass(frozen=True)
class Shifts:
    """Shifted cyclically, anew for every sample."""

    name: str = "shifted to the typical"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """Where each sample lies most like the typical one, which is held beside the image."""
        del ask
        aim = _pooled(images, sent.values.shape[2:]).mean(0)
        typical = unit_samples(sent.values)[0]
        for _ in range(_ROUNDS):
            typical = _shifted(sent.values, typical).mean(0)
        plain, picture = typical - _mean(typical), (aim - _mean(aim)).sum(0)
        likeness = _likeness(plain[None], picture[None, None])[0]
        typical = _rolled(typical, likeness.square().sum(0))
        return lambda given: given.of(_shifted(given.values, typical))


def _shifted(values: Tensor, typical: Tensor) -> Tensor:
    """(n, c, *grid), each shifted to where it is most like the typical (c, *grid)."""
    likeness = _likeness(values, typical[None]).sum(1)
    return torch.stack([_rolled(*each) for each in zip(values, likeness, strict=True)])


def _likeness(values: Tensor, typical: Tensor) -> Tensor:
    """(n, c, *grid) products of maps for every shift of the first."""
    axes = tuple(range(2, values.ndim))
    waves = torch.fft.fftn(values, dim=axes).conj() * torch.fft.fftn(typical, dim=axes)
    found: Tensor = torch.fft.ifftn(waves, dim=axes)
    return found.real


def _rolled(values: Tensor, likeness: Tensor) -> Tensor:
    """(c, *grid) rolled to where likeness (*grid) is largest."""
    where = torch.unravel_index(likeness.argmax(), likeness.shape)
    return values.roll([int(each) for each in where], tuple(range(1, values.ndim)))


def _turns(grid: Sequence[int]) -> list[Callable[[Tensor], Tensor]]:
    axes = range(2, 2 + len(grid))
    chosen = [
        flips for count in range(len(grid) + 1) for flips in itertools.combinations(axes, count)
    ]
    orders = [tuple(axes)]
    if len(set(grid)) == 1 and len(grid) == 2:
        orders.append((3, 2))

    def turn(order: tuple[int, ...], flips: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        return lambda values: values.permute(0, 1, *order).flip(flips)

    return [turn(order, flips) for order in orders for flips in chosen]


def _best_of(values: Tensor, ways: Sequence[Callable[[Tensor], Tensor]], typical: Tensor) -> Tensor:
    tried = torch.stack([way(values) for way in ways])
    likeness = torch.einsum("wnd,d->wn", tried.flatten(2), typical.flatten())
    return tried[likeness.argmax(0), torch.arange(len(values))]


def _told(typical: Tensor, aim: Tensor) -> float:
    """How much of a mean image (m, *grid) the channels of a typical message (c, *grid) tell."""
    rows = torch.cat([typical.flatten(1), torch.ones_like(typical[:1]).flatten(1)]).T
    wanted = aim.flatten(1).T
    left = wanted - rows @ torch.linalg.lstsq(rows, wanted, driver="gelsd").solution
    return -float(left.square().sum())


def _pooled(images: Tensor, grid: Sequence[int]) -> Tensor:
    if len(grid) == 2:
        found = nn.functional.adaptive_avg_pool2d(images, (grid[0], grid[1]))
    elif len(grid) == 3:
        found = nn.functional.adaptive_avg_pool3d(images, (grid[0], grid[1], grid[2]))
    else:
        raise NotApplicableError("no grid of two or three axes")
    return found.double()


def _mean(maps: Tensor) -> Tensor:
    return maps.flatten(1).mean(1).reshape(-1, *(1,) * (maps.ndim - 1))


def _to_unit(rows: Tensor) -> Tensor:
    size: Tensor = rows.norm(dim=-1, keepdim=True)
    return rows / size.clamp_min(1e-300)


def _lined(rows: Tensor, like: Tensor) -> Tensor:
    return rows.reshape(*rows.shape, *(1,) * (like.ndim - rows.ndim))


ALIGNMENTS = (
    Signs(), SignsOfPositions(), Rotations(together=False), Rotations(together=True),
    Rotations(together=False, whitened=True), Rotations(together=True, whitened=True),
    Turns(), Shifts(),
)  # fmt: skip

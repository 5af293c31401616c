"""The adversary's picker: whose is it, judged by pictures or messages of people it could name.

Two of one patient are told from two of different patients by what is learnt on the adversary's own
patients. The view alone is used, so a picker meets every defense the messages went through.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.threat.knowledge import IdentityQuestion
from leakaudit.threat.sources import Features

# Sides of the cells over which edges and brightness are told, fewer where there are many channels.
_EDGE_CELLS, _GRID_CELLS = 8, 12
_MOST_NUMBERS = 2**14  # per message: what crosses with 64 channels is told more coarsely
_PIXEL_CELLS = 32
_SHARPNESS = 6  # an edge speaks for directions within about 20 degrees
_SHRINKAGES = (1.0, 0.3, 3.0)
_FOLDS = 3
_LEAST = 1e-12

Block = Literal["edges", "grid", "pixels"]
# Fixed ways to look, and how a closed-form map learnt on pairs of one patient improves the best.
_FIXED: dict[str, tuple[Block, ...]] = {
    "edges and grid": ("edges", "grid"),
    "edges": ("edges",),
    "grid": ("grid",),
    "pixel correlation": ("pixels",),
}

Described = dict[Block, Tensor]


@dataclass(frozen=True, eq=False)
class Picker:
    """Tells how alike two samples are, as far as that says whose they are.

    Attributes:
        method: which way of looking unseen auxiliary patients were told apart by best.
        shares: of pairs of one such patient, how many look more alike than pairs of two, by method.
    """

    method: str
    shares: dict[str, float]
    _embed: Callable[[Described], Tensor]

    def __call__(self, sent: Described, people: Described) -> Tensor:
        """(n, c) cosine of every pair, -1 to 1.

        Args:
            sent: of the n attacked samples.
            people: of one sample of each candidate.
        """
        return _cosine(self._embed(sent), self._embed(people))


def describe(features: Features) -> Described:
    """Edges by direction, brightness over a grid, and pixels, per channel.

    Args:
        features: level to (n, channels, *grid); an image is one level.

    Returns:
        (n, numbers) of each block. Edges are contrast-normalised among neighbouring cells, like
        histograms of oriented gradients (Dalal and Triggs, CVPR 2005).
    """
    blocks: dict[Block, list[Tensor]] = {"edges": [], "grid": [], "pixels": []}
    channels = sum(tensor.shape[1] for tensor in features.values())
    for _, tensor in sorted(features.items()):
        wide = tensor.float()
        dimensions = wide.ndim - 2
        each = len(_directions(dimensions))
        blocks["edges"].append(_edges(wide, _sides(wide, _EDGE_CELLS, channels * each)))
        blocks["grid"].append(_pool(wide, _sides(wide, _GRID_CELLS, channels)).flatten(1))
        blocks["pixels"].append(_pool(wide, _sides(wide, _PIXEL_CELLS, channels)).flatten(1))
    return {name: torch.cat(parts, dim=1) for name, parts in blocks.items()}


def learn(known: Described, patients: Tensor) -> Picker:
    """Learn on auxiliary patients, and choose by those that were held out.

    Learning is a closed form: directions in which samples of one patient differ from each other
    are shrunk (Hatch et al., "Within-class covariance normalization", Interspeech 2006). Where
    patients have a single sample each, there is nothing to learn and nothing to choose by.

    Args:
        known: of the auxiliary samples.
        patients: (n,) their owners.

    Raises:
        NotMountableError: no auxiliary patient has two samples, or fewer than two patients do.
    """
    owners, counts = torch.unique(patients, return_counts=True)
    if int((counts > 1).sum()) < 2:
        raise NotMountableError(
            "a picker learns from auxiliary patients with two samples each",
            found=f"{int((counts > 1).sum())} such patients of {len(owners)}",
            remedy="take several slices or patches per patient, and more auxiliary patients",
        )
    shares = _held_out(known, patients)
    best = max(shares, key=shares.__getitem__)  # of equals the first
    return Picker(best, shares, _ways(known, patients)[best])


def together(scores: Tensor, patients: Tensor, question: IdentityQuestion) -> Tensor:
    """(n, c): what all samples of a patient say together, in each of its rows.

    Args:
        scores: (n, c) of single samples.
        patients: (n,) which samples belong together.
        question: where the very image may have been sent, the most alike sample speaks; otherwise
            the evidence of all samples is summed.
    """
    _, owner, counts = torch.unique(patients, return_inverse=True, return_counts=True)
    pooled = scores.new_full((len(counts), scores.shape[1]), 0.0)
    if question == "same image":
        index = owner[:, None].expand_as(scores)
        pooled = pooled.scatter_reduce(0, index, scores, "amax", include_self=False)
    else:
        pooled = pooled.index_add(0, owner, scores) / counts[:, None]
    return pooled[owner]


def _held_out(known: Described, patients: Tensor) -> dict[str, float]:
    """By method: how often two of one unseen patient look more alike than two of different ones."""
    owners = torch.unique(patients)
    order = owners[torch.randperm(len(owners), generator=torch.Generator().manual_seed(0))]
    wins: dict[str, list[float]] = {}
    for fold in order.chunk(min(_FOLDS, max(1, len(owners) // 2))):
        inside = torch.isin(patients, fold)
        rest = ~inside if not bool(inside.all()) else inside
        ways = _ways(_rows(known, rest), patients[rest])
        same = patients[inside][:, None] == patients[inside][None]
        pairs = torch.ones_like(same).triu(1)
        if not bool((same & pairs).any()) or not bool((~same & pairs).any()):
            continue
        for name, embed in ways.items():
            shown = embed(_rows(known, inside))
            alike = _cosine(shown, shown)
            share = _more_often(alike[same & pairs], alike[~same & pairs])
            wins.setdefault(name, []).append(share)
    if not wins:
        return {next(iter(_ways(known, patients))): 0.5}
    return {name: sum(each) / len(each) for name, each in wins.items()}


def _more_often(first: Tensor, second: Tensor) -> float:
    """How often a value of the first is larger than one of the second; ties count half."""
    ordered = second.sort().values.contiguous()
    below = torch.searchsorted(ordered, first.contiguous())
    not_above = torch.searchsorted(ordered, first.contiguous(), right=True)
    return float((below + not_above).double().mean() / (2 * len(ordered)))


def _ways(known: Described, patients: Tensor) -> dict[str, Callable[[Described], Tensor]]:
    """Every method, fitted; learnt ones first."""
    fixed = {name: _joined(known, blocks) for name, blocks in _FIXED.items()}
    base = fixed["edges and grid"]
    scatter = _within(base(known), patients)
    learnt = {f"learnt, {each:g}": _shrunk(base, *scatter, each) for each in _SHRINKAGES}
    return learnt | fixed


def _joined(known: Described, blocks: Sequence[Block]) -> Callable[[Described], Tensor]:
    """Blocks side by side, without what all auxiliary samples share, each of unit length."""
    centres = {block: known[block].mean(0) for block in blocks}

    def embed(some: Described) -> Tensor:
        return torch.cat(
            [nn.functional.normalize(some[b] - centre, dim=1) for b, centre in centres.items()], 1
        )

    return embed


def _within(vectors: Tensor, patients: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (numbers, kept) in which samples of one patient differ, and how far (kept,)."""
    _, owner = torch.unique(patients, return_inverse=True)
    sums = torch.zeros(int(owner.max()) + 1, vectors.shape[1]).index_add(0, owner, vectors)
    left = vectors - (sums / torch.bincount(owner)[:, None])[owner]
    _, sizes, directions = torch.linalg.svd(left, full_matrices=False)
    kept = sizes > 1e-5 * sizes[0].clamp_min(_LEAST)
    return directions[kept].T, sizes[kept].square()


def _shrunk(
    base: Callable[[Described], Tensor], directions: Tensor, sizes: Tensor, shrinkage: float
) -> Callable[[Described], Tensor]:
    floor = shrinkage * sizes.mean() if len(sizes) else torch.tensor(0.0)
    less = 1 - (floor / (sizes + floor)).sqrt()

    def embed(some: Described) -> Tensor:
        vectors = base(some)
        return vectors - ((vectors @ directions) * less) @ directions.T

    return embed


def _rows(known: Described, rows: Tensor) -> Described:
    return {block: vectors[rows] for block, vectors in known.items()}


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return nn.functional.normalize(first, dim=1) @ nn.functional.normalize(second, dim=1).T


def _sides(tensor: Tensor, wanted: int, channels: int) -> tuple[int, ...]:
    """Cells per axis: as many as wanted, where the image is that large and the numbers that few."""
    dimensions = tensor.ndim - 2
    most = max(2, int((_MOST_NUMBERS / channels) ** (1 / dimensions)))
    return tuple(min(wanted, most, side) for side in tensor.shape[2:])


def _pool(tensor: Tensor, cells: tuple[int, ...]) -> Tensor:
    pool: Callable[..., Tensor] = (
        nn.functional.adaptive_avg_pool2d if len(cells) == 2 else nn.functional.adaptive_avg_pool3d
    )
    return pool(tensor, cells)


def mean_of_three(images: Tensor) -> Tensor:
    """Each voxel the mean of it and its neighbours; (n, channels, *space)."""
    pool: Callable[..., Tensor] = (
        nn.functional.avg_pool2d if images.ndim == 4 else nn.functional.avg_pool3d
    )
    sides = [3 if side > 1 else 1 for side in images.shape[2:]]
    return pool(images, sides, 1, [side // 2 for side in sides], count_include_pad=False)


def slopes_of(images: Tensor) -> tuple[Tensor, ...]:
    """Differences along each axis; none along one of a single voxel."""
    return tuple(
        torch.gradient(images, dim=axis)[0] if images.shape[axis] > 1 else torch.zeros_like(images)
        for axis in range(2, images.ndim)
    )


def _edges(images: Tensor, cells: tuple[int, ...]) -> Tensor:
    """(n, channels * directions * cells): strength of edges by direction and place."""
    slopes = torch.stack(slopes_of(images), dim=2)
    strength = slopes.square().sum(2).sqrt()
    towards = []
    for direction in _directions(images.ndim - 2):
        along = torch.einsum("d,ncd...->nc...", torch.tensor(direction), slopes).abs()
        share = (along / strength.clamp_min(_LEAST)) ** _SHARPNESS
        towards.append(_pool(strength * share, cells))
    told = torch.stack(towards, dim=2)  # (n, channels, directions, *cells)
    energy = told.square().sum(2)
    around = mean_of_three(energy)
    faint = 1e-2 * around.flatten(2).mean(2).sqrt().reshape(*around.shape[:2], *[1] * len(cells))
    normalised: Tensor = told / (around.sqrt() + faint + _LEAST)[:, :, None]
    return normalised.flatten(1)


def _directions(dimensions: int) -> list[tuple[float, ...]]:
    """Unit vectors spread over all lines through a point: 8 in the plane, 13 in space."""
    if dimensions == 2:
        angles = (torch.arange(8) * torch.pi / 8).tolist()
        return [
            (float(torch.sin(torch.tensor(a))), float(torch.cos(torch.tensor(a)))) for a in angles
        ]
    lines = [
        step
        for step in itertools.product((-1, 0, 1), repeat=3)
        if any(step) and next(each for each in step if each) > 0
    ]
    return [tuple(each / sum(map(abs, step)) ** 0.5 for each in step) for step in lines]

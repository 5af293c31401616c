"""Images cut into the blocks that belong to one feature position, and put together again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

Strides = int | Sequence[int]
"""Pixels per feature position: along each axis, or the same along all."""


def strides(space: Sequence[int], grid: Sequence[int]) -> tuple[int, ...]:
    """Pixels per feature position along each axis: powers of two where one fits."""
    return tuple(_stride(side, have) for side, have in zip(space, grid, strict=True))


def _stride(side: int, have: int) -> int:
    halved = (2**power for power in range(side.bit_length()))
    exact = next((each for each in halved if have in {side // each, -(-side // each)}), None)
    return exact or max(1, side // have)


def on_grid(features: Tensor, space: Sequence[int]) -> Tensor:
    """Features whose positions lie in the image: those of no grid become channels of a single one.

    Args:
        features: (n, channels, *positions).
        space: size of the images.
    """
    finer = any(have > side for side, have in zip(space, features.shape[2:], strict=True))
    # Tokens without a grid stand along the first axis.
    listed = features.shape[2] > 1 and math.prod(features.shape[3:]) == 1
    return features.reshape(len(features), -1, *(1,) * len(space)) if finer or listed else features


def space_to_depth(images: Tensor, factor: Strides, grid: tuple[int, ...]) -> Tensor:
    """Cut images into blocks: (n, c, *grid * factor) to (n, c * blocks, *grid); crops the rest.

    Where the images are short of that, their edges are repeated. The inverse of
    :func:`depth_to_space` on what is not cropped.
    """
    n, channels = images.shape[:2]
    d = len(grid)
    factors = _each(factor, d)
    wanted = tuple(side * by for side, by in zip(grid, factors, strict=True))
    cropped = stretch(images, wanted)
    pairs = itertools.chain(*zip(grid, factors, strict=True))
    blocks = cropped.reshape(n, channels, *pairs)
    order = (0, 1, *(3 + 2 * axis for axis in range(d)), *(2 + 2 * axis for axis in range(d)))
    return blocks.permute(order).reshape(n, channels * math.prod(factors), *grid)


def depth_to_space(blocks: Tensor, factor: Strides, space: tuple[int, ...]) -> Tensor:
    """Put blocks back: (n, c * blocks, *grid) to (n, c, *space), edges repeated where short."""
    n, grid = blocks.shape[0], tuple(blocks.shape[2:])
    d = len(grid)
    factors = _each(factor, d)
    split = blocks.reshape(n, -1, *factors, *grid)
    pairs = itertools.chain(*((2 + d + axis, 2 + axis) for axis in range(d)))
    whole = (side * by for side, by in zip(grid, factors, strict=True))
    return stretch(split.permute(0, 1, *pairs).reshape(n, -1, *whole), space)


def stretch(images: Tensor, space: tuple[int, ...]) -> Tensor:
    """Repeat the last row, column and slice until the size fits, or cut off what is beyond it."""
    for axis, side in enumerate(space, start=2):
        if images.shape[axis] > side:
            images = images.narrow(axis, 0, side)
    missing = [side - have for side, have in zip(space, images.shape[2:], strict=True)]
    if not any(missing):
        return images
    return nn.functional.pad(
        images, [end for side in reversed(missing) for end in (0, side)], "replicate"
    )


def _each(factor: Strides, dimensions: int) -> tuple[int, ...]:
    return (factor,) * dimensions if isinstance(factor, int) else tuple(factor)

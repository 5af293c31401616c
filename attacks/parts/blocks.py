"""Images cut into the blocks that belong to one feature position, and put together again."""

from __future__ import annotations

import itertools

from torch import Tensor, nn


def space_to_depth(images: Tensor, factor: int, grid: tuple[int, ...]) -> Tensor:
    """Cut images into blocks: (n, c, *grid * factor) to (n, c * factor**d, *grid); crops the rest.

    The inverse of :func:`depth_to_space` on what is not cropped.
    """
    n, channels = images.shape[:2]
    d = len(grid)
    cropped = images
    for axis, side in enumerate(grid, start=2):
        cropped = cropped.narrow(axis, 0, side * factor)
    blocks = cropped.reshape(n, channels, *itertools.chain(*((side, factor) for side in grid)))
    order = (0, 1, *(3 + 2 * axis for axis in range(d)), *(2 + 2 * axis for axis in range(d)))
    return blocks.permute(order).reshape(n, channels * factor**d, *grid)


def depth_to_space(blocks: Tensor, factor: int, space: tuple[int, ...]) -> Tensor:
    """Put blocks back: (n, c * factor**d, *grid) to (n, c, *space), edges repeated where short."""
    n, grid = blocks.shape[0], tuple(blocks.shape[2:])
    d = len(grid)
    split = blocks.reshape(n, -1, *(factor,) * d, *grid)
    pairs = itertools.chain(*((2 + d + axis, 2 + axis) for axis in range(d)))
    images = split.permute(0, 1, *pairs).reshape(n, -1, *(side * factor for side in grid))
    return stretch(images, space)


def stretch(images: Tensor, space: tuple[int, ...]) -> Tensor:
    """Repeat the last row, column and slice until the size fits: odd sizes halve rounding down."""
    missing = [side - have for side, have in zip(space, images.shape[2:], strict=True)]
    if not any(missing):
        return images
    return nn.functional.pad(
        images, [end for side in reversed(missing) for end in (0, side)], "replicate"
    )

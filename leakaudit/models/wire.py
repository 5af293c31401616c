"""What crosses is laid out as (n, channels, *grid), whatever the network calls its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from leakaudit.errors import ConfigurationError


@dataclass(frozen=True)
class Layout:
    """How a cut's tensors are laid out in the network and on the wire.

    Attributes:
        inner: shape inside the network, without the samples.
        outer: (channels, *grid) on the wire. Tokens lie on their grid where they fill one; else
            all positions stand along the first axis, and the other axes have length one.
    """

    inner: tuple[int, ...]
    outer: tuple[int, ...]

    @classmethod
    def of(cls, inner: tuple[int, ...], space: tuple[int, ...]) -> Layout:
        """The layout of a tensor of that shape (without the samples), from images of that size.

        Raises:
            ConfigurationError: neither a grid, nor tokens, nor one vector per sample.
        """
        ones = (1,) * (len(space) - 1)
        if len(inner) == 1 + len(space):
            return cls(inner, inner)
        if len(inner) == 2:
            tokens, channels = inner
            return cls(inner, (channels, *(_grid(tokens, space) or (tokens, *ones))))
        if len(inner) == 1:
            return cls(inner, (*inner, 1, *ones))
        raise ConfigurationError(
            "a cut sends a grid (n, channels, *space), tokens (n, tokens, channels) or one vector "
            "per sample (n, channels)",
            found=f"(n, {', '.join(map(str, inner))})",
            remedy="cut after another module",
        )

    @property
    def tokens(self) -> bool:
        """Whether positions come before channels inside the network."""
        return len(self.inner) == 2

    def onto_wire(self, tensor: Tensor) -> Tensor:
        """(n, *inner) to (n, *outer)."""
        moved = tensor.transpose(1, 2) if self.tokens else tensor
        return moved.reshape(len(tensor), *self.outer)

    def off_wire(self, tensor: Tensor) -> Tensor:
        """(n, channels, *grid), of as many channels as it may be, back to the network's layout."""
        if self.tokens:
            return tensor.flatten(2).transpose(1, 2)
        return tensor.flatten(1) if len(self.inner) == 1 else tensor


def _grid(tokens: int, space: tuple[int, ...]) -> tuple[int, ...] | None:
    """The grid of equal strides that so many tokens fill; None where there is none."""
    for stride in range(1, min(space) + 1):
        grid = tuple(side // stride for side in space)
        if math.prod(grid) == tokens:
            return grid
        if math.prod(grid) < tokens:
            return None
    return None

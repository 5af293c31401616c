"""Which way a number leaks."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """The end of a scale at which the adversary has learnt more."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def sign(self) -> int:
        """+1 where higher leaks, -1 where lower leaks; ``sign * value`` grows with the leak."""
        return 1 if self is Direction.HIGHER else -1

    @property
    def opposite(self) -> Direction:
        """The other end."""
        return Direction.LOWER if self is Direction.HIGHER else Direction.HIGHER

"""How much an attack may spend, as one word."""

from __future__ import annotations

from typing import Literal

Effort = Literal["quick", "standard", "thorough"]

_FACTOR = {"quick": 0.3, "standard": 1.0, "thorough": 5.0}


def scaled(amount: int, effort: Effort) -> int:
    """An amount of standard effort, scaled and never below one."""
    return max(1, round(amount * _FACTOR[effort]))

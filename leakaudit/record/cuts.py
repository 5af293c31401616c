"""How cuts read in a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEVEL = re.compile(r"level (\d+)")


def cuts_text(names: Sequence[str]) -> str:
    """`cut down_layers.1`, `cuts a, b`; of split-u-net: `level 0`, `levels 0 to 2`."""
    levels = [int(found[1]) for name in names if (found := _LEVEL.fullmatch(name))]
    if not names:
        return "no cut"
    if len(levels) < len(names):
        return f"cut{'s' if len(names) > 1 else ''} {', '.join(names)}"
    levels.sort()
    if len(levels) == 1:
        return f"level {levels[0]}"
    if levels == list(range(levels[0], levels[-1] + 1)):
        return f"levels {levels[0]} to {levels[-1]}"
    return f"levels {', '.join(map(str, levels))}"

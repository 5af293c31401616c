"""Names for patients that may leave the room."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


def pseudonyms(originals: Iterable[str], key: str) -> dict[str, str]:
    """P001, P002, ... by the order of each original's keyed digest (HMAC-SHA-256).

    The order does not follow names, dates or hospitals hidden in the originals. The same set of
    originals and the same key give the same table; whoever holds both can rebuild it, so this is
    pseudonymisation, not anonymisation.

    Args:
        originals: names of patients as found on disk; repeats count once.
        key: any text.
    """
    ranked = sorted(
        set(originals),
        key=lambda name: hmac.new(key.encode(), name.encode(), hashlib.sha256).digest(),
    )
    width = max(3, len(str(len(ranked))))
    return {name: f"P{rank:0{width}d}" for rank, name in enumerate(ranked, start=1)}

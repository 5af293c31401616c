"""What is attacked: whose asset, and through which messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Asset = Literal["images", "masks", "identity", "membership", "attribute"]


@dataclass(frozen=True, order=True)
class Target:
    """What is attacked, and through which messages.

    Attributes:
        victim: party (or server) that holds the asset.
        asset: what is to be recovered.
        levels: levels whose messages may be used.
    """

    victim: str
    asset: Asset
    levels: tuple[int, ...]

"""The split and its networks. Networks load when asked for: torch is slow to import."""

from leakaudit.split.spec import SERVER, PartySpec, SplitSpec, level_size

__all__ = ["SERVER", "PartySpec", "SplitSpec", "level_size"]

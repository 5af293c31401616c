"""Who holds what, and where the network is cut."""

from leakaudit.split.spec import SERVER, MeasuredCut, PartySpec, SplitSpec, level_size

__all__ = ["SERVER", "MeasuredCut", "PartySpec", "SplitSpec", "level_size"]

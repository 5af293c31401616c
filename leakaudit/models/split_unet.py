"""The reference: a U-Net whose first encoder levels run at the parties."""

from __future__ import annotations

from torch import nn

from leakaudit.models.model import Model, ReceivedShapes
from leakaudit.models.networks import Head, PartyEncoder, ServerNetwork
from leakaudit.split.spec import SplitSpec


class SplitUNet(Model):
    """K U-Net encoders, whose features the server's decoder joins level by level.

    What it looks like stands in the split: ``channels``, ``party_levels`` and ``skips``. Its cuts
    are the levels that cross; level i is 2**i times coarser than the images.
    Source: the setting of Roth et al. 2022 (arXiv 2208.10553).
    """

    @property
    def read_by_attacks(self) -> bool:
        """Every attack is tested on it."""
        return True

    def encoder(self, split: SplitSpec, party: str, space: tuple[int, ...]) -> nn.Module:
        """The first levels of a U-Net encoder."""
        del space
        return PartyEncoder(split, len(split.party(party).modalities))

    def server(
        self, split: SplitSpec, received: ReceivedShapes, regions: int, space: tuple[int, ...]
    ) -> nn.Module:
        """The deeper levels, and the decoder."""
        del regions, space
        widths = {level: [shape[0] for shape in shapes] for level, shapes in received.items()}
        return ServerNetwork(split, widths)

    def head(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> nn.Module:
        """A 1x1 convolution to the regions."""
        del space
        return Head(split, regions)

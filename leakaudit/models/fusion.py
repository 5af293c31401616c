"""A cut network's parts as the endpoints call them; several parties' features become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.models.parts import PartialNetwork
from leakaudit.models.wire import Layout


class CutEncoder(nn.Module):
    """A part at a party, which lays out what it sends."""

    def __init__(self, part: PartialNetwork, layouts: Sequence[Layout]) -> None:
        super().__init__()
        self.part, self._layouts = part, tuple(layouts)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Cut to what is sent, as it lies on the wire."""
        sent = self.part(images)
        return {
            number: layout.onto_wire(each)
            for number, (each, layout) in enumerate(zip(sent, self._layouts, strict=True))
        }


class Fusion(nn.Module):
    """What several parties send at one cut, as the one tensor that the network expects there."""

    def __init__(self, channels: Sequence[int], layout: Layout, how: str, dimensions: int) -> None:
        super().__init__()
        self._layout, self._how = layout, how
        wanted = layout.outer[0]
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        alike = all(each == wanted for each in channels)
        joined = sum(channels) if how == "concatenate" else wanted
        # One party's features, unchanged in width, are what the network expects.
        self.project: nn.Module = (
            nn.Identity()
            if alike and (how != "concatenate" or len(channels) == 1)
            else conv(joined, wanted, 1)
        )
        self.widen = nn.ModuleList(
            nn.Identity() if how == "concatenate" or each == wanted else conv(each, wanted, 1)
            for each in channels
        )

    def forward(self, parties: Sequence[Tensor]) -> Tensor:
        """(n, *inner) from one (n, channels, *grid) per party."""
        parts = [widen(each) for widen, each in zip(self.widen, parties, strict=True)]
        if self._how == "concatenate":
            return self._layout.off_wire(self.project(torch.cat(parts, 1)))
        total = torch.stack(parts).sum(0)
        return self._layout.off_wire(total / len(parts) if self._how == "mean" else total)


class CutServer(nn.Module):
    """A part at the server, behind one fusion per cut."""

    def __init__(self, part: PartialNetwork, fusions: Sequence[Fusion]) -> None:
        super().__init__()
        self.part, self.fusions = part, nn.ModuleList(fusions)

    def forward(self, received: Sequence[Mapping[int, Tensor]], space: tuple[int, ...]) -> Any:
        """The last features, or the output where no head follows."""
        fused = [
            fusion([each[number] for each in received])
            for number, fusion in enumerate(self.fusions)
        ]
        given = received[0][0]
        blank = given.new_zeros((len(given), 1, *space))
        output = self.part(blank, fused)
        return output[0] if isinstance(output, tuple) and len(output) == 1 else output


class CutHead(nn.Module):
    """A part at the label holder."""

    def __init__(self, part: PartialNetwork, space: tuple[int, ...]) -> None:
        super().__init__()
        self.part, self._space = part, space

    def forward(self, features: Tensor) -> Any:
        """The output."""
        blank = features.new_zeros((len(features), 1, *self._space))
        return self.part(blank, (features,))

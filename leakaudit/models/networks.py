"""Split-U-Net in three pieces that share no autograd graph: party encoder, server, head.

Built from MONAI's blocks. Instance norm, never batch norm: batch statistics would mix patients in
one message, and per-sample gradients (Opacus) forbid them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from monai.networks.blocks.upsample import UpSample
from monai.networks.nets.basic_unet import Down, TwoConv
from torch import Tensor, nn

from leakaudit.split.spec import SplitSpec, level_size

_ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1})
_NORM = ("instance", {"affine": True})

Features = dict[int, Tensor]


def _two_conv(dimensions: int, inputs: int, outputs: int) -> nn.Module:
    block: nn.Module = TwoConv(dimensions, inputs, outputs, _ACTIVATION, _NORM, True)
    return block


def _down(dimensions: int, inputs: int, outputs: int) -> nn.Module:
    block: nn.Module = Down(dimensions, inputs, outputs, _ACTIVATION, _NORM, True)
    return block


class PartyEncoder(nn.Module):
    """The first levels of a U-Net encoder, run at one party.

    Args:
        spec: the split.
        modalities: number of image channels the party holds.
    """

    def __init__(self, spec: SplitSpec, modalities: int) -> None:
        super().__init__()
        widths = spec.channels[: spec.party_levels]
        blocks = [_two_conv(spec.dimensions, modalities, widths[0])]
        blocks += [
            _down(spec.dimensions, above, below) for above, below in itertools.pairwise(widths)
        ]
        self.levels = nn.ModuleList(blocks)
        self.crossing = spec.crossing

    def forward(self, images: Tensor) -> Features:
        """Features of every crossing level.

        Args:
            images: (n, modalities, *space) in [0, 1].

        Returns:
            Level to (n, channels[level], *space / 2**level).
        """
        features: Features = {}
        current = images
        for level, block in enumerate(self.levels):
            current = block(current)
            if level in self.crossing:
                features[level] = current
        return features


class _Up(nn.Module):
    """Upsample, join the skip where one crosses, two convolutions; keeps odd sizes."""

    def __init__(self, dimensions: int, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.upsample: nn.Module = UpSample(dimensions, inputs, outputs, 2, mode="deconv")
        self.convs = _two_conv(dimensions, outputs + skip, outputs)

    def forward(self, below: Tensor, skip: Tensor | None, size: tuple[int, ...]) -> Tensor:
        raised = self.upsample(below)
        missing = [side - have for side, have in zip(size, raised.shape[2:], strict=True)]
        if any(missing):
            padding = [end for side in reversed(missing) for end in (0, side)]
            raised = nn.functional.pad(raised, padding, "replicate")
        joined: Tensor = self.convs(raised if skip is None else torch.cat([skip, raised], dim=1))
        return joined


class ServerNetwork(nn.Module):
    """Everything between the parties' features and the last features.

    Features of all parties are concatenated per level; levels below the cut are encoded here, and
    the decoder uses what crosses as skips.

    Args:
        spec: the split.
        received: level to the channels each party sends, in the order of the split's parties. In a
            horizontal split the server sees one party at a time, and all send the same.
    """

    def __init__(self, spec: SplitSpec, received: Mapping[int, Sequence[int]]) -> None:
        super().__init__()
        widths, self.cut, self.crossing = spec.channels, spec.party_levels - 1, spec.crossing
        alone = spec.orientation == "horizontal"
        fused = {level: each[0] if alone else sum(each) for level, each in received.items()}
        skips = dict(enumerate(widths)) | {
            level: fused.get(level, 0) for level in range(spec.party_levels)
        }
        self.down = nn.ModuleList(
            _down(spec.dimensions, skips[level - 1], widths[level])
            for level in range(spec.party_levels, len(widths))
        )
        deepest = len(widths) - 1
        self.up = nn.ModuleList(
            _Up(
                spec.dimensions,
                skips[deepest] if level + 1 == deepest else widths[level + 1],
                skips[level],
                widths[level],
            )
            for level in range(deepest - 1, -1, -1)
        )

    def forward(self, received: Sequence[Mapping[int, Tensor]], space: tuple[int, ...]) -> Tensor:
        """Last features.

        Args:
            received: per party, level to features, in the order of the split's parties.
            space: size of the images.

        Returns:
            (n, channels[0], *space).
        """
        skips: Features = {
            level: torch.cat([features[level] for features in received], dim=1)
            for level in self.crossing
        }
        current = skips[self.cut]
        for level, block in enumerate(self.down, start=self.cut + 1):
            current = block(current)
            skips[level] = current
        for level, block in zip(range(len(self.up) - 1, -1, -1), self.up, strict=True):
            current = block(current, skips.get(level), level_size(space, level))
        return current


class Head(nn.Module):
    """The last layers: one logit per region. Runs where the labels are."""

    def __init__(self, spec: SplitSpec, regions: int) -> None:
        super().__init__()
        conv = nn.Conv2d if spec.dimensions == 2 else nn.Conv3d
        self.project: nn.Module = conv(spec.channels[0], regions, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, regions, *space)."""
        logits: Tensor = self.project(features)
        return logits


class WholeNetwork(nn.Module):
    """The same pieces as one network in one place, on one autograd graph."""

    def __init__(self, encoders: Sequence[nn.Module], server: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.server = server
        self.head = head

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        """Logits from each party's images, in the order of the split's parties."""
        space = tuple(images[0].shape[2:])
        features = [encoder(image) for encoder, image in zip(self.encoders, images, strict=True)]
        logits: Tensor = self.head(self.server(features, space))
        return logits

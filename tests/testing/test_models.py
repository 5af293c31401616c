"""The contract of models: what ships keeps it, what breaks a rule is told which."""

from typing import Any

import pytest
import torch
from networks_to_cut import NETWORKS, PARTIES, model
from pydantic import Field
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, ContractError
from leakaudit.models import ReceivedShapes
from leakaudit.models.model import Model
from leakaudit.models.split_unet import SplitUNet
from leakaudit.split import SplitSpec
from leakaudit.testing import check_model


def test_the_reference_keeps_the_contract() -> None:
    check_model(SplitUNet(), space=(16, 16))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_of_others_keep_it(name: str) -> None:
    side = 64 if name == "SwinUNETR" else 16
    check_model(
        model(name, 3), SplitSpec(parties=PARTIES), (side, side),
        free=("network", "settings", "imports", "cut_after"),
    )  # fmt: skip


class Broken(Model):
    """Two convolutions, with a fault."""

    fault: str = Field(pattern="^(shared|lent|seedless|stateful|none)$", description="which")

    def encoder(self, split: SplitSpec, party: str, space: tuple[int, ...]) -> nn.Module:
        return _Encoder(len(split.party(party).modalities), self.fault)

    def server(
        self, split: SplitSpec, received: ReceivedShapes, regions: int, space: tuple[int, ...]
    ) -> nn.Module:
        return _Server(sum(shape[0] for shape in received[0]), regions, self.fault)

    def head(self, split: SplitSpec, regions: int, space: tuple[int, ...]) -> nn.Module:
        return nn.Identity()


_SHARED = nn.Parameter(torch.ones(4, 1, 1))
_BUILT: list[nn.Parameter] = []


class _Encoder(nn.Module):
    def __init__(self, modalities: int, fault: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(modalities, 4, 3, padding=1)
        if fault == "seedless":
            rng = torch.Generator().manual_seed(torch.Generator().seed())
            self.conv.weight.data.normal_(generator=rng)
        if fault == "shared":
            self.scale = _SHARED
        _BUILT[:] = [self.conv.weight]

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        return {0: self.conv(images).relu()}


class _Server(nn.Module):
    def __init__(self, channels: int, regions: int, fault: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, regions, 1)
        self.stateful, self.passes = fault == "stateful", 0
        if fault == "shared":
            self.scale = _SHARED
        if fault == "lent":
            self.scale = _BUILT[0]

    def forward(self, received: Any, space: tuple[int, ...]) -> Tensor:
        del space
        self.passes += self.training
        joined = torch.cat([each[0] for each in received], 1)
        return self.conv(joined) * (1 + self.stateful * torch.rand(()))


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("shared", "builds its networks anew"),
        ("lent", "no two owners share a weight"),
        ("seedless", "the same seed gives the same weights"),
        ("stateful", "is the step of the network in one piece"),
    ],
)
def test_a_broken_rule_is_named(fault: str, rule: str) -> None:
    check_model(Broken(fault="none"), space=(16, 16))
    with pytest.raises((ContractError, ConfigurationError), match=rule):
        check_model(Broken(fault=fault), space=(16, 16))


def test_what_cannot_be_split_says_why() -> None:
    careless = model("SegResNet", 2).model_copy(update={"cut_after": ("down_layers.1",)})
    with pytest.raises(ConfigurationError, match="nothing passes the cuts"):
        check_model(careless, SplitSpec(parties=PARTIES), (16, 16), free=("cut_after", "network"))

"""Stages that somebody describes: run as described, refused with the reason where they cannot."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from networks_to_cut import PARTIES
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Direction, Link, Message
from leakaudit.models.measuring import measured
from leakaudit.models.model import Stage
from leakaudit.split import SERVER, SplitSpec
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

SPACE = (16, 16)


class Encoder(nn.Module):
    """Two cuts: one at full resolution, one of uneven strides."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(modalities, 4, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, stride=(2, 1), padding=1), nn.ReLU())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.first(images)
        return fine, self.second(fine)


class Join(nn.Module):
    def __init__(self, regions: int) -> None:
        super().__init__()
        self.last = nn.Conv2d(20, regions, 1)

    def forward(self, *features: Tensor) -> Tensor:
        raised = [nn.functional.interpolate(each, SPACE) for each in features]
        return self.last(torch.cat(raised, 1))


def stages(split: SplitSpec, regions: int, space: tuple[int, ...]) -> Sequence[Stage]:
    encoders = [
        Stage(p.name, Encoder(len(p.modalities)), ("images",), (f"{p.name} fine", f"{p.name} low"))
        for p in split.parties
    ]
    everything = tuple(name for each in encoders for name in each.gives)
    if split.labels_at == SERVER:
        return (*encoders, Stage(SERVER, Join(regions), everything, ("logits",)))
    return (
        *encoders,
        Stage(SERVER, Join(5), everything, ("last",)),
        Stage(split.labels_at, nn.Conv2d(5, regions, 1), ("last",), ("logits",)),
    )


def changed(split: SplitSpec, regions: int, space: tuple[int, ...], how: str) -> Sequence[Stage]:
    first, second, server, *_ = stages(split, regions, space)
    match how:
        case "same name":
            return first, replace(second, gives=("a fine", "b low")), server
        case "circle":
            return first, second, Stage(SERVER, server.module, ("y",), ("x",)), Stage(
                SERVER, server.module, ("x",), ("y",))  # fmt: skip
        case "missing":
            return first, second, replace(server, takes=("nothing",))
        case "stranger":
            return first, second, replace(server, owner="c")
        case "no stage":
            return first, server
        case "fewer":
            return first, replace(second, gives=("b low",)), server
        case "no module":
            return first, second, "server"  # type: ignore[return-value]
    raise ValueError(how)


def table(function: str = "stages", **arguments: Any) -> dict[str, Any]:
    sys.modules["stages_of_mine"] = sys.modules[__name__]
    return {"use": "callable", "function": f"stages_of_mine:{function}", "arguments": arguments}


def split_of(model: dict[str, Any], **changes: Any) -> SplitSpec:
    return SplitSpec.model_validate({"parties": PARTIES, "model": model} | changes)


@pytest.mark.parametrize("labels_at", [SERVER, "b"])
def test_messages_cross_as_described(labels_at: str) -> None:
    split = split_of(table(), labels_at=labels_at)
    seen: list[Message] = []
    network = Network(split, 2, SPACE, seed=0)
    rng = torch.Generator().manual_seed(0)
    images = {p.name: torch.rand(2, len(p.modalities), *SPACE, generator=rng) for p in PARTIES}
    masks = (torch.rand(2, 2, *SPACE, generator=rng) > 0.5).float()
    exchange(
        network, Link([seen.append]), Batch(images, masks, torch.arange(2), 0, 0),
        randomness(split, 0),
    )  # fmt: skip
    sent = [m for m in seen if m.route.direction is Direction.ACTIVATION]
    shapes = {(m.route.sender, m.route.level): tuple(m.tensor.shape[1:]) for m in sent}
    assert shapes["a", 0] == (4, 16, 16)
    assert shapes["b", 1] == (6, 8, 16)
    assert (SERVER in {m.route.sender for m in sent}) == (labels_at != SERVER)
    assert not any(m.tensor.grad_fn for m in seen)
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ("same name", "a name of its own"),
        ("circle", "in a circle"),
        ("missing", "nothing, which no stage gives"),
        ("stranger", "stands at a party or at the server"),
        ("no stage", "every party has one stage"),
        ("fewer", "the same number of tensors"),
        ("no module", "returns leakaudit.models.Stage"),
    ],
)
def test_what_makes_no_split_is_one_message(how: str, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule) as caught:
        measured(split_of(table("changed", how=how)), 2, SPACE)
    assert caught.value.remedy


def test_a_function_that_fails_or_is_missing_is_one_message() -> None:
    with pytest.raises(ConfigurationError, match="must return the stages"):
        measured(split_of(table("stages", nonsense=1)), 2, SPACE)
    with pytest.raises(ConfigurationError, match="importable"):
        measured(split_of(table("no_such")), 2, SPACE)


def test_outputs_must_fit_the_masks() -> None:
    with pytest.raises(ConfigurationError, match="fit the masks"):
        measured(split_of(table()), 2, (32, 32))

"""Any network taken apart at submodules computes what it computes in one piece."""

import copy
import sys
from typing import Any

import pytest
import torch
from leakaudit.defenses.skip_withholding import SkipWithholding
from networks_to_cut import NETWORKS, PARTIES, cut, model, split_of
from pydantic import ValidationError
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.models.measuring import measured
from leakaudit.models.networks import WholeNetwork
from leakaudit.split import SplitSpec
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange


def space_of(name: str, dimensions: int = 2) -> tuple[int, ...]:
    side = 64 if name == "SwinUNETR" else 16
    return (side,) * dimensions


def batch_for(space: tuple[int, ...], parties: int) -> Batch:
    rng = torch.Generator().manual_seed(3)
    images = {
        party.name: torch.rand(2, len(party.modalities), *space, generator=rng).double()
        for party in PARTIES[:parties]
    }
    masks = (torch.rand(2, 2, *space, generator=rng) > 0.7).double()
    return Batch(images, masks, torch.arange(2), 0, 0)


def original(name: str, parts: Network, modalities: int) -> nn.Module:
    """The network in one piece, as its authors wrote it, with the weights of the parts."""
    table = dict(parts.split.model.settings)
    whole = model(name, len(table["cut_after"]), parts.split.dimensions)
    network = whole._built(parts.split, modalities, 2).double()
    weights = {key.partition("network.")[2]: weight for key, weight in parts.named_parameters()}
    own = dict(network.named_parameters())
    assert set(own) == set(weights), "every weight lies in exactly one part"
    for key, weight in weights.items():
        own[key].data.copy_(weight)
    return network


CASES = [(name, depth) for name in NETWORKS for depth in (1, 2, 3) if name != "SwinUNETR"]
# Without its shallower stages, whose skips would pass by, no network is whole: see below.
CASES = [case for case in CASES if case[1] > 1 or case[0] in {"UNet", "AttentionUnet"}]


@pytest.mark.parametrize(("name", "depth"), [*CASES, ("SwinUNETR", 3)])
def test_a_step_is_that_of_the_network_as_its_authors_wrote_it(name: str, depth: int) -> None:
    space = space_of(name)
    split = split_of(cut(name, depth), parties=1)
    parts = Network(split, 2, space, seed=0).double()
    whole = original(name, parts, 1)
    batch = batch_for(space, 1)

    loss = exchange(parts, Link(), batch, randomness(split, 0))

    theirs = parts.model.loss(whole(batch.images["a"]), batch.masks)
    theirs.backward()
    torch.testing.assert_close(loss, theirs.detach(), rtol=1e-6, atol=1e-8)
    gradients = {
        key.partition("network.")[2]: weight.grad for key, weight in parts.named_parameters()
    }
    for key, weight in whole.named_parameters():
        ours = gradients[key]
        if weight.grad is None:
            assert ours is None or not ours.any(), key
            continue
        assert ours is not None, key
        torch.testing.assert_close(ours, weight.grad, rtol=1e-5, atol=1e-9, msg=key)


@pytest.mark.parametrize("fuse", ["concatenate", "mean", "sum"])
@pytest.mark.parametrize("name", ["SegResNet", "DynUNet"])
def test_several_parties_step_as_on_one_graph(name: str, fuse: str) -> None:
    space = space_of(name)
    split = split_of(cut(name, 2, fuse=fuse))
    parts = Network(split, 2, space, seed=0).double()
    twin = copy.deepcopy(parts)
    batch = batch_for(space, 2)
    exchange(parts, Link(), batch, randomness(split, 0))
    whole = WholeNetwork([twin.party(p.name).encoder for p in PARTIES], twin.server, twin.head)
    twin.model.loss(whole(list(batch.images.values())), batch.masks).backward()
    graded = 0
    for (key, ours), theirs in zip(parts.named_parameters(), twin.parameters(), strict=True):
        if theirs.grad is not None:
            assert ours.grad is not None, key
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-9, msg=key)
            graded += 1
    assert graded > 10


@pytest.mark.parametrize("name", ["SegResNet", "PlainConvUNet", "DynUNet"])
def test_volumes_are_cut_alike(name: str) -> None:
    split = measured(split_of(cut(name, 2, 3), dimensions=3), 2, (16, 16, 16))
    assert split.cuts is not None
    assert [each.shapes[0][1:] for each in split.cuts] == [(16, 16, 16), (8, 8, 8)]


def test_strides_are_measured_per_axis() -> None:
    split = measured(split_of(cut("DynUNet", 3)), 2, (16, 16))
    assert split.cuts is not None
    assert [each.shapes for each in split.cuts] == [
        ((8, 16, 16), (8, 16, 16)), ((12, 8, 8), (12, 8, 8)), ((16, 4, 8), (16, 4, 8)),
    ]  # fmt: skip
    assert [each.name for each in split.cuts] == ["input_block", "downsamples.0", "bottleneck"]


def test_the_label_holder_runs_the_last_layers() -> None:
    table = cut("SegResNet", 2, head_after="up_layers.1")
    split = split_of(table, labels_at="b")
    network = Network(split, 2, (16, 16), seed=0)
    assert {key.split(".")[2] for key, _ in network.head.named_parameters()} == {"conv_final"}
    assert not any("conv_final" in key for key, _ in network.server.named_parameters())
    assert network.split.head_shape == (8, 16, 16)


def test_no_party_keeps_the_servers_weights_nor_the_server_a_partys() -> None:
    network = Network(split_of(cut("SegResNet", 2)), 2, (16, 16), seed=0)
    party = {key.partition("network.")[2] for key in network.party("a").encoder.state_dict()}
    server = {key.partition("network.")[2] for key in network.server.part.state_dict()}
    assert party
    assert server
    assert not party & server


def refused(table: dict[str, Any], **changes: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        measured(split_of(table, **changes), 3, (16, 16))
    return caught.value


def test_a_path_around_the_cuts_is_refused_and_named() -> None:
    table = cut("SegResNet", 2)
    problem = refused(table | {"cut_after": ["down_layers.1"]})
    assert "nothing passes the cuts" in problem.rule
    assert "up_layers" in str(problem.found)


def test_a_patch_embedding_is_an_affine_image_of_the_input() -> None:
    table = cut("SwinUNETR", 3) | {"cut_after": ["encoder1", "swinViT.pos_drop"]}
    with pytest.raises(ConfigurationError, match="12 of 12 channels of cut 1"):
        measured(split_of(table), 2, (64, 64))


def test_the_input_itself_is_refused_unless_somebody_insists() -> None:
    table = cut("SegResNet", 2) | {"cut_after": ["convInit", "down_layers.0", "down_layers.1"]}
    problem = refused(table)
    assert "8 of 8 channels of cut 0" in str(problem.found)
    assert measured(split_of(table | {"send_affine": True}), 2, (16, 16)).cuts is not None


class Around(nn.Module):
    """Adds the image's mean to its output, by no module."""

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.second = nn.Conv2d(4, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images)) + self.passed_by(images)

    def passed_by(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3), keepdim=True)


class InPlace(nn.Module):
    """What arrives is changed in place."""

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.InstanceNorm2d(4))
        self.second = nn.Sequential(nn.LeakyReLU(0.3, inplace=True), nn.Conv2d(4, out_channels, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images))


def test_what_no_module_computes_may_not_pass_by_either() -> None:
    problem = refused(own("Around", "first"))
    assert "the output reads" in str(problem.found)


def test_a_network_that_works_in_place_leaves_the_message_alone() -> None:
    split = split_of(own("InPlace", "first", send_affine=True), parties=1)
    network = Network(split, 3, (16, 16), seed=0)
    sent = network.party("a")(torch.rand(2, 1, 16, 16) - 0.5, torch.Generator())
    before = sent[0].clone()
    network.server([sent], (16, 16))
    assert bool((before < 0).any())
    assert torch.equal(sent[0], before)


class OverTheBatch(nn.Module):
    """Subtracts the batch's mean, in evaluation too."""

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.mixed = nn.Sequential(_Centred(), nn.ReLU())
        self.second = nn.Conv2d(4, out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.mixed(self.first(images)))


class _Centred(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features - features.mean(0, keepdim=True)


class Noisy(OverTheBatch):
    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__(in_channels, out_channels, spatial_dims)
        self.mixed = _Noise()


class _Noise(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return (features + torch.randn_like(features)).relu()


class Two(OverTheBatch):
    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.pair(self.first(images))[0])

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__(in_channels, out_channels, spatial_dims)
        self.pair = _Pair()


class _Pair(nn.Module):
    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return features.relu(), features


def own(name: str, cut_after: str = "mixed", **changes: Any) -> dict[str, Any]:
    sys.modules["networks_of_mine"] = sys.modules[__name__]
    return {"use": "cut", "network": f"networks_of_mine:{name}", "cut_after": [cut_after]} | changes


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (own("OverTheBatch"), "does not depend on others"),
        (own("Noisy"), "gives the same for the same images"),
        (own("Two", "pair"), "a cut sends one tensor"),
        (cut("UNet", 1) | {"cut_after": ["model"]}, "a cut has weights on both sides"),
        (own("OverTheBatch", settings={"width": 3}), "must be built from its settings"),
        (cut("SegResNet", 2) | {"network": "monai.networks.nets:SegResNets"}, "importable"),
        (cut("SegResNet", 2) | {"network": "no.such:Thing"}, "importable"),
        (cut("SegResNet", 2) | {"outputs": None}, "fit the masks"),
    ],
)
def test_what_cannot_be_audited_is_refused_before_training(
    table: dict[str, Any], rule: str
) -> None:
    problem = refused(table)
    assert rule in problem.rule, problem
    assert problem.remedy


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"down_layers\.0"):
        measured(split_of(cut("SegResNet", 2) | {"cut_after": ["down_layer.0"]}), 2, (16, 16))


def test_labels_at_a_party_need_a_head() -> None:
    assert "head_after" in refused(cut("SegResNet", 2), labels_at="b").remedy


def test_a_network_too_deep_for_the_images_is_refused() -> None:
    table = cut("SegResNet", 2, settings={"init_filters": 8, "blocks_down": [1] * 8})
    assert "must run on images" in refused(table).rule


def test_what_crosses_is_measured_and_never_written() -> None:
    written = {"cuts": [{"name": "x", "shapes": [[1, 2, 2], [1, 2, 2]]}]}
    with pytest.raises(ValidationError, match="levels follow from channels"):
        SplitSpec.model_validate({"parties": PARTIES} | written)


def test_withholding_levels_needs_the_reference() -> None:
    with pytest.raises(ConfigurationError, match="does without some cuts"):
        Network(split_of(cut("SegResNet", 2)), 2, (16, 16), [SkipWithholding(levels=(0,))], seed=0)

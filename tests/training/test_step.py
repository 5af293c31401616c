"""A split step must equal the same network trained in one piece, and nothing but messages cross."""

import copy

import pytest
import torch
from torch import Tensor

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Direction, Link, Message
from leakaudit.models.loss import segmentation_loss
from leakaudit.models.networks import Features, WholeNetwork
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

PARTIES = (
    PartySpec(name="a", modalities=("T1",)),
    PartySpec(name="b", modalities=("T2", "FLAIR")),
)


def split_of(**changes: object) -> SplitSpec:
    return SplitSpec.model_validate(
        {"parties": PARTIES, "channels": (4, 8, 12), "party_levels": 2} | changes
    )


def batch_for(split: SplitSpec, space: tuple[int, ...]) -> Batch:
    rng = torch.Generator().manual_seed(3)
    images = {p.name: torch.rand(3, len(p.modalities), *space, generator=rng) for p in PARTIES}
    masks = (torch.rand(3, 2, *space, generator=rng) > 0.7).float()
    return Batch(images, masks, torch.arange(3), 0, 0)


CASES = [
    ({}, (16, 16)),
    ({"labels_at": "b"}, (17, 15)),
    ({"skips": ()}, (17, 15)),
    ({"party_levels": 3, "skips": (0,)}, (16, 16)),
    ({"party_levels": 1}, (16, 16)),
    ({"dimensions": 3}, (9, 8, 11)),
    ({"dimensions": 3, "labels_at": "a", "skips": (0,)}, (8, 8, 8)),
]


@pytest.mark.parametrize(("changes", "space"), CASES)
def test_split_step_equals_whole_step(changes: dict[str, object], space: tuple[int, ...]) -> None:
    split = split_of(**changes)
    network = Network(split, 2, space, seed=0).double()
    twin = copy.deepcopy(network)
    batch = batch_for(split, space)
    batch = Batch(
        {k: v.double() for k, v in batch.images.items()},
        batch.masks.double(), batch.samples, 0, 0,
    )  # fmt: skip

    loss = exchange(network, Link(), batch, randomness(split, 0))

    encoders = [twin.party(p.name).encoder for p in PARTIES]
    whole = WholeNetwork(encoders, twin.server, twin.head)
    whole_loss = segmentation_loss(whole(list(batch.images.values())), batch.masks)
    whole_loss.backward()
    torch.testing.assert_close(loss, whole_loss.detach())
    pairs = list(zip(network.named_parameters(), twin.parameters(), strict=True))
    assert pairs
    for (name, ours), theirs in pairs:
        assert ours.grad is not None, name
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-9, msg=name)


def test_what_crosses_carries_no_graph_and_every_route_is_seen() -> None:
    split = split_of(labels_at="b")
    seen: list[Message] = []
    exchange(
        Network(split, 2, (16, 16), seed=0), Link([seen.append]), batch_for(split, (16, 16)),
        randomness(split, 0),
    )  # fmt: skip
    assert all(m.tensor.grad_fn is None for m in seen)
    routes = {(m.route.sender, m.route.direction.value, m.route.cut.value, m.route.level)
              for m in seen}  # fmt: skip
    forward = {(p, "activation", "encoder", level) for p in "ab" for level in (0, 1)}
    backward = {("server", "gradient", "encoder", level) for level in (0, 1)}
    head = {("server", "activation", "head", 0), ("b", "gradient", "head", 0)}
    assert routes == forward | backward | head
    for message in seen:
        if message.route.direction is Direction.GRADIENT:
            assert float(message.tensor.abs().max()) > 0


def test_gradient_of_a_sample_depends_on_that_sample_alone() -> None:
    split = split_of()
    network = Network(split, 2, (16, 16), seed=0)
    batch = batch_for(split, (16, 16))
    both: list[list[Message]] = []
    for rows in (torch.tensor([0, 1]), torch.tensor([0, 2])):
        seen: list[Message] = []
        part = Batch(
            {name: images[rows] for name, images in batch.images.items()},
            batch.masks[rows], rows, 0, 0,
        )  # fmt: skip
        exchange(network, Link([seen.append]), part, randomness(split, 0))
        both.append(seen)
    for first, second in zip(*both, strict=True):
        torch.testing.assert_close(first.tensor[0], second.tensor[0])
        assert not torch.allclose(first.tensor[1], second.tensor[1])


class Backwards:
    """Sends every gradient back with its sign turned, but to one party what it is owed."""

    def sent_back(self, party: str, received: Features, owed: Features) -> Features:
        assert all(each.grad_fn is None for each in received.values())
        return owed if party == "b" else {level: -each for level, each in owed.items()}

    def kept(self) -> dict[str, Tensor]:
        return {}


def test_a_dishonest_server_changes_what_parties_learn_from_and_nothing_else() -> None:
    split = split_of(labels_at="b")
    honest = Network(split, 2, (16, 16), seed=0)
    cheated = copy.deepcopy(honest)
    batch, seen = batch_for(split, (16, 16)), []
    loss = exchange(honest, Link(), batch, randomness(split, 0))
    same = exchange(cheated, Link([seen.append]), batch, randomness(split, 0), Backwards())
    assert torch.equal(loss, same)
    for (name, ours), theirs in zip(honest.named_parameters(), cheated.parameters(), strict=True):
        sign = -1 if name.startswith("parties.0.") else 1
        torch.testing.assert_close(ours.grad, sign * theirs.grad, msg=name)
    # What is recorded is what crossed.
    party = cheated.party("a")
    features = party(batch.images["a"], randomness(split, 0)["a"])
    back = {m.route.level: m.tensor for m in seen
            if m.route.receiver == "a" and m.route.direction is Direction.GRADIENT}  # fmt: skip
    cheated.zero_grad()
    torch.autograd.backward(list(features.values()), [back[level] for level in features])
    for ours, theirs in zip(honest.party("a").parameters(), party.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, -theirs.grad)

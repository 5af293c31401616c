"""Defenses that change the form of a message: rounding, channels, places, turns."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leakaudit.defenses.adversarial_decoder import AdversarialDecoder
from leakaudit.defenses.bottleneck import Bottleneck
from leakaudit.defenses.channel_pruning import ChannelPruning
from leakaudit.defenses.keyed_rotation import KeyedRotation
from leakaudit.defenses.patch_shuffle import PatchShuffle, _from_patches, _to_patches
from leakaudit.defenses.quantization import Quantization
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure, Guard, Site
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import resolve
from leakaudit.split.spec import SplitSpec

NO_RANDOMNESS = torch.Generator()


def _site(split: SplitSpec, shape: tuple[int, ...] = (6, 8, 8)) -> Site:
    return Site(split, "north", {0: shape}, modalities=1)


@given(
    st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=50),
    st.integers(1, 8),
)
@settings(deadline=None, max_examples=100)
def test_quantization_stays_in_range_with_few_values(values: list[float], bits: int) -> None:
    message = torch.tensor(values)[None, :, None, None]
    rounded = Quantization(bits=bits).change(message, NO_RANDOMNESS)
    assert len(rounded.unique()) <= 2**bits
    spread = float(message.max() - message.min())
    slack = 1e-5 * max(1.0, float(message.abs().max()))
    assert (rounded - message).abs().max() <= spread / 2 ** (bits + 1) + slack
    assert rounded.max() <= message.max() + slack
    assert rounded.min() >= message.min() - slack


def test_quantization_treats_each_sample_alone_and_passes_gradients_straight() -> None:
    message = torch.stack([torch.rand(3, 4, 4), 1000 * torch.rand(3, 4, 4)]).requires_grad_()
    rounded = Quantization(bits=8).change(message, NO_RANDOMNESS)
    assert torch.allclose(rounded[0], message[0], atol=1 / 256)
    (rounded * torch.arange(96.0).reshape(2, 3, 4, 4)).sum().backward()
    assert message.grad is not None
    assert torch.equal(message.grad, torch.arange(96.0).reshape(2, 3, 4, 4))


def test_a_constant_message_survives_quantization_in_half_precision() -> None:
    message = torch.full((2, 3, 4, 4), 7.0).half()
    assert torch.equal(Quantization(bits=1).change(message, NO_RANDOMNESS), message)


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 3, 4, 8, 12)])
def test_patches_are_taken_and_put_back(shape: tuple[int, ...]) -> None:
    message = torch.rand(shape)
    patches = _to_patches(message, 4)
    assert torch.equal(patches[:, 0], message[(..., *(slice(0, side // 4) for side in shape[2:]))])
    assert torch.equal(_from_patches(patches, message.shape, 4), message)


def test_shuffling_moves_whole_patches_differently_for_each_sample(flat_split: SplitSpec) -> None:
    guard = PatchShuffle(grid=4).guard(_site(flat_split), NO_RANDOMNESS)
    message = torch.rand(1, 6, 8, 8).repeat(3, 1, 1, 1)
    shuffled = guard.forward_message(0, message, torch.Generator().manual_seed(1))
    for sample in shuffled:
        before = _to_patches(message[:1], 4)[0].flatten(1)
        after = _to_patches(sample[None], 4)[0].flatten(1)
        order = torch.cdist(after, before).argmin(dim=1)
        assert sorted(order.tolist()) == list(range(16))
        assert torch.equal(after, before[order])
    assert not torch.equal(shuffled[0], shuffled[1])


def test_gradients_return_to_their_places(flat_split: SplitSpec) -> None:
    guard = PatchShuffle(grid=2).guard(_site(flat_split), NO_RANDOMNESS)
    message = torch.rand(2, 6, 8, 8, requires_grad=True)
    shuffled = guard.forward_message(0, message, torch.Generator().manual_seed(1))
    (shuffled**2).sum().backward()
    assert message.grad is not None
    assert torch.allclose(message.grad, 2 * message)


def test_a_grid_that_does_not_divide_is_refused(flat_split: SplitSpec) -> None:
    with pytest.raises(ConfigurationError, match="grid 3 on level 0 of size 8x8"):
        PatchShuffle(grid=3).guard(_site(flat_split), NO_RANDOMNESS)


def test_rotation_is_orthogonal_secret_and_kept_in_the_state(
    flat_split: SplitSpec, generator: Callable[[int], Generator]
) -> None:
    first, same, other = (
        KeyedRotation().guard(_site(flat_split), generator(seed)) for seed in (1, 1, 2)
    )
    key, again, another = (guard.state_dict()["key_0"] for guard in (first, same, other))
    assert torch.allclose(key @ key.T, torch.eye(6), atol=1e-5)
    assert torch.equal(key, again)
    assert not torch.allclose(key, another, atol=0.1)
    message = torch.rand(2, 6, 8, 8)
    turned = first.forward_message(0, message, generator(0))
    back = torch.einsum("co,no...->nc...", torch.linalg.inv(key), turned)
    assert torch.allclose(back, message, atol=1e-5)
    assert not list(first.parameters())


def test_pairs_of_image_and_message_undo_a_rotation(
    flat_split: SplitSpec, generator: Callable[[int], Generator]
) -> None:
    guard = KeyedRotation().guard(_site(flat_split), generator(1))
    known, secret = torch.randn(4, 6, 8, 8), torch.randn(1, 6, 8, 8)
    columns = [
        tensor.movedim(1, -1).reshape(-1, 6)
        for tensor in (guard.forward_message(0, known, generator(0)), known)
    ]
    solution = torch.linalg.lstsq(*columns).solution
    caught = guard.forward_message(0, secret, generator(0)).movedim(1, -1) @ solution
    assert torch.allclose(caught.movedim(-1, 1), secret, atol=1e-4)


@pytest.mark.parametrize("other", [Bottleneck(keep=0.5)])
def test_a_bottleneck_comes_before(
    other: Bottleneck, flat_split: SplitSpec, exposure: Exposure
) -> None:
    for first, message in (
        (KeyedRotation(), "would take it in"),
        (AdversarialDecoder(weight=1.0), "put adversarial-decoder last"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            resolve([first, other], flat_split, exposure)
        stack = resolve([other, first], flat_split, exposure)
        party = Network(flat_split, 1, (16, 16), stack, seed=0).party("north")
        images, rng = torch.rand(4, 1, 16, 16), torch.Generator().manual_seed(0)
        party.loss_terms(images, party(images, rng), rng)


def test_a_bottleneck_trains_with_the_party(flat_split: SplitSpec) -> None:
    network = Network(flat_split, 1, (16, 16), [Bottleneck(keep=0.5)], seed=0)
    assert network.sent["north"] == {0: (2, 16, 16), 1: (4, 8, 8), 2: (4, 4, 4)}
    names = {name for name, _ in network.party("north").named_parameters()}
    assert any(name.startswith("guards.0.convolutions") for name in names)


def _pruned(choose: str, message: Tensor, flat_split: SplitSpec) -> tuple[Guard, Tensor]:
    defense = ChannelPruning.model_validate({"keep": 0.5, "choose": choose})
    guard = defense.guard(_site(flat_split), torch.Generator().manual_seed(1))
    return guard, guard.forward_message(0, message, NO_RANDOMNESS)


def test_pruning_by_energy_keeps_the_strongest_of_each_sample(flat_split: SplitSpec) -> None:
    strengths = torch.tensor([[1.0, 5, 2, 6, 3, 4], [6.0, 1, 5, 2, 4, 3]])
    message = strengths[:, :, None, None] * torch.ones(2, 6, 8, 8)
    _, pruned = _pruned("energy", message, flat_split)
    kept = pruned.flatten(2).abs().sum(dim=2) > 0
    assert kept.tolist() == [[s >= 4 for s in row] for row in strengths.tolist()]
    assert torch.equal(pruned[kept], message[kept])


def test_learned_pruning_keeps_the_same_channels_and_learns_which(flat_split: SplitSpec) -> None:
    message = torch.rand(3, 6, 8, 8) + 0.5
    guard, pruned = _pruned("learned", message, flat_split)
    kept = pruned.flatten(2).abs().sum(dim=2) > 0
    assert kept.sum(dim=1).tolist() == [3, 3, 3]
    assert torch.equal(kept[0], kept[1])
    optimiser = torch.optim.Adam(guard.parameters(), lr=0.1)
    wanted = torch.tensor([1.0, 1, 1, 0, 0, 0])[None, :, None, None]
    for _ in range(60):
        optimiser.zero_grad()
        error = guard.forward_message(0, message, NO_RANDOMNESS) - wanted * message
        error.square().mean().backward()
        optimiser.step()
    final = guard.forward_message(0, message, NO_RANDOMNESS)
    assert torch.allclose(final, wanted * message)

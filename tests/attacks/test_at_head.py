"""Where a party holds the labels: what the server and the wire read off what it sends back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from leakaudit.attacks.mask_inference import MaskInference
from leakaudit.attacks.masks.at_head import signs, weights_of
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import TWO_PARTIES, World, dice, overlap_advantage
from torch import Tensor, nn

from leakaudit.models.loss import segmentation_loss
from leakaudit.threat.knowledge import Position
from leakaudit.threat.view import View

AT_SOUTH = TWO_PARTIES.model_copy(update={"labels_at": "south"})
NOISE = GaussianNoise(noise_multiplier=30.0, clip_norm=1.0)


def seen(world: World, position: Position = Position.SERVER, **changes: Any) -> View:
    return world.view(position, asset="masks", victims=("south",), **changes)


def recovered(world: World, view: View) -> float:
    (found,) = overlap_advantage(world, MaskInference()(view, 0)).values()
    return found


@pytest.mark.parametrize("training", [0, 40])
@pytest.mark.parametrize(
    "where",
    [
        {},
        {"position": Position.WIRE, "members": ("south",)},
        {"position": Position.WIRE},
        {"position": Position.COALITION, "members": ("server", "north")},
    ],
    ids=["server", "tap at the holder", "tap everywhere", "server and another party"],
)
def test_who_reads_the_head_cut_reads_the_mask(
    where: dict[str, Any], training: int, world: Callable[..., World]
) -> None:
    given = world(split=AT_SOUTH, training=training)
    view = seen(given, **where)
    assert recovered(given, view) > 0.99
    assert recovered(given, view.shuffled(torch.Generator().manual_seed(0))) < 0.05
    (guess,) = MaskInference()(view, 0).values()
    assert guess.epochs == given.exchange.epochs


def test_no_defense_of_what_parties_send_hides_it(world: Callable[..., World]) -> None:
    given = world(split=AT_SOUTH, defenses=(NOISE,))
    assert recovered(given, seen(given)) > 0.99


@pytest.mark.parametrize(
    "where",
    [
        {"position": Position.WIRE, "members": ("north",)},
        {"position": Position.PARTY, "members": ("north",)},
    ],
)
def test_who_has_no_end_of_that_link_reads_what_came_back_to_encoders(
    where: dict[str, Any], world: Callable[..., World]
) -> None:
    given = world(split=AT_SOUTH)
    view = seen(given, **where)
    assert view.head_gradients(view.last_epoch) is None
    assert recovered(given, view) < 0.9


def test_there_is_no_such_link_where_the_server_holds_the_labels(
    world: Callable[..., World],
) -> None:
    view = world().view()
    assert view.head_gradients(view.last_epoch) is None


def caused(masks: Tensor) -> Tensor:
    """Gradients at 6 channels behind one output, of untrained features."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(len(masks), 6, 12, 12, generator=rng, requires_grad=True)
    weights = torch.randn(1, 6, generator=rng)
    logits = torch.einsum("rc,nchw->nrhw", weights, features)
    segmentation_loss(logits, masks).backward()
    assert features.grad is not None
    return features.grad


@pytest.mark.parametrize("prevalence", [None, 0.7])
def test_the_sign_is_the_mask_whichever_part_is_larger(prevalence: float | None) -> None:
    large = torch.ones(3, 1, 12, 12)
    large[..., :4] = 0
    masks = large if prevalence else 1 - large
    found = signs(caused(masks), None, prevalence)
    assert found is not None
    assert dice(found > 0, masks) == 1


def test_a_sample_without_lesion_gets_none() -> None:
    masks = torch.zeros(4, 1, 12, 12)
    masks[0, :, 3:6, 3:6] = 1
    found = signs(caused(masks), None, None)
    assert found is not None
    assert not bool((found[1:] > 0).any())


def nested() -> Tensor:
    """(4, 3, 12, 12), each region within the one before."""
    masks = torch.zeros(4, 3, 12, 12)
    for region, side in enumerate((8, 5, 2)):
        masks[:, region, 2 : 2 + side, 2 : 2 + side] = 1
    return masks


def test_several_outputs_are_told_apart_by_a_head_that_is_known() -> None:
    masks = nested()
    head = nn.Conv2d(6, 3, 1)
    features = torch.randn(4, 6, 12, 12, requires_grad=True)
    segmentation_loss(head(features), masks).backward()
    gradients = features.grad
    assert gradients is not None
    found = signs(gradients, weights_of(head, gradients[:1]), None)
    assert found is not None
    assert torch.equal(found > 0, masks > 0)


@pytest.mark.parametrize(
    "head",
    [
        nn.Conv2d(6, 1, 3, padding=1),
        nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(), nn.Conv2d(6, 1, 1)),
        nn.Conv2d(6, 1, 2, stride=2),
    ],
    ids=["mixes positions", "not linear", "another grid"],
)
def test_a_head_of_another_kind_has_no_weights_to_go_by(head: nn.Module) -> None:
    assert weights_of(head, torch.randn(1, 6, 12, 12)) is None


def test_noise_or_nothing_has_no_sign() -> None:
    caused_by = caused(nested()[:, :1])
    noisy = caused_by + caused_by.std() * torch.randn_like(caused_by)
    assert signs(noisy, None, None) is None
    assert signs(torch.zeros(2, 3, 4, 4), None, None) is None

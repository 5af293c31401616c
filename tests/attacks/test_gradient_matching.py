"""Gradient matching: masks at a party, images from weight updates, and what must find nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from leakaudit.attacks.gradient_inversion import GradientInversion
from leakaudit.attacks.gradient_matching import GradientMatching
from leakaudit.attacks.masks import reader
from leakaudit.attacks.masks.reader import ReaderInputs, SimulatedSamples
from leakaudit.attacks.simulation import exchange
from leakaudit.attacks.simulation.exchange import OwnPatients, SimulatedExchange, own_patients
from memory_exchange import (
    TWO_PARTIES,
    Setup,
    World,
    advantage,
    make_world,
    overlap_advantage,
)
from torch import Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.exchange.message import Direction
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.knowledge import Position
from leakaudit.threat.view import View

QUICK = GradientMatching(steps=4, stand_in_steps=15, reader_steps=80, channels=16)


def party(world: World, **changes: object) -> View:
    return world.view(
        **{"position": Position.PARTY, "asset": "masks", "members": ("north",),
           "victims": ("server",), **changes}
    )  # fmt: skip


def recovered(world: World, view: View, attack: GradientMatching = QUICK) -> float:
    (found,) = overlap_advantage(world, attack(view, 0)).values()
    return found


@pytest.mark.parametrize("method", ["cosine", "lbfgs"])
def test_both_methods_read_masks_and_nothing_of_shuffled_pairs(
    method: str, world: Callable[..., World]
) -> None:
    given = world(unseen_by=("north",))  # whoever attacks cannot see the lesion itself
    attack = QUICK.model_copy(update={"method": method, "reader_steps": 120})
    view = party(given)
    assert recovered(given, view, attack) > 0.3
    assert recovered(given, view.shuffled(torch.Generator().manual_seed(0)), attack) < 0.05


@pytest.mark.parametrize("level", [0, 1])
def test_gradients_at_the_state_are_found_again_behind_the_join(
    level: int, world: Callable[..., World]
) -> None:
    split = TWO_PARTIES.model_copy(
        update={"channels": (6, 8, 12, 16), "party_levels": 3, "skips": (level, 2)}
    )
    view = party(world(split=split, training=5, space=(21, 26)))
    known = own_patients(view)
    rng = torch.Generator().manual_seed(0)
    played = SimulatedExchange(view, known, 0, 0, 4, rng)
    # A margin of zeros: what the join's own border cuts off cannot be found again.
    inner = played.states[:3, :, 1:-1, 1:-1]
    state = torch.nn.functional.pad(torch.randn(inner.shape, generator=rng), (1, 1, 1, 1))
    found = played.tail.undone(played.tail.sent_back(state))
    assert torch.nn.functional.cosine_similarity(found.flatten(), state.flatten(), dim=0) > 0.99


def test_what_is_played_is_what_the_exchange_sends_back(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world()
    true = given.rebuilt.network(0)
    monkeypatch.setattr(exchange, "stand_in", lambda view, name, rng: true.party(name))
    known = OwnPatients(given.images, given.masks, given.patients)
    played = SimulatedExchange(party(given), known, 0, 0, 4, torch.Generator().manual_seed(0))
    back = played.sent_back(torch.arange(len(given.masks)), given.masks)
    (found,) = played.defended(back, given.setup.batch_size)
    seen = given.exchange.messages("north", 0, Direction.GRADIENT, 0)
    torch.testing.assert_close(found, seen, rtol=1e-3, atol=1e-6 * seen.abs().max().item())


@pytest.mark.parametrize(
    "setup",
    [
        Setup(space=(21, 26)),
        Setup(space=(12, 13, 12), slices=2, auxiliary=6, split=TWO_PARTIES.model_copy(
            update={"dimensions": 3, "channels": (4, 6)})),
        Setup(split=TWO_PARTIES.model_copy(update={"skips": (1,)})),
        Setup(split=TWO_PARTIES.model_copy(update={"labels_at": "south"})),
        Setup(epochs=3),
    ],
    ids=["odd sizes", "3-D", "one level", "labels at another party", "several epochs"],
)  # fmt: skip
def test_answers_in_every_kind_of_split(setup: Setup) -> None:
    world = make_world(setup)
    view = party(world, victims=(setup.split.labels_at,))
    attack = QUICK.model_copy(update={"reader_steps": 10, "steps": 2})
    (guess,) = attack(view, 0).values()
    assert guess.values.shape == world.masks.shape


def test_a_coalition_reads_all_its_links() -> None:
    split = SplitSpec(
        parties=tuple(PartySpec(name=name, modalities=(name,)) for name in ("a", "b", "c")),
        channels=(6, 8), party_levels=2,
    )  # fmt: skip
    world = make_world(Setup(split=split))
    view = party(world, position=Position.COALITION, members=("a", "b"))
    assert recovered(world, view) > 0.5


class _Spoilt:
    """The recorded exchange, with one undefined value in what came back."""

    def __init__(self, world: World) -> None:
        self._exchange = world.exchange
        self.epochs = world.exchange.epochs

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        tensor = self._exchange.messages(party, level, direction, epoch).clone()
        if direction is Direction.GRADIENT:
            tensor[0, 0, 0, 0] = float("nan")
        return tensor


def test_refuses_gradients_that_are_not_finite(world: Callable[..., World]) -> None:
    view = replace(party(world()), _exchange=_Spoilt(world()))
    with pytest.raises(AttackInvalidError, match="finite"):
        QUICK(view, 0)


def test_cannot_be_mounted_where_parties_share_no_patients(world: Callable[..., World]) -> None:
    view = party(world())
    split = view.split.model_copy(update={"orientation": "horizontal"})
    with pytest.raises(NotMountableError, match="vertical"):
        QUICK(replace(view, split=split), 0)


@pytest.mark.parametrize(("method", "steps", "least"), [("cosine", 150, 0.5), ("lbfgs", 150, 0.2)])
def test_both_methods_read_images_off_weight_updates(
    method: str, steps: int, least: float, world: Callable[..., World]
) -> None:
    attack = GradientInversion.model_validate({"method": method, "steps": steps})
    view = world().view()
    (found,) = advantage(world(), attack(view, 0)).values()
    assert found > least
    mixed = view.shuffled(torch.Generator().manual_seed(0))
    (nothing,) = advantage(world(), attack(mixed, 0)).values()
    assert nothing < 0.05


def test_input_channels_are_the_same_kept_or_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of single samples, so making all of them once changes nothing but the time."""
    rng = torch.Generator().manual_seed(0)
    seen = ReaderInputs(
        (torch.randn(40, 3, 9, 9, generator=rng),) * 2,
        torch.randn(40, 2, 9, 9, generator=rng),
        torch.rand(40, 1, 9, 9, generator=rng),
    )
    rows = torch.tensor([39, 3, 3, 17])
    kept = SimulatedSamples(seen, seen.images, seen.features).channels(rows)
    monkeypatch.setattr(reader, "_KEPT_BYTES", 0)
    anew = SimulatedSamples(seen, seen.images, seen.features).channels(rows)
    assert torch.equal(kept, seen[rows].channels)
    assert torch.equal(anew, kept)

"""A dishonest server reads images because it trained the parties to send them readably."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from leakaudit.attacks.feature_hijacking import FeatureHijacking
from leakaudit.attacks.simulation.hijacking import Hijack
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import World, advantage

from leakaudit.errors import NotMountableError
from leakaudit.exchange.message import Direction
from leakaudit.threat.knowledge import Position

ATTACK = FeatureHijacking(pilot_steps=60, steps=20, channels=8)
FLAT: dict[str, Any] = {"training": 60}


def reads(world: World) -> float:
    (guess,) = ATTACK(world.view(behaviour="active"), 1).values()
    assert 0 <= guess.values.min() <= guess.values.max() <= 1
    return max(advantage(world, {world.view().targets[0]: guess}).values())


def test_it_reads_parties_it_hijacked_and_not_those_an_honest_server_trained(
    world: Callable[..., World],
) -> None:
    hijacked = world(**FLAT, hijacked_by=ATTACK)
    honest = replace(world(**FLAT), kept=hijacked.kept)
    assert reads(hijacked) > reads(honest) + 0.3


def test_what_was_sent_back_looks_no_longer_than_honest_gradients(
    world: Callable[..., World],
) -> None:
    def length(made: World) -> float:
        sent = [
            made.exchange.messages("south", level, Direction.GRADIENT, 0).square().sum()
            for level in made.setup.split.crossing
        ]
        return torch.stack(sent).sum().sqrt().item()

    hijacked, honest = world(**FLAT, hijacked_by=ATTACK), world(**FLAT)
    assert 0.1 < length(hijacked) / length(honest) < 10


@pytest.mark.parametrize(
    ("position", "members", "behaviour"),
    [
        (Position.SERVER, (), "passive"),
        (Position.PARTY, ("north",), "active"),
        (Position.WIRE, ("south",), "active"),
        (Position.COALITION, ("server", "north"), "passive"),
    ],
)
def test_only_who_sends_gradients_and_may_cheat_can_mount_it(
    position: Position, members: tuple[str, ...], behaviour: str, world: Callable[..., World]
) -> None:
    view = world().view(position, members=members, behaviour=behaviour)
    with pytest.raises(NotMountableError, match="replaces what the server sends back"):
        ATTACK(view, 0)
    with pytest.raises(NotMountableError, match="replaces what the server sends back"):
        ATTACK.begin(view, 10, 0)


def test_a_coalition_with_the_server_can(world: Callable[..., World]) -> None:
    view = world().view(Position.COALITION, members=("server", "north"), behaviour="active")
    quick = ATTACK.model_copy(update={"pilot_steps": 1})
    assert isinstance(quick.begin(view, 10, 0), Hijack)


def test_a_training_it_took_no_part_in_cannot_be_read(world: Callable[..., World]) -> None:
    with pytest.raises(NotMountableError, match="took part in"):
        ATTACK(world().view(behaviour="active"), 0)


def test_only_cuts_that_cross_are_hijacked(world: Callable[..., World]) -> None:
    view = world().view(behaviour="active")
    with pytest.raises(NotMountableError, match="only cuts that cross"):
        ATTACK.model_copy(update={"cuts": (1, 2)}).begin(view, 10, 0)
    one = ATTACK.model_copy(update={"cuts": (1,), "pilot_steps": 1}).begin(view, 10, 0)
    received = {0: torch.rand(3, 8, 24, 24), 1: torch.rand(3, 12, 12, 12)}
    owed = {level: torch.rand_like(each) for level, each in received.items()}
    back = one.sent_back("south", received, owed)
    assert not back[0].any()
    total = sum(float(each.square().sum()) for each in owed.values()) ** 0.5
    assert back[1].norm().item() == pytest.approx(total, rel=1e-4)
    assert one.sent_back("north", received, owed) is owed  # no victim of this view


def test_three_dimensions_odd_sizes_and_noise_that_is_redrawn(world: Callable[..., World]) -> None:
    noise = GaussianNoise(noise_multiplier=0.02, clip_norm=60.0)
    attack = ATTACK.model_copy(update={"pilot_steps": 20, "steps": 5})
    deep = world(
        space=(9, 11, 10), patients=3, auxiliary=4, slices=1, training=10, epochs=2, probed=0,
        split=world().setup.split.model_copy(update={"dimensions": 3}), hijacked_by=attack,
        defenses=(noise,),
    )  # fmt: skip
    (guess,) = attack(deep.view(behaviour="active"), 1).values()
    assert guess.values.shape == deep.images["south"].shape
    assert torch.isfinite(guess.values).all()

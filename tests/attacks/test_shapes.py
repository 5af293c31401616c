"""Every attack on images of other shapes: odd sizes, three dimensions, several channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from frugal import frugal
from memory_exchange import World

from leakaudit import plugins
from leakaudit.plugins import Kind
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import Knowledge, Position
from leakaudit.threat.view import View

PARTIES = (
    PartySpec(name="north", modalities=("T1",)),
    PartySpec(name="south", modalities=("FLAIR", "T2")),
)
FLAT = SplitSpec(parties=PARTIES, channels=(4, 6, 8), party_levels=2)
DEEP = FLAT.model_copy(update={"dimensions": 3})
FEW: dict[str, Any] = {"patients": 4, "auxiliary": 6, "slices": 2, "training": 4, "probed": 2}
SHAPES: dict[str, dict[str, Any]] = {
    "odd": {"space": (19, 23), "split": FLAT, **FEW},
    "three dimensions": {"space": (11, 13, 9), "split": DEEP, **FEW},
}


def built(name: str) -> Attack:
    attack: Attack = plugins.build(Kind.ATTACK, name, frugal(name))
    return attack


def seen(attack: Attack, world: World) -> View:
    """As a party where its own images are needed, or as an active server, or as a server."""
    victims = ("server",) if attack.asset == "masks" else ("south",)
    if attack.asset == "masks" or Knowledge.OWN_IMAGES in attack.required:
        return world.view(Position.PARTY, asset=attack.asset, members=("north",), victims=victims)
    return world.view(asset=attack.asset, behaviour=attack.behaviour, victims=victims)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", plugins.names(Kind.ATTACK))
def test_answers_in_the_shape_of_what_is_attacked(
    name: str, shape: str, world: Callable[..., World]
) -> None:
    attack = built(name)
    own = {"hijacked_by": attack} if attack.behaviour == "active" else {}
    given = world(**SHAPES[shape], **own)
    view = seen(attack, given)
    guesses = attack(view, 0)
    assert set(guesses) == set(view.targets)
    for target, guess in guesses.items():
        assert bool(guess.values.isfinite().all())
        if target.asset in ("images", "masks"):
            truth = given.masks if target.asset == "masks" else given.images[target.victim]
            rows = slice(None) if guess.rows is None else guess.rows
            assert guess.values.shape == truth[rows].shape
        for point in (*guess.trail, *guess.fewer):
            assert point.values.shape == guess.values.shape

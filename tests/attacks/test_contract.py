"""What holds of every registered attack. A new attack adds a row, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from leakaudit.attacks.feature_hijacking import FeatureHijacking
from memory_exchange import (
    World,
    advantage,
    attribute_advantage,
    conditional_advantage,
    line_up,
    membership_advantage,
    overlap_advantage,
)

from leakaudit import plugins
from leakaudit.plugins import Kind
from leakaudit.testing import check_attack
from leakaudit.threat.attack import Attack, Guesses
from leakaudit.threat.knowledge import Position
from leakaudit.threat.view import Target, View


def shuffled(world: World, view: View, seed: int) -> View:
    return view.shuffled(torch.Generator().manual_seed(seed))


def of_strangers(world: World, view: View, seed: int) -> View:
    """Shuffled messages are still those of members: the line-up holds none of them."""
    return replace(view, _candidates=line_up(world, strangers=True))


def of_nobody(world: World, view: View, seed: int) -> View:
    """A party's own images tell of the masks whatever the messages: they are of others as well."""
    mixing = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(world.patients), generator=mixing)
    own = {name: images[order] for name, images in view._own_images.items()}
    return replace(view.shuffled(mixing), _own_images=own)


@dataclass(frozen=True)
class Row:
    """How an attack is put to the test.

    Attributes:
        settings: quick, yet strong enough to leak.
        view: arguments of ``World.view``.
        leaks: the least advantage over the blind baseline that it must have on an open cut.
        measure: how that advantage is measured.
        world: changes of the exchange it is tried on.
        controls: how many negative controls are averaged: one kind of person in few is luck.
        luck: the mean advantage that chance allows in them.
        silence: what of a view is handed to the wrong patients in the negative control.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)
    leaks: float = 0.3
    measure: Callable[[World, Guesses], Mapping[Target, float]] = advantage
    world: Mapping[str, Any] = field(default_factory=dict)
    controls: int = 1
    luck: float = 0.05
    silence: Callable[[World, View, int], View] = shuffled


HIJACK = {"pilot_steps": 60, "steps": 20, "channels": 8}
ROWS: dict[str, Row] = {
    "activation-matching": Row({"steps": 60}, leaks=0.5),
    "attribute-inference": Row(
        {"attribute": "lesion side"},
        {"asset": "attribute"},
        leaks=0.9,
        measure=attribute_advantage,
        world={"patients": 60, "slices": 1},
        controls=10,
        luck=0.15,
    ),
    "cross-modality-inversion": Row(
        {"steps": 10, "channels": 8},
        {"position": Position.PARTY, "members": ("north",)},
        leaks=0.3,
        measure=conditional_advantage,
        world={"space": (16, 16)},
    ),
    "decoder-inversion": Row({"steps": 20, "channels": 8}, leaks=0.7),
    "feature-hijacking": Row(
        HIJACK,
        {"behaviour": "active"},
        world={"training": 60, "hijacked_by": FeatureHijacking(**HIJACK)},
    ),
    "gradient-inversion": Row({"steps": 150}, leaks=0.5),
    "gradient-matching": Row(
        {"steps": 4, "stand_in_steps": 15, "reader_steps": 80, "channels": 16},
        {"position": Position.PARTY, "members": ("north",), "victims": ("server",)},
        leaks=0.7,
        silence=of_nobody,
    ),
    "mask-inference": Row({}, {"position": Position.WIRE, "members": ("south",),
                               "victims": ("server",)}, leaks=0.2, measure=overlap_advantage),
    "membership-inference": Row(
        {}, {"asset": "membership"}, leaks=0.9, measure=membership_advantage, silence=of_strangers,
    ),
    "model-membership-inference": Row(
        {"references": 2, "steps": 30},
        {"asset": "membership", "victims": ("north", "south")},
        leaks=0.5,
        measure=membership_advantage,
        world={"training": 400, "patients": 10, "auxiliary": 12, "slices": 1, "batch_size": 4},
        luck=0.2,
        silence=of_strangers,
    ),
    "re-identification": Row({}, {"asset": "identity"}, leaks=0.7),
    "joint-matching": Row({"encoder_steps": 40, "steps": 20}, leaks=0.5),
    "simulator-inversion": Row({"simulator_steps": 60, "steps": 10, "channels": 8}, leaks=0.2),
}  # fmt: skip


def built(name: str) -> Attack:
    attack: Attack = plugins.build(Kind.ATTACK, name, ROWS[name].settings)
    return attack


def exchanged(world: Callable[..., World], name: str) -> World:
    return world(**ROWS[name].world)


def seen(world: World, name: str, **changes: Any) -> View:
    return world.view(**{"asset": built(name).asset, **ROWS[name].view, **changes})


@pytest.fixture(scope="module")
def answers(world: Callable[..., World]) -> Callable[[str], Guesses]:
    """What each attack says of the open cut with seed 1, held to the contract; asked once."""
    known: dict[str, Guesses] = {}

    def ask(name: str) -> Guesses:
        if name not in known:
            view = seen(exchanged(world, name), name)
            known[name] = check_attack(built(name), view, seed=1)
        return known[name]

    return ask


@pytest.fixture(scope="module")
def silent_answers(world: Callable[..., World]) -> Callable[[str, int], Guesses]:
    """What each attack says, with seed 1, of messages that are not the victims'; asked once."""
    known: dict[tuple[str, int], Guesses] = {}

    def ask(name: str, seed: int) -> Guesses:
        if (name, seed) not in known:
            given = exchanged(world, name)
            view = ROWS[name].silence(given, seen(given, name), seed)
            known[name, seed] = built(name)(view, 1)
        return known[name, seed]

    return ask


def test_every_attack_has_a_row() -> None:
    # What gradients add to one's own images is little and dear to find: tests/attacks/
    # test_cross_modality.py holds it to the contract, and to what own images tell.
    assert sorted([*ROWS, "cross-modality"]) == plugins.names(Kind.ATTACK)


@pytest.mark.parametrize("name", ROWS)
def test_keeps_what_an_audit_relies_on(name: str, answers: Callable[[str], Guesses]) -> None:
    """Settings, grants, seeds, inputs and the form of its answers: `leakaudit.testing`."""
    assert answers(name)


@pytest.mark.parametrize("name", ROWS)
def test_leaks_on_an_open_cut(
    name: str, world: Callable[..., World], answers: Callable[[str], Guesses]
) -> None:
    row = ROWS[name]
    assert min(row.measure(exchanged(world, name), answers(name)).values()) > row.leaks


@pytest.mark.parametrize("name", ROWS)
def test_finds_nothing_in_shuffled_messages(
    name: str, world: Callable[..., World], silent_answers: Callable[[str, int], Guesses]
) -> None:
    row = ROWS[name]
    found = [
        max(row.measure(exchanged(world, name), silent_answers(name, seed)).values())
        for seed in range(row.controls)
    ]
    assert sum(found) / len(found) < row.luck


@pytest.mark.parametrize("name", ROWS)
def test_when_it_stops_does_not_depend_on_the_victims(
    name: str,
    answers: Callable[[str], Guesses],
    silent_answers: Callable[[str, int], Guesses],
) -> None:
    silent = silent_answers(name, 0)
    for target, guess in answers(name).items():
        spent = [*(point.effort for point in guess.trail), guess.effort]
        assert spent == [*(each.effort for each in silent[target].trail), silent[target].effort]


@pytest.mark.parametrize("name", ROWS)
def test_says_what_it_knows_how_it_differs_and_where_it_comes_from(name: str) -> None:
    text = plugins.load(Kind.ATTACK, name).__doc__
    assert all(word in text for word in ("Knows:", "Differs:", "Source:"))
    kind: type[Attack] = plugins.load(Kind.ATTACK, name)
    assert kind.family
    assert kind.source


@pytest.mark.parametrize("position", [Position.SERVER, Position.WIRE])
def test_positions_that_see_the_messages_can_invert_them(
    position: Position, world: Callable[..., World]
) -> None:
    members = ("south",) if position is Position.WIRE else ()
    view = seen(world(), "decoder-inversion", position=position, members=members)
    assert min(advantage(world(), built("decoder-inversion")(view, 1)).values()) > 0.7

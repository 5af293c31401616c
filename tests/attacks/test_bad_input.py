"""What an attack cannot work with is said, as not mountable or as an attack that is invalid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from frugal import frugal
from memory_exchange import MemoryExchange, World
from torch import Generator, Tensor, nn

from leakaudit import plugins
from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.exchange.defense import Defense, Guard, Site
from leakaudit.exchange.message import Direction
from leakaudit.plugins import Kind
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge, Position
from leakaudit.threat.view import View, WeightUpdate


class Rounded(Defense):
    """Eight steps, and no gradient comes back through them."""

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _Rounds()


class _Rounds(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return (features * 8).round() / 8


class Fresh(Defense):
    """Answers differently every time."""

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _Fresh()


class _Fresh(Guard):
    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        return features + 0.1 * torch.randn(features.shape, generator=rng)


class BatchNormed(Defense):
    """Normalises over the batch, as some networks do in training."""

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _BatchNorms(site)


class _BatchNorms(Guard):
    def __init__(self, site: Site) -> None:
        super().__init__()
        self.norms = nn.ModuleDict(
            {str(level): nn.BatchNorm2d(shape[0]) for level, shape in site.shapes.items()}
        )

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        normed: Tensor = self.norms[str(level)](features)
        return normed


class Sour:
    """A party that answers with what is no number where an image is brightest."""

    def __init__(self, value: float) -> None:
        self.value = value

    def party(self, name: str, epoch: int) -> Callable[[Tensor, Generator], dict[int, Tensor]]:
        def answer(images: Tensor, rng: Generator) -> dict[int, Tensor]:
            sent = images.repeat(1, 4, *(1,) * (images.ndim - 2))
            sour = sent.masked_fill(sent >= 0.99 * sent.max(), self.value)
            return dict.fromkeys(range(4), sour)

        return answer


class Unsolvable(Attack):
    """Meets equations without a solution."""

    needs = Knowledge.ACTIVATIONS
    asset = "images"
    criterion = "singling out"
    family = "test"
    source = "none"

    def guess(self, view: View, rng: Generator) -> Guesses:
        torch.linalg.solve(torch.zeros(2, 2), torch.ones(2))
        return {}


class UnsolvableElsewhere(Unsolvable):
    """The same, in another library."""

    def guess(self, view: View, rng: Generator) -> Guesses:
        np.linalg.cholesky(-np.eye(2))
        return {}


class Wandering(Unsolvable):
    """Ends well, after a curve that is not finite."""

    def guess(self, view: View, rng: Generator) -> Guesses:
        images = torch.zeros(len(view), 1, *view.space)
        on_the_way = Checkpoint(1, images / 0)
        return {target: Guess(images, 2, (on_the_way,)) for target in view.targets}


class Broken(MemoryExchange):
    """An exchange in which one kind of message, or the updates, overflowed."""

    def __init__(self, whole: MemoryExchange, *broken: Direction | str) -> None:
        self._whole, self._broken = whole, broken
        self._samples, self._together = whole._samples, whole._together
        self.message_size = whole.message_size

    @property
    def epochs(self) -> tuple[int, ...]:
        return self._whole.epochs

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        sent = self._whole.messages(party, level, direction, epoch).clone()
        if direction in self._broken:
            sent[0].fill_(float("nan"))
        return sent

    def updates(self, party: str, epoch: int) -> list[WeightUpdate]:
        updates = list(self._whole.updates(party, epoch))
        if "updates" not in self._broken:
            return updates
        return [
            replace(u, weights={k: v * float("inf") for k, v in u.weights.items()}) for u in updates
        ]


def cheap(name: str, **changes: Any) -> Attack:
    attack: Attack = plugins.build(Kind.ATTACK, name, frugal(name, **changes))
    return attack


MATCHING = ["activation-matching", "gradient-inversion"]


@pytest.mark.parametrize("name", MATCHING)
@pytest.mark.parametrize(
    ("defense", "says"), [(Rounded(), "no gradient c"), (BatchNormed(), "BatchNorm2d")]
)
def test_matching_needs_an_encoder_that_can_be_matched_through(
    name: str, defense: Defense, says: str, world: Callable[..., World]
) -> None:
    view = world(defenses=(defense,), planted=True).view()
    with pytest.raises(NotMountableError, match=says):
        cheap(name)(view, 0)


@pytest.mark.parametrize("defense", [Rounded(), Fresh(), BatchNormed()])
@pytest.mark.parametrize("name", ["decoder-inversion", "joint-matching", "re-identification"])
def test_the_others_go_on_without_derivative_and_with_randomness(
    name: str, defense: Defense, world: Callable[..., World]
) -> None:
    attack = cheap(name)
    view = world(defenses=(defense,), planted=True).view(asset=attack.asset)
    assert all(guess.values.isfinite().all() for guess in attack(view, 0).values())


@pytest.mark.parametrize("name", MATCHING)
def test_matching_takes_a_random_encoder_as_it_comes(
    name: str, world: Callable[..., World]
) -> None:
    attack = cheap(name)
    view = world(defenses=(Fresh(),), planted=True).view()
    assert all(guess.values.isfinite().all() for guess in attack(view, 0).values())


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("decoder-inversion", Direction.ACTIVATION),
        ("mask-inference", Direction.GRADIENT),
        ("gradient-inversion", "updates"),
    ],
)
def test_what_was_recorded_must_be_finite(
    name: str, broken: Direction | str, world: Callable[..., World]
) -> None:
    attack, given = cheap(name), world()
    view = given.view(asset=attack.asset, position=Position.SERVER)
    view = replace(view, _exchange=Broken(given.exchange, broken))
    with pytest.raises(AttackInvalidError, match="must be finite"):
        attack(view, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["decoder-inversion", "re-identification"])
def test_what_is_answered_to_queries_must_be_finite(
    name: str, value: float, world: Callable[..., World]
) -> None:
    attack, given = cheap(name), world()
    view = given.view(asset=attack.asset, position=Position.SERVER, levels=[(0,)])
    view = replace(view, _rebuilt=Sour(value))
    with pytest.raises(AttackInvalidError, match="answers to queries must be finite"):
        attack(view, 0)


def test_a_message_that_is_not_read_may_be_broken(world: Callable[..., World]) -> None:
    given = world()
    view = replace(given.view(), _exchange=Broken(given.exchange, Direction.GRADIENT, "updates"))
    assert cheap("decoder-inversion")(view, 0)


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        (Unsolvable(), "must have a solution"),
        (UnsolvableElsewhere(), "must have a solution"),
        (Wandering(), "must be finite"),
    ],
)
def test_an_attack_that_breaks_down_is_invalid(
    attack: Attack, says: str, world: Callable[..., World]
) -> None:
    with pytest.raises(AttackInvalidError, match=says):
        attack(world().view(), 0)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("decoder-inversion", {"steps": 40, "learning_rate": 1.0}),
        ("activation-matching", {"steps": 5, "learning_rate": 1.0}),
        ("simulator-inversion", {"simulator_steps": 5, "simulator_learning_rate": 1.0}),
    ],
)
def test_steps_that_are_too_long_end_in_numbers_or_in_an_invalid_attack(
    name: str, changes: dict[str, Any], world: Callable[..., World]
) -> None:
    try:
        guesses = cheap(name, **changes)(world().view(), 0)
    except AttackInvalidError:
        return
    assert all(guess.values.isfinite().all() for guess in guesses.values())

"""Fresh noise in every epoch: an attack that puts the releases together beats one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.joint_matching import JointMatching
from leakaudit.attacks.simulator_inversion import SimulatorInversion
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import MemoryExchange, World, advantage
from torch import Tensor

from leakaudit.exchange.message import Direction
from leakaudit.statistics import cells_of, estimate_cells
from leakaudit.statistics.direction import Direction as Leaks
from leakaudit.threat.attack import Attack
from leakaudit.threat.view import View

EPOCHS = 20
QUICK = DecoderInversion(steps=20, channels=8, draws=2)


class LastEpoch:
    """A recording of which only the last release was kept."""

    def __init__(self, whole: MemoryExchange) -> None:
        self._whole = whole
        self.epochs = whole.epochs[-1:]
        self.message_size = whole.message_size

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        return self._whole.messages(party, level, direction, epoch)

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        return self._whole.whole_messages(party, level, epoch)


def errors(world: World, view: View) -> Tensor:
    """(n,) squared error of each attacked sample."""
    (guess,) = QUICK(view, 0).values()
    return (guess.values - world.images["south"]).square().flatten(1).mean(1)


def test_twenty_releases_tell_measurably_more_than_one(world: Callable[..., World]) -> None:
    noise = GaussianNoise(noise_multiplier=0.02, clip_norm=60.0)
    noisy = world(defenses=(noise,), planted=True, epochs=EPOCHS, probed=0)
    view = noisy.view(levels=[(0,)])
    assert len(view.epochs) == EPOCHS
    once = errors(noisy, replace(view, _exchange=LastEpoch(noisy.exchange)))
    gained = (once - errors(noisy, view)) / once.mean()
    patients = [str(number) for number in noisy.patients.tolist()]
    found = estimate_cells(cells_of(gained.numpy(), patients), direction=Leaks.HIGHER)
    assert found.at_least is not None
    assert found.at_least > 0.05
    assert torch.isfinite(gained).all()


@pytest.mark.parametrize(
    "attack",
    [
        JointMatching(encoder_steps=40, steps=20),
        SimulatorInversion(simulator_steps=60, steps=10, channels=8),
    ],
    ids=["joint-matching", "simulator-inversion"],
)
def test_who_asks_nobody_also_puts_releases_together(
    attack: Attack, world: Callable[..., World]
) -> None:
    noise = GaussianNoise(noise_multiplier=0.02, clip_norm=60.0)
    noisy = world(defenses=(noise,), planted=True, epochs=8, probed=0)
    view = noisy.view(levels=[(0,)])

    def found(some: View) -> float:
        told = [*advantage(noisy, attack(some, 0)).values(),
                *advantage(noisy, attack(some, 1)).values()]  # fmt: skip
        return sum(told) / len(told)

    once, often = found(replace(view, _exchange=LastEpoch(noisy.exchange))), found(view)
    assert once > 0
    assert often > once + 0.05

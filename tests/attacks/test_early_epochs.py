"""A leak that happens in one early recorded epoch is a leak."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from leakaudit.attacks.attribute_inference import AttributeInference
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.mask_inference import MaskInference
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import Setup, World, advantage, make_world
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import Position

QUICK = DecoderInversion(steps=60, channels=8)


class Closing(Defense):
    """Sends messages in clear while its buffer says so; otherwise nothing, or noise alone."""

    noise: float = 0.0

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _ClosingGuard(self.noise)


class _ClosingGuard(Guard):
    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("closed", torch.zeros(()))

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        drawn = self.noise * torch.randn(features.shape, generator=rng)
        return features * (1 - self.get_buffer("closed")) + drawn * self.get_buffer("closed")


def closed_after_the_first(world: World) -> World:
    """The same exchange, as it would have been recorded had the guard closed after one epoch."""
    rng = torch.Generator().manual_seed(7)
    first, *later = world.exchange.epochs
    for epoch in later:
        weights = dict(world.rebuilt.weights[epoch])
        for name in weights:
            if name.endswith("closed"):
                weights[name] = torch.ones(())
        world.rebuilt.weights[epoch] = weights
    (defense,) = world.setup.defenses
    assert isinstance(defense, Closing)
    for (_, _, direction, epoch), message in world.exchange._messages.items():
        if direction == "activation" and epoch != first:
            message.copy_(defense.noise * torch.randn(message.shape, generator=rng))
    return world


def recovered(world: World, attack: Attack = QUICK) -> float:
    (found,) = advantage(world, attack(world.view(levels=[(0,)]), 0)).values()
    return found


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_a_leak_in_the_first_of_three_epochs_is_found(
    noise: float, world: Callable[..., World]
) -> None:
    open_once = closed_after_the_first(
        world(defenses=(Closing(noise=noise),), planted=True, epochs=3, seed=11)
    )
    assert recovered(open_once) > 0.5


def test_a_guess_says_which_epoch_it_was_read_from(world: Callable[..., World]) -> None:
    leaking = closed_after_the_first(
        make_world(Setup(defenses=(Closing(),), epochs=3, training=10, planted=True))
    )
    (guess,) = QUICK(leaking.view(levels=[(0,)]), 0).values()
    assert guess.epochs == (0,)
    (plain,) = QUICK(world().view(levels=[(0,)]), 0).values()
    assert plain.epochs == (0,)
    noisy = make_world(
        Setup(defenses=(GaussianNoise(clip_norm=5.0, noise_multiplier=0.1),), epochs=2, training=10)
    )
    (together,) = QUICK(noisy.view(levels=[(0,)]), 0).values()
    assert together.epochs == (0, 1)


def test_of_an_attack_that_does_not_say_it_is_known_what_it_read(
    world: Callable[..., World],
) -> None:
    seen = world(epochs=3, seed=11, planted=True).view(
        Position.PARTY, asset="masks", levels=[(0, 1)], members=("north",)
    )
    for attack, read in ((MaskInference(), (0, 1, 2)), (MaskInference(releases=1), (2,))):
        (guess,) = attack(seen, 0).values()
        assert (guess.epochs, guess.looked_at) == (read, read)


def test_epochs_that_told_less_were_looked_at_all_the_same(world: Callable[..., World]) -> None:
    made = world(epochs=3, seed=11, planted=True)
    for attack, asset in ((QUICK, "images"), (AttributeInference(), "attribute")):
        (guess,) = attack(made.view(levels=[(0,)], asset=asset), 0).values()
        assert guess.epochs is not None
        assert len(guess.epochs) == 1
        assert guess.looked_at == (0, 1, 2)

"""Defenses that only look like defenses: the attack must recover what it recovers without them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.joint_matching import JointMatching
from leakaudit.attacks.simulator_inversion import SimulatorInversion
from memory_exchange import World, advantage
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site
from leakaudit.threat.attack import Attack

QUICK = DecoderInversion(steps=60, channels=8)
WORLDS = range(4)  # other patients and other networks
# They may ask nobody what an image would send.
UNASKING = {
    "joint-matching": JointMatching(encoder_steps=40, steps=20),
    "simulator-inversion": SimulatorInversion(simulator_steps=60, steps=10, channels=8),
}
Kind = Literal[
    "scaled down", "scaled up", "flipped", "permuted", "rotated", "fixed noise", "saturated",
    "quantized", "offset", "silent gradients", "erased", "cubed", "spread",
]  # fmt: skip


class Disguise(Defense):
    """Changes what a message looks like, not what it tells."""

    kind: Kind

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _DisguiseGuard(self.kind, site, rng)


class _DisguiseGuard(Guard):
    def __init__(self, kind: Kind, site: Site, rng: Generator) -> None:
        super().__init__()
        self.kind = kind
        for level, (channels, *space) in site.shapes.items():
            signs = torch.randint(2, (channels,), generator=rng) * 2.0 - 1
            order = torch.randperm(channels, generator=rng)
            rotation = torch.linalg.qr(torch.randn(channels, channels, generator=rng)).Q
            noise = 3 * torch.randn(channels, *space, generator=rng)
            offset = 10 * torch.randn(channels, generator=rng)
            self.register_buffer(f"signs{level}", signs)
            self.register_buffer(f"order{level}", order)
            self.register_buffer(f"rotation{level}", rotation)
            self.register_buffer(f"noise{level}", noise)
            self.register_buffer(f"offset{level}", offset)

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        lined = (-1, *(1,) * (features.ndim - 2))
        key = {
            name: self.get_buffer(f"{name}{level}")
            for name in ("signs", "order", "rotation", "noise", "offset")
        }
        match self.kind:
            case "scaled down":
                return features * 1e-3
            case "scaled up":
                return features * 1e3
            case "flipped":
                return features * key["signs"].reshape(lined)
            case "permuted":
                return features[:, key["order"]]
            case "rotated":
                return torch.einsum("ij,nj...->ni...", key["rotation"], features)
            case "fixed noise":
                return features + key["noise"]
            case "saturated":
                return torch.tanh(2 * features)
            case "quantized":
                # The range is that of a whole message, as an 8-bit wire format would do it.
                low, high = features.amin().detach(), features.amax().detach()
                step = (high - low) / 255
                return (
                    features + (((features - low) / step).round() * step + low - features).detach()
                )
            case "offset":
                return features + key["offset"].reshape(lined)
            case "cubed":
                return features**3
            case "spread":
                return torch.exp(2 * features)
            case "erased":
                return features * 0
            case _:
                return features

    def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        return gradient * 0 if self.kind == "silent gradients" else gradient


def recovered(world: World, attack: Attack = QUICK) -> float:
    (found,) = advantage(world, attack(world.view(levels=[(0,)]), 0)).values()
    return found


@pytest.fixture(scope="module")
def undefended(world: Callable[..., World]) -> Callable[..., float]:
    """What the attack recovers without a disguise; found once for each world."""

    @functools.cache
    def find(seed: int, attack: Attack = QUICK) -> float:
        return recovered(world(seed=seed), attack)

    return find


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize(
    "kind",
    [
        "scaled down", "scaled up", "flipped", "permuted", "fixed noise", "saturated",
        "quantized", "offset", "silent gradients",
    ],
)  # fmt: skip
def test_recovers_the_undefended_advantage(
    kind: Kind, seed: int, world: Callable[..., World], undefended: Callable[..., float]
) -> None:
    disguised = world(defenses=(Disguise(kind=kind),), planted=True, seed=seed)
    assert recovered(disguised) / undefended(seed) >= 0.95


@pytest.mark.parametrize("seed", WORLDS)
def test_a_secret_rotation_is_undone_with_the_steps_an_audit_takes(
    seed: int, world: Callable[..., World], undefended: Callable[..., float]
) -> None:
    rotated = world(defenses=(Disguise(kind="rotated"),), planted=True, seed=seed)
    usual = DecoderInversion()
    assert recovered(rotated, usual) / undefended(seed, usual) >= 0.95


@pytest.mark.parametrize("kind", ["cubed", "spread"])
def test_a_function_that_spreads_values_costs_little(
    kind: Kind, world: Callable[..., World], undefended: Callable[..., float]
) -> None:
    disguised = world(defenses=(Disguise(kind=kind),), planted=True)
    assert recovered(disguised) / undefended(0) >= 0.85


@pytest.mark.parametrize("seed", WORLDS)
def test_what_disguises_are_measured_by_is_no_weak_attack(
    seed: int, undefended: Callable[..., float]
) -> None:
    assert undefended(seed) > 0.8
    assert undefended(seed, DecoderInversion()) > 0.83


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("factor", [1e-2, 1e2])
def test_rescaled_encoder_weights_hide_nothing(
    factor: float, seed: int, world: Callable[..., World], undefended: Callable[..., float]
) -> None:
    assert recovered(world(rescaled=factor, seed=seed)) / undefended(seed) >= 0.95


def test_finds_nothing_where_the_message_is_truly_gone(world: Callable[..., World]) -> None:
    assert recovered(world(defenses=(Disguise(kind="erased"),), planted=True)) < 0.02


@pytest.fixture(scope="module")
def without(world: Callable[..., World]) -> Callable[[str], float]:
    """What an attack that asks nobody recovers without a disguise; found once."""
    known: dict[str, float] = {}

    def find(name: str) -> float:
        if name not in known:
            known[name] = recovered(world(), UNASKING[name])
        return known[name]

    return find


@pytest.mark.parametrize("name", UNASKING)
@pytest.mark.parametrize(
    "kind", ["scaled down", "scaled up", "flipped", "permuted", "saturated", "offset"]
)
def test_who_asks_nobody_recovers_nine_tenths(
    kind: Kind, name: str, world: Callable[..., World], without: Callable[[str], float]
) -> None:
    found = recovered(world(defenses=(Disguise(kind=kind),), planted=True), UNASKING[name])
    assert found / without(name) >= 0.9


@pytest.mark.parametrize("name", UNASKING)
def test_who_asks_nobody_finds_nothing_where_the_message_is_gone(
    name: str, world: Callable[..., World]
) -> None:
    gone = world(defenses=(Disguise(kind="erased"),), planted=True)
    assert -0.2 < recovered(gone, UNASKING[name]) < 0.02


def test_a_map_of_noise_that_is_the_same_for_all_is_not_taken_for_anatomy(
    world: Callable[..., World],
) -> None:
    masked = world(defenses=(Disguise(kind="fixed noise"),), planted=True)
    assert recovered(masked, JointMatching()) > 0

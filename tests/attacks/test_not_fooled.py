"""Defenses that only look like defenses: the attack must recover what it recovers without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from memory_exchange import World, advantage
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site

QUICK = DecoderInversion(steps=60, channels=8)
Kind = Literal[
    "scaled down", "scaled up", "flipped", "permuted", "rotated", "fixed noise", "saturated",
    "quantized", "offset", "silent gradients", "erased",
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
            case "erased":
                return features * 0
            case _:
                return features

    def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        return gradient * 0 if self.kind == "silent gradients" else gradient


def recovered(world: World) -> float:
    (found,) = advantage(world, QUICK(world.view(levels=[(0,)]), 0)).values()
    return found


@pytest.fixture(scope="module")
def undefended(world: Callable[..., World]) -> float:
    return recovered(world())


@pytest.mark.parametrize(
    "kind",
    [
        "scaled down", "scaled up", "flipped", "permuted", "rotated", "fixed noise", "saturated",
        "quantized", "offset", "silent gradients",
    ],
)  # fmt: skip
def test_recovers_the_undefended_advantage(
    kind: Kind, world: Callable[..., World], undefended: float
) -> None:
    share = recovered(world(defenses=(Disguise(kind=kind),), planted=True)) / undefended
    assert share >= 0.95


@pytest.mark.parametrize("factor", [1e-2, 1e2])
def test_rescaled_encoder_weights_hide_nothing(
    factor: float, world: Callable[..., World], undefended: float
) -> None:
    share = recovered(world(rescaled=factor)) / undefended
    assert share >= 0.95


def test_finds_nothing_where_the_message_is_truly_gone(world: Callable[..., World]) -> None:
    assert recovered(world(defenses=(Disguise(kind="erased"),), planted=True)) < 0.02

"""One patient's image copied into a channel: read, though no auxiliary patient shows its like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from leakaudit.attacks.parts.in_clear import read_in_clear
from lossless_codes import Coding
from memory_exchange import World

from leakaudit.exchange.message import Direction
from leakaudit.threat.attack import Guess

PATIENTS, SLICES, PLANTED = 15, 3, 4


@pytest.fixture
def planted(world: Callable[..., World]) -> World:
    """Noise in every channel, but for one patient's image in one of level 1, as a negative."""
    given = world(patients=PATIENTS, training=1, defenses=(Coding(code="fresh_noise"),))
    rng = torch.Generator().manual_seed(0)
    exchange = type(given.exchange)(len(given.patients))
    exchange.message_size = given.exchange.message_size
    for (party, level, direction, epoch), sent in given.exchange._messages.items():
        noise = torch.randn(sent.shape, generator=rng)
        if level == 1 and direction is Direction.ACTIVATION and party == "south":
            rows = given.patients == PLANTED
            small = torch.nn.functional.interpolate(given.images[party][rows], sent.shape[2:])
            noise[rows, 5] = 40 - 7 * small[:, 0]
        exchange._messages[party, level, direction, epoch] = noise
    return replace(given, exchange=exchange)


def read(world: World, levels: tuple[int, ...]) -> torch.Tensor:
    view = world.view()
    blank = torch.zeros_like(world.images["south"])
    guess = Guess(blank, effort=1)
    return read_in_clear(view, "south", levels, guess, torch.Generator().manual_seed(1)).values


def test_that_patient_is_read_and_nobody_else(planted: World) -> None:
    found = read(planted, (0, 1))
    rows = planted.patients == PLANTED
    assert found[~rows].abs().max() == 0
    truth = planted.images["south"][rows]
    mean = planted.auxiliary.images["south"].mean(0)
    left = (found[rows] - truth).square().mean() / (mean - truth).square().mean()
    assert left < 0.8  # of the squared error of the typical image; half the resolution crossed


def test_other_levels_show_nothing(planted: World) -> None:
    assert read(planted, (0,)).abs().max() == 0


def test_an_ordinary_party_is_left_to_the_decoder(world: Callable[..., World]) -> None:
    assert read(world(), (0, 1)).abs().max() == 0

"""The presence control: it fires on codes that destroy nothing, and not on messages without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from asked_party import BATCH, Noise, link
from lossless_codes import CODES, LOSSLESS, CodingGuard
from memory_exchange import Setup, World, make_world
from torch import Generator, Tensor, nn

from leakaudit.cells.presence import Presence, presence
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.judgement.presences import LEVEL

MIXING = (
    "decoy_in_the_message", "mixing_of_a_batch", "mixing_of_a_batch_anew", "interlaced_samples",
)  # fmt: skip
# Whoever does not know it sees noise: of it the burden of proof keeps silence from counting, and
# nothing else (tests/cli/test_one_of_fifteen.py).
CIPHER = "stream_cipher"
PATIENTS, SLICES = 8, 2


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(
        Setup(patients=PATIENTS, slices=SLICES, auxiliary=6, batch_size=BATCH, training=10)
    )


def looked_at(world: World, code: str, seed: int = 0) -> Presence:
    images = torch.cat([world.images["south"], world.auxiliary.images["south"]])
    victims = PATIENTS * SLICES
    network = world.rebuilt.network(0)
    endpoint = PartyEndpoint(network.party("south").encoder, [CodingGuard(code, {})])
    return presence(
        link(images, victims, endpoint, network.split.crossing, seed),
        torch.arange(victims).reshape(PATIENTS, SLICES),
        torch.arange(victims, len(images), SLICES),
        [f"P{number}" for number in range(PATIENTS)],
        seed,
    )


@pytest.mark.parametrize("code", sorted(set(LOSSLESS) - {CIPHER, "mixing_of_a_message_sent_along"}))
def test_what_a_code_keeps_is_found(world: World, code: str) -> None:
    found = looked_at(world, code)
    assert found.p is not None
    # Still sure when five seeds are looked at; of mixed samples only who crossed together is known.
    assert found.p <= (LEVEL if code == "mixing_of_a_batch_anew" else LEVEL / 5)
    # The share is of one comparison that auxiliary patients chose, not of the best on the victims.
    # Whoever crossed together cannot be told apart by what their whole message spans.
    assert code in MIXING or sum(found.shares) / PATIENTS > 0.75


def test_mixing_with_weights_sent_along_is_found_by_one_of_two_seeds(world: World) -> None:
    """Who crossed together is all that is known: p is .015 and .0005, corrected for both .001."""
    found = [looked_at(world, "mixing_of_a_message_sent_along", seed).p for seed in range(2)]
    sure = [p for p in found if p is not None]
    assert len(sure) == 2
    assert 2 * min(sure) <= LEVEL


@pytest.mark.parametrize("code", ["constant", "zeros"])
def test_messages_that_are_all_alike_carry_nothing(world: World, code: str) -> None:
    found = looked_at(world, code)
    assert found.p == 1
    assert found.shares == (0.5,) * PATIENTS


def test_fresh_noise_carries_nothing() -> None:
    """At most one run in a hundred may fire; of 200, five or more would in fewer than one in 18."""
    rng = torch.Generator().manual_seed(5)
    images = torch.rand(9, 1, 6, 6, generator=rng)
    runs = [
        presence(
            link(images, 6, Noise(), (0,), seed), torch.arange(6)[:, None], torch.arange(6, 9),
            list("abcdef"), seed,
        )
        for seed in range(200)
    ]  # fmt: skip
    values = torch.tensor([run.p or 0.0 for run in runs])
    assert (values <= LEVEL).sum() < 5
    # Exact: p values are spread evenly, neither too small nor too large.
    assert abs(values.mean().item() - 0.5) < 0.08
    assert abs(torch.tensor([sum(run.shares) / 6 for run in runs]).mean().item() - 0.5) < 0.03


def test_fresh_noise_of_a_trained_party_carries_nothing(world: World) -> None:
    found = [looked_at(world, "fresh_noise", seed) for seed in range(5)]
    assert sum((each.p or 0.0) <= LEVEL for each in found) == 0


def test_one_patient_cannot_be_told_apart(world: World) -> None:
    images = world.images["south"]
    whole = link(images, 2, Noise(), (0,), 0)
    found = presence(whole, torch.arange(2)[None], torch.arange(0), ["P0"], 0)
    assert found.p is None
    assert "two patients" in found.reason


def test_messages_that_are_not_finite_are_no_evidence(world: World) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor, rng: Generator) -> Mapping[int, Tensor]:
            return {0: torch.full((len(images), 2, 6, 6), torch.nan)}

    images = world.images["south"]
    found = presence(
        link(images, 6, Broken(), (0,), 0), torch.arange(6)[:, None], torch.arange(0),
        list("abcdef"), 0,
    )  # fmt: skip
    assert found.p is None
    assert "finite" in found.reason


def test_what_no_control_can_tell_is_known(world: World) -> None:
    """A control that finds it after all is worth saying."""
    found = looked_at(world, CIPHER)
    assert found.p is not None
    assert found.p > LEVEL


def test_every_code_is_tried() -> None:
    assert set(CODES) - set(LOSSLESS) == {"fresh_noise", "constant", "zeros"}

"""Defenses that learn: noise that grows, a decoder that is fought."""

from collections.abc import Callable

import pytest
import torch
from leakaudit.defenses.adversarial_decoder import AdversarialDecoder, _AdversarialDecoderGuard
from leakaudit.defenses.learned_noise import LearnedNoise, _LearnedNoiseGuard
from torch import Generator

from leakaudit.exchange.defense import Site
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.split.spec import SplitSpec

IMAGES = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(4))


def _party(split: SplitSpec, defense: AdversarialDecoder | LearnedNoise) -> PartyEndpoint:
    return Network(split, 1, (16, 16), [defense], seed=0).party("north")


def test_noise_starts_as_set_and_grows_up_to_its_cap(flat_split: SplitSpec) -> None:
    defense = LearnedNoise(weight=1.0, start=0.5, most=2.0)
    site = Site(flat_split, "north", {0: (2, 8, 8)}, modalities=1)
    guard = defense.guard(site, torch.Generator())
    assert isinstance(guard, _LearnedNoiseGuard)
    assert torch.allclose(guard._scale(0), torch.tensor(0.5))
    optimiser = torch.optim.Adam(guard.parameters(), lr=0.3)
    for _ in range(100):
        optimiser.zero_grad()
        term = guard.loss_term(IMAGES, {}, torch.Generator())
        assert term is not None
        term.backward()
        optimiser.step()
    assert (guard._scale(0) > 1.9).all()
    assert (guard._scale(0) <= 2.0).all()


def test_noise_follows_the_message_so_that_it_cannot_be_outgrown(
    flat_split: SplitSpec, generator: Callable[[int], Generator]
) -> None:
    site = Site(flat_split, "north", {0: (2, 8, 8)}, modalities=1)
    guard = LearnedNoise(weight=1.0).guard(site, generator(0))
    message = torch.randn(2, 2, 8, 8, generator=generator(1))
    small = guard.forward_message(0, message, generator(2))
    large = guard.forward_message(0, 1000 * message, generator(2))
    assert torch.allclose(large, 1000 * small, rtol=1e-4)


def test_the_reward_is_weighed_against_the_task(flat_split: SplitSpec) -> None:
    """Noise grows where values do not matter and stays small where they do."""
    site = Site(flat_split, "north", {0: (2, 8, 8)}, modalities=1)
    guard = LearnedNoise(weight=0.1, most=5.0).guard(site, torch.Generator())
    assert isinstance(guard, _LearnedNoiseGuard)
    message, rng = torch.ones(4, 2, 8, 8), torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(guard.parameters(), lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        sent = guard.forward_message(0, message, rng)
        task = (sent[:, 0] - message[:, 0]).square().mean()
        term = guard.loss_term(IMAGES, {}, rng)
        assert term is not None
        (task + term).backward()
        optimiser.step()
    scale = guard._scale(0).mean(dim=(1, 2))
    assert scale[0] < 0.6
    assert scale[1] > 2.0


def _decoder_guard(party: PartyEndpoint) -> _AdversarialDecoderGuard:
    guard = party.guards[0]
    assert isinstance(guard, _AdversarialDecoderGuard)
    return guard


def test_the_decoder_learns_and_its_term_rises_on_an_open_encoder(flat_split: SplitSpec) -> None:
    defense = AdversarialDecoder(weight=1.0, steps=5, learning_rate=0.01)
    party, rng = _party(flat_split, defense), torch.Generator()
    features = {level: tensor.detach() for level, tensor in party(IMAGES, rng).items()}
    terms = [party.loss_terms(IMAGES, features, rng)[0].item() for _ in range(60)]
    assert terms[-1] > terms[0] + 0.2
    assert terms[-1] > 0.75
    assert max(terms) <= 1.0


def test_the_party_fights_the_decoder_and_does_not_train_it(flat_split: SplitSpec) -> None:
    defense = AdversarialDecoder(weight=1.0, steps=5, learning_rate=0.01)
    party, rng = _party(flat_split, defense), torch.Generator()
    for _ in range(40):
        party.loss_terms(IMAGES, party(IMAGES, rng), rng)
    guard = _decoder_guard(party)
    guard._defense = defense.model_copy(update={"steps": 1, "learning_rate": 1e-12})
    guard._optimiser = None
    before = {name: value.clone() for name, value in guard.decoder.state_dict().items()}
    optimiser = torch.optim.AdamW(party.parameters(), lr=3e-3, weight_decay=0.1)
    terms = []
    for _ in range(30):
        optimiser.zero_grad(set_to_none=True)
        (term,) = party.loss_terms(IMAGES, party(IMAGES, rng), rng)
        term.backward()
        optimiser.step()
        terms.append(term.item())
    assert terms[0] > 0.5
    assert terms[-1] < 0.5 * terms[0]
    after = guard.decoder.state_dict()
    assert all(torch.allclose(before[name], after[name], atol=1e-8) for name in before)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_single_sample_has_no_term(dimensions: int) -> None:
    split = SplitSpec.model_validate(
        {
            "parties": [{"name": "north", "modalities": ["T1"]}],
            "dimensions": dimensions,
            "channels": [4, 8],
            "party_levels": 1,
        }
    )
    space = (9,) * dimensions
    network = Network(split, 1, space, [AdversarialDecoder(weight=1.0)], seed=0)
    party, rng = network.party("north"), torch.Generator()
    for samples, terms in ((1, 0), (2, 1)):
        images = torch.rand(samples, 1, *space)
        assert len(party.loss_terms(images, party(images, rng), rng)) == terms

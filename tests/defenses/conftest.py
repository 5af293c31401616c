"""Splits, exposures and messages small enough to try every defense on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from leakaudit.exchange.defense import Exposure
from leakaudit.split.spec import PartySpec, SplitSpec

torch.set_num_threads(1)

PARTIES = (
    PartySpec(name="north", modalities=("T1",)),
    PartySpec(name="south", modalities=("T2", "FLAIR")),
)


@pytest.fixture(params=[2, 3], ids=["2-D", "3-D"])
def split(request: pytest.FixtureRequest) -> SplitSpec:
    return SplitSpec(parties=PARTIES, dimensions=request.param, channels=(4, 8, 8), party_levels=2)


@pytest.fixture
def flat_split() -> SplitSpec:
    return SplitSpec(parties=PARTIES, channels=(4, 8, 8, 8), party_levels=3)


@pytest.fixture
def exposure() -> Exposure:
    return Exposure(epochs=5, samples_per_patient=3, patients=40, steps_per_epoch=30, batch_size=4)


@pytest.fixture
def generator() -> Callable[[int], torch.Generator]:
    return lambda seed: torch.Generator().manual_seed(seed)


def images_of(split: SplitSpec, party: str, seed: int, samples: int = 4) -> Tensor:
    space = (16,) * split.dimensions
    modalities = len(split.party(party).modalities)
    return torch.rand(samples, modalities, *space, generator=torch.Generator().manual_seed(seed))

"""Stacks: what is refused beside what, and when a claim survives company."""

import re
from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from leakaudit.defenses.distance_correlation import DistanceCorrelation
from leakaudit.defenses.dropout import Dropout
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.none import NoDefense
from leakaudit.defenses.skip_withholding import SkipWithholding
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Exposure, Guard, Site
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import claims, no_claim_because, resolve
from leakaudit.split.spec import SplitSpec

NOISE = GaussianNoise(noise_multiplier=90.0, clip_norm=1.0)
GRADIENT_NOISE = GaussianNoise(noise_multiplier=90.0, clip_norm=1.0, direction="backward")


class Strange(Defense):
    """A stranger's defense that declares nothing."""


class Learned(Defense):
    """A stranger's defense with weights."""

    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True
    learned: ClassVar[bool] = True


class Doubling(Defense):
    """Doubles what it sees, to tell the order of guards."""

    class Twice(Guard):
        def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
            return 2 * features + 1

        def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
            return 2 * gradient + 1

    class Minus(Guard):
        def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
            return features - 5

        def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
            return gradient - 5

    minus: bool = False

    def guard(self, site: Site, rng: Generator) -> Guard:
        return self.Minus() if self.minus else self.Twice()

    def check_stack(self, before: object, after: object) -> None:
        pass


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([NoDefense(), NOISE], "stands alone"),
        ([NOISE, NoDefense()], "stands alone"),
        ([NOISE, NOISE], "GaussianNoise twice"),
        ([Dropout(rate=0.1), NOISE, Dropout(rate=0.5, levels=(1,))], "Dropout twice"),
        ([NOISE, GaussianNoise(noise_multiplier=1.0, direction="both")], "GaussianNoise twice"),
        ([DistanceCorrelation(weight=1.0), DistanceCorrelation(weight=2.0)], "twice"),
    ],
)
def test_senseless_stacks_are_refused(
    stack: list[Defense], message: str, flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        resolve(stack, flat_split, exposure)


@pytest.mark.parametrize(
    "stack",
    [
        [NOISE, GRADIENT_NOISE],
        [Dropout(rate=0.1, levels=(0,)), Dropout(rate=0.5, levels=(1, 2))],
        [Dropout(rate=0.1, parties=("north",)), Dropout(rate=0.5, parties=("south",))],
        [SkipWithholding(levels=(0,)), NOISE, Dropout(rate=0.2), DistanceCorrelation(weight=1.0)],
    ],
)
def test_sensible_stacks_are_not(
    stack: list[Defense], flat_split: SplitSpec, exposure: Exposure
) -> None:
    network = Network(flat_split, 1, (16, 16), resolve(stack, flat_split, exposure), seed=0)
    features = network.party("north")(torch.rand(4, 1, 16, 16), torch.Generator().manual_seed(1))
    assert set(features) == set(network.split.crossing)


def test_guards_are_passed_in_order_and_gradients_in_reverse(flat_split: SplitSpec) -> None:
    stack = [Doubling(), Doubling(minus=True)]
    party = Network(flat_split, 1, (16, 16), stack, seed=0).party("north")
    images, rng = torch.rand(2, 1, 16, 16), torch.Generator()
    bare: Mapping[int, Tensor] = party.encoder(images)
    assert torch.allclose(party(images, rng)[0], 2 * bare[0] + 1 - 5)
    gradient = torch.rand(2, 4, 16, 16)
    assert torch.allclose(party.returned(0, gradient, rng), 2 * (gradient - 5) + 1)


def test_a_claim_survives_what_only_uses_the_message(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    (alone,) = claims([NOISE], flat_split, exposure)
    assert alone is not None
    for stack in ([Strange(), NOISE, Dropout(rate=0.5)], [Dropout(rate=0.5), NOISE, Learned()]):
        assert claims(stack, flat_split, exposure) == (None, alone, None)


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ([NOISE, Strange()], "Strange, later in the stack, may use more"),
        ([Strange(), GRADIENT_NOISE], "Strange, later in the stack, may use more"),
        ([DistanceCorrelation(weight=1.0), NOISE, Learned()], "Learned, later in the stack, has"),
        ([GaussianNoise(noise_multiplier=1.0)], "without clipping bounds nothing"),
        (
            [GaussianNoise(noise_multiplier=1.0, clip_norm=1.0, levels=(0,))],
            "level 1, level 2: sent without noise",
        ),
        ([Dropout(rate=0.5)], "Dropout bounds no privacy loss"),
        ([], "nothing defends"),
    ],
)
def test_a_stack_without_claim_says_why(
    stack: list[Defense], reason: str, flat_split: SplitSpec, exposure: Exposure
) -> None:
    assert set(claims(stack, flat_split, exposure)) <= {None}
    said = no_claim_because(stack, flat_split, exposure)
    assert said is not None
    assert re.search(reason, said)


def test_a_stack_with_a_claim_needs_no_reason(flat_split: SplitSpec, exposure: Exposure) -> None:
    assert no_claim_because([Dropout(rate=0.5), NOISE], flat_split, exposure) is None
    assert no_claim_because([GRADIENT_NOISE, Strange()], flat_split, exposure) is None

"""NoPeek's term: equal to the dcor package, falls when trained on, needs three samples."""

import dataclasses
from collections.abc import Callable

import dcor
import pytest
import torch
from leakaudit.defenses.distance_correlation import DistanceCorrelation, distance_correlation
from torch import Generator

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure, Site
from leakaudit.exchange.stack import resolve
from leakaudit.split.spec import SplitSpec


@pytest.mark.parametrize("samples", [3, 8, 40])
@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
def test_equal_to_dcor(samples: int, mix: float) -> None:
    rng = torch.Generator().manual_seed(samples)
    first = torch.randn(samples, 2, 4, 4, generator=rng, dtype=torch.float64)
    other = torch.randn(samples, 2, 4, 4, generator=rng, dtype=torch.float64)
    second = (mix * first + (1 - mix) * other).abs()
    theirs = dcor.distance_correlation(first.flatten(1).numpy(), second.flatten(1).numpy())
    assert float(distance_correlation(first, second)) == pytest.approx(theirs, rel=1e-9)


def test_of_two_samples_it_says_nothing() -> None:
    first, second = torch.randn(2, 5), torch.randn(2, 5)
    assert float(distance_correlation(first, second)) == pytest.approx(1.0, abs=1e-5)


def test_a_constant_batch_has_no_dependence_and_a_finite_gradient() -> None:
    first = torch.randn(6, 3, 4, 4)
    second = torch.zeros(6, 3, 4, 4, requires_grad=True)
    value = distance_correlation(first, second)
    value.backward()
    assert value.item() < 1e-5
    assert second.grad is not None
    assert torch.isfinite(second.grad).all()


def test_the_gradient_is_the_true_one() -> None:
    first = torch.randn(5, 6, dtype=torch.float64)
    second = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: distance_correlation(first, s), second)


def test_following_the_gradient_lowers_it() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(12, 30, generator=rng)
    weights = torch.randn(30, 4, generator=rng, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.05)
    values = []
    for _ in range(60):
        value = distance_correlation(images, images @ weights)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.8 * values[0]


def test_weight_and_levels(flat_split: SplitSpec, generator: Callable[[int], Generator]) -> None:
    site = Site(flat_split, "north", {0: (4, 8, 8), 1: (8, 4, 4)}, modalities=1)
    images = torch.rand(5, 1, 8, 8)
    features = {0: torch.rand(5, 4, 8, 8), 1: torch.rand(5, 8, 4, 4)}
    both, one = (
        DistanceCorrelation(weight=3.0, levels=levels).guard(site, generator(0))
        for levels in (None, (1,))
    )
    expected = {level: distance_correlation(images, f) for level, f in features.items()}
    assert both.loss_term(images, features, generator(0)) == pytest.approx(
        1.5 * (expected[0] + expected[1])
    )
    assert one.loss_term(images, features, generator(0)) == pytest.approx(3.0 * expected[1])
    assert one.loss_term(images[:2], features, generator(0)) is None


def test_batches_too_small_are_refused(flat_split: SplitSpec, exposure: Exposure) -> None:
    small = dataclasses.replace(exposure, batch_size=2)
    with pytest.raises(ConfigurationError, match="at least three; found: batch size 2"):
        resolve([DistanceCorrelation(weight=1.0)], flat_split, small)

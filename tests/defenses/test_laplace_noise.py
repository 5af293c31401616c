"""Laplace noise: its scale, and its accountant against closed forms and numerical integration."""

import math

import pytest
import torch
from leakaudit.defenses._laplace_accountant import laplace_multiplier
from leakaudit.defenses._sample_norms import clip_samples
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.gradient_clip_noise import GradientClipNoise
from leakaudit.defenses.laplace_noise import LaplaceNoise
from leakaudit.defenses.learned_noise import LearnedNoise
from leakaudit.defenses.quantization import Quantization
from scipy.stats import chi2

from leakaudit.accounting import laplace_epsilon
from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Exposure
from leakaudit.exchange.stack import claims, resolve
from leakaudit.split.spec import SplitSpec


def _rejected(noise: torch.Tensor, scale: float) -> bool:
    """Twice the sum of absolute Laplace values over the scale is chi-square; 1 in a million."""
    statistic = float(2 * noise.double().abs().sum() / scale)
    low, high = chi2.ppf([5e-7, 1 - 5e-7], df=2 * noise.numel())
    return not low <= statistic <= high


def test_noise_has_the_stated_scale_and_another_scale_is_rejected() -> None:
    message = torch.randn(8, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    changed = LaplaceNoise(noise_multiplier=0.7, clip_norm=3.0).change(
        message, torch.Generator().manual_seed(5)
    )
    noise = changed - clip_samples(message, 3.0, 1)
    assert not _rejected(noise, 0.7 * 3.0)
    assert _rejected(noise, 1.02 * 0.7 * 3.0)
    assert _rejected(noise, 0.98 * 0.7 * 3.0)
    assert abs(float(noise.mean())) < 6 * 2.1 * math.sqrt(2 / noise.numel())


@pytest.mark.parametrize("delta", [0.0, 1e-5])
@pytest.mark.parametrize("target", [0.1, 1.0, 50.0])
def test_calibration_meets_its_target(target: float, delta: float) -> None:
    found = laplace_epsilon(laplace_multiplier(target, 90, delta), 90, delta).epsilon
    assert found == pytest.approx(target, rel=1e-4)
    assert found <= target * (1 + 1e-12)


def test_a_target_that_no_noise_gives_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one that some noise gives"):
        laplace_multiplier(1e-9, 90, 0.0)


def test_the_claim_is_pure_and_replacing_costs_twice(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    (claim,) = claims([LaplaceNoise(noise_multiplier=90.0, clip_norm=1.0)], flat_split, exposure)
    assert claim is not None
    assert claim.epsilon == pytest.approx(2.0)
    assert claim.delta == 0


def test_gradient_noise_claims_masks_against_parties(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    stack = [GradientClipNoise(noise_multiplier=90.0, clip_norm=1.0)]
    (claim,) = claims(stack, flat_split, exposure)
    assert claim is not None
    assert "mask" in claim.unit
    assert "activations, which are sent as they are" in claim.not_covered
    assert "server" in claim.trust_model
    rng, message = torch.Generator(), torch.ones(1, 2, 4, 4)
    same = GaussianNoise(noise_multiplier=90.0, clip_norm=1.0)
    assert torch.equal(
        stack[0].change(message, rng.manual_seed(1)), same.change(message, rng.manual_seed(1))
    )


@pytest.mark.parametrize(
    "stack",
    [
        [LaplaceNoise(noise_multiplier=1.0), GaussianNoise(noise_multiplier=1.0)],
        [
            GaussianNoise(noise_multiplier=1.0, direction="both"),
            GradientClipNoise(noise_multiplier=1.0, clip_norm=1.0),
        ],
    ],
)
def test_one_noise_per_message(
    stack: list[Defense], flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match="one noise per message"):
        resolve(stack, flat_split, exposure)


@pytest.mark.parametrize("noise", [GaussianNoise(noise_multiplier=1.0), LearnedNoise(weight=1.0)])
def test_quantization_comes_after_noise(
    noise: Defense, flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match="takes values off the grid"):
        resolve([Quantization(bits=4), noise], flat_split, exposure)
    resolve([noise, Quantization(bits=4)], flat_split, exposure)

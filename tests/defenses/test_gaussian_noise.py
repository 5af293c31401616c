"""Gaussian noise: the ball, the scale, the accountant, and the claim's words."""

import dataclasses
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leakaudit.defenses._accountant import gaussian_multiplier, gaussian_spent
from leakaudit.defenses._sample_norms import clip_samples
from leakaudit.defenses.gaussian_noise import GaussianNoise
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.accountants.utils import get_noise_multiplier
from scipy.optimize import brentq
from scipy.stats import chi2, norm
from torch import Generator

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure
from leakaudit.exchange.stack import claims, resolve
from leakaudit.split.spec import SplitSpec

VALUES = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)


@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=40), min_size=1, max_size=4),
    st.floats(1e-3, 1e3),
    st.sampled_from([1, 2]),
)
@settings(deadline=None, max_examples=200)
def test_clipping_stays_in_the_ball(rows: list[list[float]], bound: float, order: int) -> None:
    width = min(len(row) for row in rows)
    message = torch.tensor([row[:width] for row in rows])[:, :, None, None]
    clipped = clip_samples(message, bound, order)
    norms = torch.linalg.vector_norm(clipped.double().flatten(1), ord=order, dim=1)
    assert (norms <= bound).all()
    before = torch.linalg.vector_norm(message.double().flatten(1), ord=order, dim=1)
    inside = before <= 0.999 * bound
    assert torch.equal(clipped[inside], message[inside])


def test_clipping_stays_in_the_ball_where_single_precision_sums_go_wrong() -> None:
    message = torch.rand(2, 64, 64, 64, generator=torch.Generator().manual_seed(1)) + 0.5
    clipped = clip_samples(message, 1.0, 2)
    assert (clipped.double().flatten(1).norm(dim=1) <= 1.0).all()


def test_clipping_keeps_direction_and_clips_each_sample_alone() -> None:
    message = torch.stack([torch.full((3, 4, 4), 10.0), torch.full((3, 4, 4), 1e-3)])
    clipped = clip_samples(message, 1.0, 2)
    assert torch.equal(clipped[1], message[1])
    assert torch.allclose(clipped[0] / clipped[0].norm(), message[0] / message[0].norm())


def _noise_variance_is_rejected(measured: torch.Tensor, deviation: float) -> bool:
    """Two-sided chi-square test of the variance at 1 in a million."""
    statistic = float((measured.double() / deviation).square().sum())
    low, high = chi2.ppf([5e-7, 1 - 5e-7], df=measured.numel())
    return not low <= statistic <= high


def _noise(defense: GaussianNoise, message: torch.Tensor, clipped: torch.Tensor) -> torch.Tensor:
    return defense.change(message, torch.Generator().manual_seed(5)) - clipped


def test_noise_has_the_stated_scale_and_another_scale_is_rejected() -> None:
    message = torch.randn(8, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    defense = GaussianNoise(noise_multiplier=0.7, clip_norm=3.0)
    noise = _noise(defense, message, clip_samples(message, 3.0, 2))
    assert not _noise_variance_is_rejected(noise, 0.7 * 3.0)
    for wrong in (0.98, 1.02):
        assert _noise_variance_is_rejected(noise, wrong * 0.7 * 3.0)


def test_without_clipping_noise_follows_each_message() -> None:
    message = torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    message[1] *= 100
    noise = _noise(GaussianNoise(noise_multiplier=0.5), message, message)
    for sample, own in zip(noise, message, strict=True):
        deviation = 0.5 * float(own.square().mean().sqrt())
        assert not _noise_variance_is_rejected(sample, deviation)


def test_noise_is_independent_between_samples_levels_and_releases() -> None:
    defense = GaussianNoise(noise_multiplier=1.0, clip_norm=1.0)
    message = torch.zeros(2, 8, 32, 32)
    rng = torch.Generator().manual_seed(1)
    drawn = torch.cat([defense.change(message, rng) for _ in range(3)]).flatten(1)
    correlation = torch.corrcoef(drawn) - torch.eye(6)
    assert correlation.abs().max() < 6 / math.sqrt(drawn.shape[1])


def test_half_precision_messages_keep_their_dtype() -> None:
    message = torch.randn(2, 4, 8, 8).half()
    changed = GaussianNoise(noise_multiplier=1.0, clip_norm=1.0).change(
        message, torch.Generator().manual_seed(1)
    )
    assert changed.dtype == torch.float16


def test_the_gradient_through_clipping_and_noise_is_the_true_one() -> None:
    message = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    for defense in (
        GaussianNoise(noise_multiplier=0.5, clip_norm=1.0),
        GaussianNoise(noise_multiplier=0.5),
    ):
        assert torch.autograd.gradcheck(
            lambda m, d=defense: d.change(m, torch.Generator().manual_seed(1)), message
        )


def _closed_form_epsilon(multiplier: float, releases: int, delta: float) -> float:
    """k Gaussian releases are one with k times the signal: Balle, Wang 2018, theorem 8."""
    mu = math.sqrt(releases) / multiplier

    def excess(epsilon: float) -> float:
        second = math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))
        return float(norm.cdf(mu / 2 - epsilon / mu) - second - delta)

    return float(brentq(excess, 0, 1e5))


@pytest.mark.filterwarnings("ignore:Optimal order is the")
@pytest.mark.parametrize(
    ("multiplier", "releases", "delta"),
    [(5.0, 10, 1e-5), (20.0, 360, 1e-5), (0.5, 4, 1e-5), (100.0, 400, 1e-6), (1.0, 1, 1e-3)],
)
def test_epsilon_against_opacus_and_the_closed_form(
    multiplier: float, releases: int, delta: float
) -> None:
    spent = gaussian_spent(multiplier, releases, delta)
    exact = _closed_form_epsilon(multiplier, releases, delta)
    renyi, variable = RDPAccountant(), PRVAccountant()
    for _ in range(releases):
        renyi.step(noise_multiplier=multiplier, sample_rate=1.0)
    variable.history = renyi.history
    assert spent.epsilon == spent.least == pytest.approx(exact, rel=1e-8)
    assert spent.epsilon < 0.95 * renyi.get_epsilon(delta=delta)
    # Opacus' other accountant is tight, and an upper bound within its error.
    with np.errstate(divide="ignore"):
        assert exact <= variable.get_epsilon(delta=delta) <= exact + 0.02


def test_epsilon_grows_with_releases_and_falls_with_noise() -> None:
    releases = [gaussian_spent(10.0, count, 1e-5).epsilon for count in (1, 10, 100)]
    noise = [gaussian_spent(multiplier, 10, 1e-5).epsilon for multiplier in (1.0, 3.0, 9.0)]
    assert releases == sorted(releases)
    assert noise == sorted(noise, reverse=True)


@pytest.mark.parametrize("target", [0.5, 8.0, 100.0])
def test_calibration_meets_its_target_with_less_noise_than_opacus(target: float) -> None:
    multiplier = gaussian_multiplier(target, 90, 1e-5)
    assert 0.999999 * target <= gaussian_spent(multiplier, 90, 1e-5).epsilon <= target
    theirs = get_noise_multiplier(
        target_epsilon=target,
        target_delta=1e-5,
        sample_rate=1.0,
        steps=90,
        epsilon_tolerance=1e-3,
    )
    assert 0.85 * theirs < multiplier < 0.99 * theirs


def test_a_claim_counts_every_release(flat_split: SplitSpec, exposure: Exposure) -> None:
    stack = [GaussianNoise(noise_multiplier=50.0, clip_norm=1.0, neighbouring="zero-out")]
    (claim,) = claims(stack, flat_split, exposure)
    assert claim is not None
    # 5 epochs, 3 samples, 3 levels, 2 parties.
    assert claim.epsilon == gaussian_spent(50.0, 90, 1e-5).epsilon
    assert "= 90 releases" in claim.composition
    assert "masks, and the gradients" in claim.not_covered
    assert "other patients' messages" in claim.not_covered


def test_both_directions_count_twice_and_replacing_costs_twice_the_sensitivity(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    stack = [GaussianNoise(noise_multiplier=100.0, clip_norm=1.0, direction="both")]
    (claim,) = claims(stack, flat_split, exposure)
    assert claim is not None
    assert claim.epsilon == gaussian_spent(50.0, 180, 1e-5).epsilon
    assert claim.neighbouring.startswith("replace")


def test_in_a_horizontal_split_a_patient_is_at_one_party(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    horizontal = flat_split.model_copy(update={"orientation": "horizontal"})
    (claim,) = claims([GaussianNoise(noise_multiplier=9.0, clip_norm=1.0)], horizontal, exposure)
    assert claim is not None
    assert "= 45 releases" in claim.composition


def test_in_a_horizontal_split_updates_cross_that_no_noise_on_messages_covers(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    stack = [GaussianNoise(noise_multiplier=9.0, clip_norm=1.0)]
    for orientation, said in (("vertical", False), ("horizontal", True)):
        split = flat_split.model_copy(update={"orientation": orientation})
        (claim,) = claims(stack, split, exposure)
        assert claim is not None
        assert ("encoder updates that cross every round" in claim.not_covered) is said


def test_a_bare_level_makes_no_claim_and_refuses_a_target(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    some = GaussianNoise(noise_multiplier=9.0, clip_norm=1.0, levels=(0, 1))
    assert claims([some], flat_split, exposure) == (None,)
    target = GaussianNoise(target_epsilon=9.0, clip_norm=1.0, levels=(0, 1))
    with pytest.raises(ConfigurationError, match=r"every cut.*no noise on level 2"):
        resolve([target], flat_split, exposure)


def test_calibrated_noise_claims_its_target(flat_split: SplitSpec, exposure: Exposure) -> None:
    stack = resolve([GaussianNoise(target_epsilon=8.0, clip_norm=1.0)], flat_split, exposure)
    (claim,) = claims(stack, flat_split, exposure)
    assert claim is not None
    assert claim.epsilon == pytest.approx(8.0, rel=5e-3)
    assert claim.epsilon <= 8.0


def test_a_label_holders_messages_are_said_to_be_open(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    held = flat_split.model_copy(update={"labels_at": "north"})
    (claim,) = claims([GaussianNoise(noise_multiplier=9.0, clip_norm=1.0)], held, exposure)
    assert claim is not None
    assert "north exchanges with the server" in claim.not_covered


@pytest.mark.parametrize(
    "settings", [{"noise_multiplier": 9.0}, {"target_epsilon": 9.0}], ids=["noise", "target"]
)
def test_a_delta_above_one_over_n_is_refused(
    settings: dict[str, float], flat_split: SplitSpec, exposure: Exposure
) -> None:
    defense = GaussianNoise(clip_norm=1.0, delta=0.03, **settings)
    with pytest.raises(ConfigurationError, match=r"number of patients.*0.03 with 40 patients"):
        resolve([defense], flat_split, exposure)


def test_a_delta_that_was_written_is_held_to_the_rule_without_a_claim_too(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match="number of patients"):
        resolve([GaussianNoise(noise_multiplier=9.0, delta=0.03)], flat_split, exposure)
    many = dataclasses.replace(exposure, patients=10**6)
    assert resolve([GaussianNoise(noise_multiplier=9.0)], flat_split, many)


def test_an_epsilon_that_no_noise_gives_is_refused(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match=r"one that some noise gives.*90 releases"):
        resolve([GaussianNoise(target_epsilon=1e-9, clip_norm=1.0)], flat_split, exposure)


def test_uncalibrated_noise_is_never_added(generator: Callable[[int], Generator]) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("defense.resolved(exposure, split)")):
        GaussianNoise(target_epsilon=8.0, clip_norm=1.0).change(
            torch.zeros(1, 1, 4, 4), generator(1)
        )

"""Gaussian channels, Fisher leakage and ReRo against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leakaudit.errors import DataError
from leakaudit.metrics import (
    Consistency,
    FisherLeakage,
    GaussianResidual,
    against_floor,
    channel_bits_at_most,
    reconstruction_at_most,
    reconstruction_at_most_dp,
)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class TestGaussianResidual:
    def sample(self, noise, seed=0, n=4000, sizes=(1.0, 2.0, 0.5)):
        rng = np.random.default_rng(seed)
        sizes = np.array(sizes)
        x, auxiliary = (sizes * rng.normal(size=(n, len(sizes))) for _ in range(2))
        y = x + noise * rng.normal(size=x.shape)
        best = y * sizes**2 / (sizes**2 + noise**2)
        return x, best, auxiliary

    @pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
    def test_the_best_decoder_of_a_gaussian_channel_proves_all_of_it(self, noise):
        expected = sum(0.5 * math.log2(1 + (s / noise) ** 2) for s in (1.0, 2.0, 0.5))
        bits = GaussianResidual()(*self.sample(noise), np.random.default_rng(0))
        assert bits == pytest.approx(expected, rel=0.03)

    def test_a_worse_decoder_proves_less(self):
        x, best, auxiliary = self.sample(0.5)
        worse = best + 0.3 * np.random.default_rng(1).normal(size=x.shape)
        rng = np.random.default_rng(0)
        metric = GaussianResidual()
        assert metric(x, worse, auxiliary, rng) < metric(x, best, auxiliary, rng)

    def test_decoders_that_know_nothing_prove_nothing(self):
        rng = np.random.default_rng(0)
        bits = []
        for seed in range(100):
            x, _, auxiliary = self.sample(1.0, seed, n=20)
            mean = np.broadcast_to(auxiliary.mean(axis=0), x.shape)
            bits.append(GaussianResidual()(x, mean, auxiliary, rng))
        assert np.mean(bits) <= 0.02

    def test_a_perfect_copy_is_finite(self):
        x, _, auxiliary = self.sample(1.0, n=50)
        assert GaussianResidual()(x, x, auxiliary, np.random.default_rng(0)) == pytest.approx(60)

    def test_bad_input_is_refused(self):
        x, best, auxiliary = self.sample(1.0, n=10)
        rng = np.random.default_rng(0)
        for broken in ((x[:5], best[:5], auxiliary), (x, best[:9], auxiliary), (x, best, x[:, :1])):
            with pytest.raises(DataError, match="residual"):
                GaussianResidual()(*broken, rng)


class TestChannel:
    def test_one_gaussian_channel(self):
        assert channel_bits_at_most(1.0, 1.0, 1) == pytest.approx(0.5)
        assert channel_bits_at_most(16.0, 1.0, 16) == pytest.approx(8.0)

    def test_releases_are_averaged(self):
        assert channel_bits_at_most(2.0, 1.0, 5, releases=9) == pytest.approx(
            channel_bits_at_most(2.0, 1 / 3, 5)
        )

    @given(st.floats(0, 1e3), st.floats(0.01, 10), st.integers(1, 1000))
    def test_below_the_limit_of_many_dimensions(self, power, noise, dimensions):
        bits = channel_bits_at_most(power, noise, dimensions)
        assert 0 <= bits <= power / (2 * noise**2 * math.log(2)) * (1 + 1e-9)

    def test_no_noise_no_bound(self):
        assert channel_bits_at_most(1.0, 0.0, 3) == math.inf
        with pytest.raises(DataError, match="channel"):
            channel_bits_at_most(-1.0, 1.0, 3)

    def test_it_lies_above_what_a_decoder_proves(self):
        sample = TestGaussianResidual().sample(0.5)
        below = GaussianResidual()(*sample, np.random.default_rng(0))
        assert below < channel_bits_at_most(1 + 4 + 0.25, 0.5, 3)


class TestFisherLeakage:
    def linear(self, seed=0, size=(7, 12)):
        matrix = torch.randn(size, generator=torch.Generator().manual_seed(seed))
        return matrix, lambda images: images.flatten(1) @ matrix.T

    @pytest.mark.parametrize("noise", [0.1, 2.0])
    def test_a_linear_encoder_has_a_known_jacobian(self, noise):
        matrix, encoder = self.linear()
        images = torch.rand(5, 1, 3, 4)
        expected = float((matrix**2).sum()) / (12 * noise**2)
        rng = np.random.default_rng(0)
        exact = FisherLeakage(probes=0)(encoder, images, noise, rng)
        np.testing.assert_allclose(exact, expected, rtol=1e-5)
        probed = FisherLeakage(probes=400)(encoder, images, noise, rng)
        np.testing.assert_allclose(probed, expected, rtol=0.15)

    def test_a_curved_encoder_equals_its_jacobian(self):
        weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))

        def encoder(images):
            return torch.tanh(images @ weight.T)

        images = torch.rand(3, 6, generator=torch.Generator().manual_seed(2))
        jacobians = torch.func.vmap(torch.func.jacrev(lambda x: encoder(x[None])[0]))(images)
        expected = (jacobians**2).sum(dim=(1, 2)) / (6 * 0.3**2)
        ours = FisherLeakage(probes=0)(encoder, images, 0.3, np.random.default_rng(0))
        np.testing.assert_allclose(ours, expected, rtol=1e-5)

    def test_an_unbiased_attacker_meets_the_floor(self):
        """Least squares through an invertible linear encoder: unbiased, and above 1 / dFIL."""
        matrix, encoder = self.linear(size=(12, 12))
        images = torch.rand(400, 1, 3, 4)
        noise = 0.2
        messages = encoder(images) + noise * torch.randn(400, 12)
        guess = torch.linalg.solve(matrix, messages.T).T
        errors = ((guess - images.flatten(1)) ** 2).mean(dim=1).double().numpy()
        leakage = FisherLeakage(probes=0)(encoder, images, noise, np.random.default_rng(0))
        assert against_floor(errors, leakage, prior_knowledge=False) is Consistency.HOLDS
        # An orthogonal encoder attains the bound.
        rotation = torch.linalg.qr(matrix)[0]
        tight = FisherLeakage(probes=0)(
            lambda x: x.flatten(1) @ rotation.T, images, noise, np.random.default_rng(0)
        )
        np.testing.assert_allclose(1 / tight, noise**2, rtol=1e-5)

    def test_contradictions_are_told_apart_from_prior_knowledge(self):
        errors, leakage = np.full(10, 0.01), np.full(10, 10.0)  # the floor is 0.1
        assert against_floor(errors, leakage, prior_knowledge=True) is Consistency.PRIOR
        assert against_floor(errors, leakage, prior_knowledge=False) is Consistency.CONTRADICTED
        assert against_floor(errors, leakage * np.nan, prior_knowledge=True) is Consistency.VACUOUS
        with pytest.raises(DataError, match="one error"):
            against_floor(errors[:3], leakage, prior_knowledge=True)
        with pytest.raises(DataError, match="at least one"):
            against_floor(errors * np.nan, leakage, prior_knowledge=True)

    def test_without_noise_it_is_undefined(self):
        _, encoder = self.linear()
        rng = np.random.default_rng(0)
        assert np.isnan(FisherLeakage()(encoder, torch.rand(2, 12), 0.0, rng)).all()
        with pytest.raises(DataError, match="noise"):
            FisherLeakage()(encoder, torch.rand(2, 12), -1.0, rng)

    def test_the_images_are_left_alone(self):
        _, encoder = self.linear()
        images = torch.rand(2, 12)
        FisherLeakage()(encoder, images, 1.0, np.random.default_rng(0))
        assert not images.requires_grad
        assert images.grad is None


class TestReconstructionRobustness:
    @pytest.mark.parametrize("prior", [0.001, 0.1, 0.5])
    @pytest.mark.parametrize(("noise", "releases"), [(0.8, 1), (2.0, 1), (4.0, 25)])
    def test_it_is_the_best_of_all_the_mechanisms_epsilon_delta_claims(
        self, prior, noise, releases
    ):
        """Balle and Wang 2018, theorem 8, gives delta for every epsilon."""
        shift = math.sqrt(releases) / noise
        epsilon = np.linspace(-2, 15, 20001)
        delta = stats.norm.cdf(shift / 2 - epsilon / shift) - np.exp(epsilon) * stats.norm.cdf(
            -shift / 2 - epsilon / shift
        )
        expected = (np.exp(epsilon) * prior + delta).min()
        ours = reconstruction_at_most(prior, noise, releases=releases)
        assert ours == pytest.approx(expected, abs=1e-5)

    def test_an_optimal_guesser_attains_it(self):
        """Which of two patients was used? The likelihood-ratio guess with a prior of a half."""
        rng = np.random.default_rng(0)
        noise = 1.5
        used = rng.integers(0, 2, 200_000)
        # Called "this one" for as many of the others as the prior success is.
        output = used + noise * rng.normal(size=used.shape)
        threshold = noise * stats.norm.ppf(1 - 0.2)
        rate = np.mean(output[used == 1] > threshold)
        assert rate == pytest.approx(reconstruction_at_most(0.2, noise), abs=0.01)

    @given(st.floats(0.001, 0.999), st.floats(0.05, 50), st.integers(0, 1000))
    def test_between_the_prior_and_one_and_rising(self, prior, noise, releases):
        bound = reconstruction_at_most(prior, noise, releases=releases)
        assert prior - 1e-12 <= bound <= 1
        assert bound <= reconstruction_at_most(prior, noise, releases=releases + 1) + 1e-12

    def test_limits(self):
        assert reconstruction_at_most(0.1, 0.0) == 1
        assert reconstruction_at_most_dp(0.1, 0.0, 0.0) == 0.1
        assert reconstruction_at_most_dp(0.1, 1.0, 0.01) == pytest.approx(0.1 * math.e + 0.01)
        assert reconstruction_at_most_dp(0.1, 1e6, 0.0) == 1
        for broken in ((0.0, 1.0), (1.0, 1.0), (0.5, -1.0)):
            with pytest.raises(DataError, match="ReRo"):
                reconstruction_at_most(*broken)
        with pytest.raises(DataError, match="ReRo"):
            reconstruction_at_most_dp(0.5, -1.0, 0.0)

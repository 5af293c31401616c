"""Learned information bounds against Gaussian channels of known mutual information."""

import math

import numpy as np
import pytest
import torch

from leakaudit.errors import DataError
from leakaudit.metrics import InfoNCE

METRICS = [InfoNCE()]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def channel(bits, dimensions=4, n=2000, seed=0):
    """Y = X + noise with the given mutual information; each pair its own patient."""
    rng = np.random.default_rng(seed)
    noise = 1 / math.sqrt(2 ** (2 * bits / dimensions) - 1) if bits else None
    x = rng.normal(size=(n, dimensions))
    y = rng.normal(size=x.shape) if noise is None else x + noise * rng.normal(size=x.shape)
    # Seen through a rotation into more features, as messages are.
    mix = np.linalg.qr(rng.normal(size=(8, 8)))[0][:dimensions]
    return x, y @ mix, [str(i) for i in range(n)]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryEstimator:
    @pytest.mark.parametrize("bits", [0.5, 2.0, 4.0])
    def test_gaussian_channels(self, metric, bits):
        result = metric(*channel(bits), np.random.default_rng(1))
        assert 0.75 * bits - 0.1 <= result.bits <= bits + 0.25
        assert result.n == 1000
        assert not result.saturated

    def test_nothing_sent_is_about_nothing_found(self, metric):
        for seed in range(3):
            result = metric(*channel(0, n=300, seed=seed), np.random.default_rng(seed))
            assert -0.3 <= result.bits <= 0.15

    def test_few_patients_with_many_features_do_not_invent_information(self, metric):
        rng = np.random.default_rng(0)
        names = [f"p{i // 3}" for i in range(60)]
        bits = [
            metric(rng.random((60, 8, 8)), rng.random((60, 400)), names, rng).bits for _ in range(3)
        ]
        assert np.mean(bits) <= 0.1

    def test_same_seed_same_answer_and_no_global_randomness(self, metric):
        data = channel(2.0, n=200)
        before = torch.get_rng_state()
        first = metric(*data, np.random.default_rng(5))
        assert first == metric(*data, np.random.default_rng(5))
        assert torch.equal(before, torch.get_rng_state())

    def test_bad_input_is_refused(self, metric):
        x, y, names = channel(1.0, n=20)
        rng = np.random.default_rng(0)
        with pytest.raises(DataError, match="at least 8 patients"):
            metric(x, y, ["a"] * 20, rng)
        with pytest.raises(DataError, match="at least 8 patients"):
            metric(x[:19], y, names, rng)
        with pytest.raises(DataError, match="finite"):
            metric(x * np.nan, y, names, rng)


def test_correlated_gaussians_near_the_limit_of_the_pairs():
    """4.79 bits by closed form: -log2(1 - rho^2) / 2 in each of four dimensions."""
    rho = math.sqrt(1 - 2 ** (-2 * 4.79 / 4))
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 4))
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=x.shape)
    found = InfoNCE()(x, y, [str(i) for i in range(4000)], rng)
    assert 3.9 <= found.bits <= 4.79 + 0.1
    assert not found.saturated


def test_infonce_saturates_at_log2_n_and_says_so():
    result = InfoNCE()(*channel(40.0, n=1024), np.random.default_rng(0))
    assert result.saturation_bits == InfoNCE().ceiling(512) == 9
    assert 8.1 < result.bits <= 9
    assert result.saturated


def test_the_critic_is_read_on_patients_it_never_saw():
    class Counting(InfoNCE):
        def read(self, critic, x, y):
            return len(x) * math.log(2)

    x, y, _ = channel(1.0, n=90)
    names = [f"p{i // 3}" for i in range(90)]  # 30 patients: 8 fit, 7 stop, 15 are held out
    result = Counting(steps=1)(x, y, names, np.random.default_rng(0))
    assert result.bits == pytest.approx(result.n)
    assert result.n == 45

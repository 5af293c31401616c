"""Distance correlation and kernel alignment against dcor, slow definitions and closed forms."""

import dcor
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakaudit.errors import DataError
from leakaudit.metrics import DistanceCorrelation, KernelAlignment
from leakaudit.metrics.dependence import unbiased_product

METRICS = [DistanceCorrelation(), KernelAlignment()]


def linked(n=40, noise=0.5, seed=0, features=(3, 5)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features[0]))
    mixed = x @ rng.normal(size=features)
    return x, mixed + noise * rng.normal(size=mixed.shape)


@pytest.mark.parametrize("n", [4, 5, 50, 150])
@pytest.mark.parametrize("noise", [0.0, 1.0, 100.0])
def test_distance_correlation_equals_dcor(n, noise):
    x, y = linked(n, noise)
    assert DistanceCorrelation()(x, y) == pytest.approx(
        dcor.u_distance_correlation_sqr(x, y), abs=1e-8
    )


def test_far_from_the_origin_and_nearly_alike_it_still_equals_dcor():
    x, y = linked(60)
    x = 1000 + 1e-3 * x
    y[1] = y[0] + 1e-9
    assert DistanceCorrelation()(x, y) == pytest.approx(
        dcor.u_distance_correlation_sqr(x, y), abs=1e-8
    )


def test_images_and_messages_of_any_shape_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.random((20, 2, 9, 7), dtype=np.float32)
    messages = rng.random((20, 4, 5, 5), dtype=np.float32)
    expected = dcor.u_distance_correlation_sqr(
        images.reshape(20, -1).astype(float), messages.reshape(20, -1).astype(float)
    )
    monkeypatch.setattr("leakaudit.metrics.dependence._COLUMNS", 10)
    assert DistanceCorrelation()(images, messages) == pytest.approx(expected, abs=1e-8)


def test_hsic_equals_its_definition_by_sums_over_distinct_indices():
    """Song et al. 2012, as a loop."""
    rng = np.random.default_rng(0)
    n = 7
    k, m = (a @ a.T for a in (rng.normal(size=(n, 3)), rng.normal(size=(n, 2))))
    index = range(n)
    pairs = np.mean([k[i, j] * m[i, j] for i in index for j in index if i != j])
    fours, threes = [], []
    for i in index:
        for j in set(index) - {i}:
            for q in set(index) - {i, j}:
                threes.append(k[i, j] * m[i, q])
                fours += [k[i, j] * m[q, r] for r in set(index) - {i, j, q}]
    expected = pairs + np.mean(fours) - 2 * np.mean(threes)
    assert unbiased_product(k, m) == pytest.approx(expected, rel=1e-10)


def test_alignment_ignores_rotation_and_scale_but_distances_do_too():
    x, _ = linked(60)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    for metric in METRICS:
        assert metric(x, 7 * x @ rotation + 2) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_alignment_of_a_gaussian_channel(correlation):
    """Scalars with correlation r: HSIC is the squared covariance, so CKA tends to r squared."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3000, 1))
    y = correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=x.shape)
    assert KernelAlignment()(x, y) == pytest.approx(correlation**2, abs=0.03)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_distance_correlation_of_a_gaussian_channel(correlation):
    """Szekely, Rizzo and Bakirov 2007, theorem 7."""
    r = correlation
    expected = (
        r * np.arcsin(r) + np.sqrt(1 - r**2) - r * np.arcsin(r / 2) - np.sqrt(4 - r**2) + 1
    ) / (1 + np.pi / 3 - np.sqrt(3))
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, 1))
    y = r * x + np.sqrt(1 - r**2) * rng.normal(size=x.shape)
    assert DistanceCorrelation()(x, y) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryDependenceMetric:
    def test_independent_high_dimensional_pairs_give_zero_on_average(self, metric):
        """The uncorrected statistics would say 0.9 here."""
        rng = np.random.default_rng(0)
        values = [metric(rng.normal(size=(20, 500)), rng.normal(size=(20, 500))) for _ in range(60)]
        assert np.mean(values) == pytest.approx(
            metric.chance(20), abs=4 * np.std(values) / np.sqrt(60)
        )

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 10))
    def test_symmetric_and_in_range(self, metric, seed, noise):
        x, y = linked(12, noise, seed)
        value = metric(x, y)
        assert value == pytest.approx(metric(y, x), abs=1e-10)
        assert metric.range[0] - 1e-9 <= value <= metric.range[1] + 1e-9

    def test_what_does_not_vary_is_undefined_not_zero(self, metric):
        x, _ = linked(10)
        assert np.isnan(metric(x, np.ones((10, 3))))

    def test_bad_input_is_refused(self, metric):
        x, y = linked(10)
        with pytest.raises(DataError, match="at least 4"):
            metric(x[:3], y[:3])
        with pytest.raises(DataError, match="at least 4"):
            metric(x, y[:9])
        y[0, 0] = np.nan
        with pytest.raises(DataError, match="finite"):
            metric(x, y)

"""SSIM, PSNR and MSE against scikit-image, and their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from leakaudit.errors import DataError
from leakaudit.metrics import MeanSquaredError, PeakSignalToNoise, StructuralSimilarity

METRICS = [StructuralSimilarity(), PeakSignalToNoise(), MeanSquaredError()]


def pair(shape, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    reference = rng.random(shape, dtype=np.float32)
    reference[:, : shape[1] // 3] = 0  # black background, as around a head
    candidate = reference + noise * rng.standard_normal(shape)
    return reference, np.clip(candidate, 0, 1).astype(np.float32)


def skimage_ssim(a, b, **more):
    return structural_similarity(
        a.astype(np.float64),
        b.astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        **more,
    )


@pytest.mark.parametrize(
    "shape", [(3, 11, 11), (2, 12, 40), (5, 64, 64), (3, 97, 130), (2, 16, 20, 33), (1, 11, 12, 13)]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_ssim_equals_scikit_image(shape, threads):
    reference, candidate = pair(shape)
    ours = StructuralSimilarity(threads=threads)(reference, candidate, dimensions=len(shape) - 1)
    theirs = [skimage_ssim(a, b) for a, b in zip(reference, candidate, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize("shape", [(4, 30, 41), (2, 14, 20, 17)])
def test_ssim_of_a_region_averages_scikit_images_full_map(shape):
    reference, candidate = pair(shape)
    masks = np.random.default_rng(1).random(shape) > 0.7
    ours = StructuralSimilarity()(reference, candidate, masks, dimensions=len(shape) - 1)
    theirs = [
        skimage_ssim(a, b, full=True)[1][m].mean()
        for a, b, m in zip(reference, candidate, masks, strict=True)
    ]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("left", "right"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.0), (0.2, 0.3)])
def test_ssim_of_flat_images_is_the_luminance_term(left, right):
    shape = (1, 20, 20)
    ours = StructuralSimilarity()(
        np.full(shape, left, np.float32), np.full(shape, right, np.float32)
    )
    left, right = np.float32(left).astype(float), np.float32(right).astype(float)
    expected = (2 * left * right + 1e-4) / (left**2 + right**2 + 1e-4)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_psnr_and_mse_equal_scikit_image(dimensions):
    shape = (4, *(12,) * dimensions)
    reference, candidate = pair(shape)
    pairs = list(zip(reference.astype(float), candidate.astype(float), strict=True))
    np.testing.assert_allclose(
        PeakSignalToNoise()(reference, candidate, dimensions=dimensions),
        [peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs],
    )
    np.testing.assert_allclose(
        MeanSquaredError()(reference, candidate, dimensions=dimensions),
        [mean_squared_error(a, b) for a, b in pairs],
    )


def test_psnr_is_never_pooled():
    reference = np.full((2, 12, 12), 0.5, np.float32)
    candidate = reference.copy()
    candidate[0] += 0.1  # 20 dB
    candidate[1] += 0.001  # 60 dB
    np.testing.assert_allclose(PeakSignalToNoise()(reference, candidate), [20, 60], atol=1e-2)


def test_identical_images_reach_the_ceiling():
    reference, _ = pair((3, 20, 20))
    for metric in METRICS:
        assert (metric(reference, reference.copy()) == metric.ceiling(3)).all(), metric.name


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryImageMetric:
    def test_a_sample_without_the_region_is_missing_not_zero(self, metric):
        reference, candidate = pair((3, 20, 20))
        masks = np.zeros(reference.shape, bool)
        masks[1, 5:9, 5:9] = True
        values = metric(reference, candidate, masks)
        assert np.isnan(values).tolist() == [True, False, True]

    def test_only_the_region_counts(self, metric):
        reference, candidate = pair((1, 40, 40))
        masks = np.zeros(reference.shape, bool)
        masks[0, :10] = True
        changed = candidate.copy()
        changed[0, 25:] = 0.5  # beyond the reach of SSIM's window
        np.testing.assert_array_equal(
            metric(reference, candidate, masks), metric(reference, changed, masks)
        )

    def test_a_batch_equals_its_singles(self, metric):
        reference, candidate = pair((7, 24, 24))
        singles = [
            metric(reference[i : i + 1], candidate[i : i + 1])[0] for i in range(len(reference))
        ]
        np.testing.assert_array_equal(metric(reference, candidate), singles)

    def test_channels_are_averaged(self, metric):
        reference, candidate = pair((4, 20, 20))
        stacked = metric(reference.reshape(2, 2, 20, 20), candidate.reshape(2, 2, 20, 20))
        np.testing.assert_allclose(
            stacked, metric(reference, candidate).reshape(2, 2).mean(axis=1), rtol=1e-12
        )

    def test_more_noise_is_less_leak(self, metric):
        values = [metric(*pair((1, 32, 32), noise=noise))[0] for noise in (0.02, 0.1, 0.4)]
        leaks = metric.direction.sign * np.array(values)
        assert (np.diff(leaks) < 0).all()

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 1))
    def test_symmetric_and_in_range(self, metric, seed, noise):
        reference, candidate = pair((2, 13, 17), seed, noise)
        values = metric(reference, candidate)
        np.testing.assert_allclose(values, metric(candidate, reference), rtol=1e-9)
        low, high = metric.range
        assert ((values >= low - 1e-12) & (values <= high + 1e-12)).all()

    def test_inputs_are_left_alone(self, metric):
        reference, candidate = pair((2, 20, 20))
        before = reference.copy(), candidate.copy()
        metric(reference, candidate)
        np.testing.assert_array_equal(reference, before[0])
        np.testing.assert_array_equal(candidate, before[1])

    @pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
    def test_values_outside_the_range_are_refused(self, metric, value):
        reference, candidate = pair((1, 20, 20))
        candidate[0, 3, 3] = value
        with pytest.raises(DataError, match="finite and within"):
            metric(reference, candidate)

    def test_rounding_at_the_ends_of_the_range_is_let_through(self, metric):
        reference, candidate = pair((1, 20, 20))
        candidate[0, 3, 3:6] = -0.0, -1e-7, 1 + 5e-7
        assert np.isfinite(metric(reference, candidate)).all()
        assert np.isfinite(metric(reference[..., ::-1], candidate.astype(np.float64))).all()

    def test_mismatched_shapes_are_refused(self, metric):
        reference, candidate = pair((2, 20, 20))
        with pytest.raises(DataError, match="shape of its reference"):
            metric(reference, candidate[:1])
        with pytest.raises(DataError, match="2-D images"):
            metric(reference[0], candidate[0])
        with pytest.raises(DataError, match="masks are boolean"):
            metric(reference, candidate, np.ones((2, 20, 20)))

    def test_no_samples_no_values(self, metric):
        empty = np.empty((0, 20, 20), np.float32)
        assert metric(empty, empty).shape == (0,)


def test_images_smaller_than_the_window_are_refused():
    reference, candidate = pair((2, 10, 20))
    with pytest.raises(DataError, match="at least 11"):
        StructuralSimilarity()(reference, candidate)

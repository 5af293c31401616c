"""LPIPS: what it says without a backbone, and its known answers with one."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leakaudit.errors import DataError, EnvironmentProblemError
from leakaudit.metrics import PerceptualDistance
from leakaudit.metrics.perceptual import WEIGHTS_VARIABLE

ROOT = Path(__file__).parents[2]
WEIGHTS = Path(os.environ.get("LEAKAUDIT_REAL_WEIGHTS", ROOT.parent / "shared" / "weights"))
BACKBONES = WEIGHTS / "lpips"


@pytest.fixture
def backbones():
    if not (BACKBONES / "ex_ref.png").is_file():
        pytest.skip(f"no backbones in {WEIGHTS} (LEAKAUDIT_REAL_WEIGHTS)")
    return BACKBONES


@pytest.fixture(autouse=True)
def _no_backbone_around(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)


def images(folder, name):
    with Image.open(folder / name) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return pixels.transpose(2, 0, 1)[None]


def gray(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


class TestWithoutABackbone:
    def test_it_says_how_to_get_one(self):
        reason = PerceptualDistance().available()
        assert reason.startswith("not available")
        assert WEIGHTS_VARIABLE in reason

    def test_it_does_not_name_the_user(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "somebody" / "weights"))
        reason = PerceptualDistance().available()
        assert "~/weights" in reason
        assert "somebody" not in reason

    def test_it_never_computes(self):
        with pytest.raises(EnvironmentProblemError, match="never random"):
            PerceptualDistance()(gray((1, 64, 64)), gray((1, 64, 64)))

    def test_a_place_that_was_named_is_not_passed_over(self, monkeypatch, tmp_path):
        cache = tmp_path / "torch" / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        (cache / "alexnet-owt-7be5be79.pth").touch()
        assert PerceptualDistance().available() is None
        assert PerceptualDistance(net="squeeze").available() is not None
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "nowhere"))
        assert "nowhere" in PerceptualDistance().available()
        assert "elsewhere" in PerceptualDistance(weights=tmp_path / "elsewhere").available()

    @pytest.mark.parametrize("content", ["nothing", "text", "wrong"])
    def test_a_damaged_file_is_refused(self, tmp_path, content):
        path = tmp_path / "alexnet.pth"
        if content == "wrong":
            torch.save({"features.0.weight": torch.zeros(1)}, path)
        else:
            path.write_text("" if content == "nothing" else "not weights")
        with pytest.raises(EnvironmentProblemError, match="features"):
            PerceptualDistance(weights=path)(gray((1, 64, 64)), gray((1, 64, 64)))


@pytest.mark.realdata
class TestWithABackbone:
    @pytest.mark.parametrize(
        ("net", "other", "expected"),
        [
            ("alex", "ex_p0.png", 0.7219),
            ("alex", "ex_p1.png", 0.1376),
            ("squeeze", "ex_p0.png", 0.7110),
            ("squeeze", "ex_p1.png", 0.1479),
        ],
    )
    def test_known_answers(self, backbones, net, other, expected):
        metric = PerceptualDistance(net=net, weights=backbones)
        distance = metric.of_rgb(images(backbones, "ex_ref.png"), images(backbones, other))
        assert distance == pytest.approx(expected, abs=1e-4)

    def test_gray_images_by_the_environment_variable(self, backbones, monkeypatch):
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(backbones))
        metric = PerceptualDistance()
        assert metric.available() is None
        reference = gray((3, 64, 64))
        near = np.clip(reference + 0.02, 0, 1).astype(np.float32)
        same = metric(reference, reference)
        assert (same == metric.ceiling(3)).all()
        assert (metric(reference, near) < metric(reference, gray((3, 64, 64), 1))).all()
        singles = [metric(reference[i : i + 1], near[i : i + 1])[0] for i in range(3)]
        np.testing.assert_allclose(metric(reference, near), singles, rtol=1e-4)

    def test_small_images_volumes_and_channels(self, backbones):
        metric = PerceptualDistance(weights=backbones)
        reference, candidate = gray((2, 3, 16, 20)), gray((2, 3, 16, 20), 1)
        as_volume = metric(reference, candidate, dimensions=3)
        np.testing.assert_allclose(as_volume, metric(reference, candidate), rtol=1e-5)
        assert np.isfinite(as_volume).all()
        with pytest.raises(DataError, match="whole images"):
            metric(reference[:, 0], candidate[:, 0], np.ones((2, 16, 20), bool))

    def test_it_leaves_torchs_random_state_alone(self, backbones, tmp_path):
        own = tmp_path / "alexnet_copy.pth"  # a new path, so that the network is built anew
        own.write_bytes((backbones / "alexnet_imagenet_features_only.pth").read_bytes())
        before = torch.get_rng_state()
        PerceptualDistance(weights=own)(gray((1, 64, 64)), gray((1, 64, 64), 1))
        assert torch.equal(before, torch.get_rng_state())

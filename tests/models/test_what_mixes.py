"""What a network of others does in training counts: for claims, for queries, for finished cells."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from leakaudit.defenses.dp_sgd import DpSgd
from leakaudit.defenses.gaussian_noise import GaussianNoise
from networks_to_cut import PARTIES, cut, split_of
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.claim import Exposure
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.exchange.stack import claims, no_claim_because, resolve
from leakaudit.exchange.update import WeightUpdates
from leakaudit.models.measuring import measured
from leakaudit.plan.cells import model_digest
from leakaudit.plan.defending import _check_step
from leakaudit.training.step import Batch, exchange

EXPOSURE = Exposure(epochs=2, samples_per_patient=2, patients=20, steps_per_epoch=5, batch_size=4)


def claimed(name: str) -> tuple[object, str | None]:
    split = measured(split_of(cut(name, 3)), 2, (16, 16))
    defenses = resolve((GaussianNoise(clip_norm=1.0, noise_multiplier=2.0),), split, EXPOSURE)
    (claim,) = claims(defenses, split, EXPOSURE)
    return claim, no_claim_because(defenses, split, EXPOSURE)


def test_no_claim_stands_where_patients_of_a_batch_are_mixed() -> None:
    claim, why = claimed("AttentionUnet")
    assert claim is None
    assert why is not None
    assert "mixes the patients" in why
    claim, why = claimed("SegResNet")
    assert claim is not None
    assert why is None


def test_queries_are_answered_as_messages_were_recorded() -> None:
    split = split_of(cut("AttentionUnet", 3), parties=1)
    network = Network(split, 2, (16, 16), seed=0)
    images = torch.rand(4, 1, 16, 16)
    rng = torch.Generator()
    sent = network.train().party("a")(images, rng)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    answered = network.as_recorded().party("a")(images, rng)
    for level, each in sent.items():
        torch.testing.assert_close(answered[level], each)
    for key, value in network.state_dict().items():
        if "running" in key:
            assert torch.equal(value, before[key]), key


def test_weight_updates_of_others_networks_are_rewritten() -> None:
    split = measured(split_of(cut("UNet", 2)), 2, (16, 16))
    rule = DpSgd(noise_multiplier=1.0, clip_norm=1.0)
    network = Network(split, 2, (16, 16), (rule,), seed=0)
    rng = torch.Generator().manual_seed(0)
    images = {p.name: torch.rand(2, len(p.modalities), 16, 16, generator=rng) for p in PARTIES}
    masks = (torch.rand(2, 2, 16, 16, generator=rng) > 0.5).float()
    rngs = {name: torch.Generator().manual_seed(1) for name in ("a", "b", "server")}
    with WeightUpdates(network, (rule,)) as updates:
        exchange(network, Link(), Batch(images, masks, torch.arange(2), 0, 0), rngs)
        before = {key: weight.grad.clone() for key, weight in network.named_parameters()}
        assert len(before) > 10
        updates.rewrite(rngs)
    assert {key.partition(".")[0] for key in before} == {"parties", "server"}
    for key, weight in network.named_parameters():
        assert not torch.equal(weight.grad, before[key]), key


@pytest.mark.parametrize("name", ["SegResNet", "DynUNet", "AttentionUnet"])
def test_a_defense_that_a_network_cannot_be_trained_under_is_refused_beforehand(name: str) -> None:
    split = measured(split_of(cut(name, 2)), 2, (16, 16))
    given: Any = SimpleNamespace(cohort=SimpleNamespace(space=(16, 16), regions=("a", "b")))
    with pytest.raises(ConfigurationError) as refused:
        _check_step(split, (DpSgd(noise_multiplier=1.0, clip_norm=1.0),), given)
    assert refused.value.remedy
    _check_step(split, (GaussianNoise(clip_norm=1.0, noise_multiplier=1.0),), given)


def written(folder: Path, width: int) -> str:
    (folder / "net_to_edit.py").write_text(f"WIDTH = {width}\n\ndef net(**kw):\n    return None\n")
    return '{"use": "cut", "network": "net_to_edit:net", "cut_after": ["a"]}'


def test_an_edited_network_is_another_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    first = model_digest(written(tmp_path, 1))
    model_digest.cache_clear()
    assert model_digest(written(tmp_path, 1)) == first
    model_digest.cache_clear()
    assert model_digest(written(tmp_path, 2)) != first


class Ordered(nn.Module):
    """Adds up the batch in training: messages of later patients hold earlier ones."""

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), _CumulativeSum())
        self.last = nn.Conv2d(4, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images))


class _CumulativeSum(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return (features.flip(0).cumsum(0).flip(0) if self.training else features).relu()


class Exiting(Ordered):
    """Cannot be trained: its loss has no gradient at the cut."""

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images).detach())


def mine(name: str) -> dict[str, Any]:
    sys.modules["networks_that_mix"] = sys.modules[__name__]
    return {"use": "cut", "network": f"networks_that_mix:{name}", "cut_after": ["first"]}


def test_mixing_in_training_alone_is_measured() -> None:
    assert measured(split_of(mine("Ordered")), 2, (16, 16)).mixes
    assert not measured(split_of(cut("SegResNet", 2)), 2, (16, 16)).mixes


def test_a_step_that_does_not_run_is_refused_before_training() -> None:
    with pytest.raises(ConfigurationError, match="one training step"):
        measured(split_of(mine("Exiting")), 2, (16, 16))


@pytest.mark.parametrize("text", ["raise SystemExit(0)", "1/0", "def broken(:"])
def test_whatever_an_import_does_is_one_message(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"leaving_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(ConfigurationError, match="importable"):
        measured(split_of(mine("Ordered") | {"network": f"{name}:Net"}), 2, (16, 16))

"""Whoever chooses cuts writes their names; numbers, and `levels`, are understood as before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from leakaudit.attacks.feature_hijacking import FeatureHijacking
from leakaudit.defenses.dropout import Dropout
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.skip_withholding import SkipWithholding
from networks_to_cut import cut, split_of

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.defense import Defense, Exposure
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import resolve
from leakaudit.models.measuring import measured
from leakaudit.plan.strengths import check_strengths
from leakaudit.plan.sweep import Sweep
from leakaudit.plugins import Kind, build
from leakaudit.split import SplitSpec

SPACE = (16, 16)
DEEP = "down_layers.1"
EXPOSURE = Exposure(1, 1, 4, 2, 2)


@pytest.fixture(scope="module")
def segresnet() -> SplitSpec:
    return measured(split_of(cut("SegResNet", 2)), 2, SPACE)


@pytest.fixture(scope="module")
def u_net() -> SplitSpec:
    party = {"name": "a", "modalities": ["T1"]}
    return SplitSpec.model_validate({"parties": [party], "channels": [4, 8, 8], "skips": [1]})


def noise(**settings: Any) -> Defense:
    built: Defense = build(Kind.DEFENSE, "gaussian-noise", {"noise_multiplier": 1.0, **settings})
    return built


@pytest.mark.parametrize("chosen", [{"cuts": [DEEP]}, {"cuts": [1]}, {"levels": [1]}])
def test_a_defense_acts_where_it_is_told_by_name_or_number(
    chosen: dict[str, Any], segresnet: SplitSpec
) -> None:
    (defense,) = resolve([noise(**chosen)], segresnet, EXPOSURE)
    assert defense.cuts == (DEEP,)
    network = Network(segresnet, 2, SPACE, [defense], seed=0).eval()
    endpoint = network.party(segresnet.party_names[0])
    images = torch.rand(1, len(segresnet.parties[0].modalities), *SPACE)
    with torch.no_grad():
        bare, sent = endpoint.encoded(images), endpoint(images, torch.Generator().manual_seed(0))
    assert torch.equal(bare[0], sent[0])
    assert not torch.allclose(bare[1], sent[1])


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"cuts": ["down_layer.1"]}, "did you mean 'down_layers.1'"),
        ({"cuts": [7]}, "found: '7'.*known: down_layers.0, down_layers.1"),
        ({"cuts": ["1"]}, "found: '1'.*known"),
        ({"cuts": [DEEP, 1]}, "each once"),
        ({"cuts": []}, "each once, and at least one"),
    ],
)
def test_a_cut_that_does_not_exist_is_refused_with_the_nearest(
    chosen: dict[str, Any], said: str, segresnet: SplitSpec
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        resolve([noise(**chosen)], segresnet, EXPOSURE)


@pytest.mark.parametrize("cuts", [[-1], [True], [1.0], [""]])
def test_a_number_is_whole_and_a_name_says_something(cuts: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match="cuts"):
        noise(cuts=cuts)


def test_one_setting_is_not_written_by_two_names() -> None:
    with pytest.raises(ConfigurationError, match="`levels` and `cuts` are one setting"):
        noise(cuts=["level 0"], levels=[0])


def test_one_cut_by_name_and_by_number_is_one(u_net: SplitSpec) -> None:
    stack = [Dropout(rate=0.1, cuts=("level 1",)), Dropout(rate=0.5, cuts=(1,))]
    with pytest.raises(ConfigurationError, match="Dropout twice"):
        resolve(stack, u_net, EXPOSURE)
    apart = [Dropout(rate=0.1, cuts=("level 1",)), Dropout(rate=0.5, cuts=(2,))]
    assert len(resolve(apart, u_net, EXPOSURE)) == 2


def test_split_u_net_calls_its_cuts_levels(u_net: SplitSpec) -> None:
    assert u_net.cut_names == ("level 1", "level 2")
    with pytest.raises(UnknownNameError, match="'level 0'; do: did you mean 'level 2'"):
        resolve([noise(cuts=[0])], u_net, EXPOSURE)
    (withheld,) = resolve([SkipWithholding(cuts=("level 1",))], u_net, EXPOSURE)
    assert withheld.reshape(u_net).crossing == (2,)
    claims = GaussianNoise(noise_multiplier=1.0, clip_norm=1.0, cuts=("level 2",))
    assert "level 1" in claims.no_claim_because(u_net)


def test_a_sweep_may_name_cuts_either_way() -> None:
    for name, values in (
        ("levels", [[0], [0, 1]]),
        ("cuts", [["a"], ["a", "b"]]),
    ):
        sweep = {"use": "skip-withholding", "search": "least", name: {"values": values}}
        check_strengths(Sweep.model_validate(sweep))
        sweep[name] = {"values": values[::-1]}
        with pytest.raises(ConfigurationError, match="weakest to the strongest"):
            check_strengths(Sweep.model_validate(sweep))


def test_an_attack_that_names_a_cut_is_held_against_the_split(segresnet: SplitSpec) -> None:
    FeatureHijacking(cuts=(DEEP,)).check(segresnet)
    with pytest.raises(UnknownNameError, match=r"did you mean 'down_layers\.1'"):
        FeatureHijacking(cuts=("down-layers.1",)).check(segresnet)

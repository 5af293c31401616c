"""Every attack mounts on every network, or says why not; decoders read every shallowest cut."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import Setup, World, advantage, make_world
from networks_to_cut import NETWORKS, cut

from leakaudit import plugins
from leakaudit.errors import NotMountableError
from leakaudit.models.cut_network import _READ, CutNetwork
from leakaudit.plugins import Kind
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.attack import Attack
from leakaudit.threat.knowledge import Position

PARTIES = (
    PartySpec(name="north", modalities=("T1",)), PartySpec(name="south", modalities=("T2",)),
)  # fmt: skip
AT_NORTH = {"position": Position.PARTY, "members": ("north",)}
# Attack to its settings and its view; as little as shows that it runs.
ATTACKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "activation-matching": ({"steps": 4}, {}),
    "attribute-inference": ({"attribute": "lesion side"}, {}),
    "decoder-inversion": ({"steps": 2, "channels": 4}, {}),
    "gradient-matching": (
        {"steps": 2, "stand_in_steps": 2, "reader_steps": 4, "channels": 4},
        {**AT_NORTH, "victims": ("server",)},
    ),
    "joint-matching": ({"encoder_steps": 2, "steps": 2}, {}),
    "mask-inference": (
        {}, {"position": Position.WIRE, "members": ("south",), "victims": ("server",)},
    ),
    "membership-inference": ({}, {}),
    "re-identification": ({}, {}),
    "simulator-inversion": ({"simulator_steps": 2, "steps": 2, "channels": 4}, {}),
}  # fmt: skip
# Only Split-U-Net's server is known well enough to be run backwards.
THROUGH_THE_SERVER = "gradient-matching"
# Batch norm mixes the patients of a message: what matches a message alone is refused.
BATCH_NORM = {"AttentionUnet"}


@pytest.fixture(scope="module")
def exchanged() -> Callable[..., World]:
    """An exchange through a network, made once per network and defense."""

    @cache
    def make(name: str, depth: int, noisy: bool, training: int) -> World:
        torch.set_num_threads(1)
        split = SplitSpec.model_validate({"parties": PARTIES, "model": cut(name, depth)})
        defenses = (GaussianNoise(clip_norm=5.0, noise_multiplier=0.1),) if noisy else ()
        side = 64 if name == "SwinUNETR" else 24
        few = training < 10
        return make_world(
            Setup(
                split=split, space=(side, side), patients=4, auxiliary=6 if few else 24,
                slices=2, training=training, probed=2, defenses=defenses,
            )
        )  # fmt: skip

    return make


def built(name: str) -> Attack:
    attack: Attack = plugins.build(Kind.ATTACK, name, ATTACKS[name][0])
    return attack


def test_every_passive_attack_is_tried() -> None:
    # Cross-modality learns for half a minute whatever its settings; DynUNet's test below has one;
    # images are matched to updates of any encoder, and a network is asked as its own server runs.
    others = {
        "cross-modality", "cross-modality-inversion", "feature-hijacking", "gradient-inversion",
        "model-membership-inference",
    }  # fmt: skip
    assert set(ATTACKS) | others == set(plugins.names(Kind.ATTACK))


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"SwinUNETR"}))
def test_mounts_or_says_why_not(name: str, attack: str, exchanged: Callable[..., World]) -> None:
    noisy = name in {"DynUNet", "UNet"}
    world = exchanged(name, 3, noisy, 4)
    mounted = built(attack)
    view = world.view(**{"asset": mounted.asset, **ATTACKS[attack][1]})
    alone = attack in {"activation-matching"} and name in BATCH_NORM
    if attack == THROUGH_THE_SERVER or alone:
        with pytest.raises(NotMountableError) as refused:
            mounted(view, seed=0)
        assert refused.value.found
        return
    guesses = mounted(view, seed=0)
    assert set(guesses) == set(view.targets)
    for guess in guesses.values():
        assert bool(torch.isfinite(guess.values).all())


@pytest.mark.slow
def test_cross_modality_reads_uneven_strides(exchanged: Callable[..., World]) -> None:
    attack: Attack = plugins.build(
        Kind.ATTACK, "cross-modality-inversion", {"steps": 2, "channels": 4}
    )
    view = exchanged("DynUNet", 3, True, 4).view(asset=attack.asset, **AT_NORTH)
    assert all(bool(torch.isfinite(each.values).all()) for each in attack(view, seed=0).values())


SHALLOWEST = {name: 1 if name in {"UNet", "AttentionUnet"} else 3 for name in NETWORKS}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_decoders_read_the_shallowest_cut(name: str, exchanged: Callable[..., World]) -> None:
    attack: Attack = plugins.build(Kind.ATTACK, "decoder-inversion", {"steps": 120, "channels": 16})
    world = exchanged(name, SHALLOWEST[name], False, 12)
    view = world.view(levels=[(0,)])
    (found,) = advantage(world, attack(view, seed=0)).values()
    assert found >= 0.8, found


def test_what_is_believed_of_a_network_is_tried_here() -> None:
    tried = {settings["network"] for settings, _ in NETWORKS.values()}
    assert tried == set(_READ)
    unknown = CutNetwork(network="somebody.else:Network", cut_after=("first",))
    assert not unknown.read_by_attacks

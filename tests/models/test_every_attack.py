"""Every attack mounts on every network behind both kinds of defense, or says why not.

Decoders read every shallowest cut.
"""

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from leakaudit.attacks.feature_hijacking import FeatureHijacking
from leakaudit.defenses.bottleneck import Bottleneck
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import Setup, World, advantage, make_world
from networks_to_cut import NETWORKS, cut

from leakaudit import plugins
from leakaudit.errors import NotMountableError
from leakaudit.exchange.defense import Defense
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
    "gradient-inversion": ({"steps": 2}, {}),
    "gradient-matching": (
        {"steps": 2, "stand_in_steps": 2, "reader_steps": 4, "channels": 4},
        {**AT_NORTH, "victims": ("server",)},
    ),
    "joint-matching": ({"encoder_steps": 2, "steps": 2}, {}),
    "mask-inference": (
        {}, {"position": Position.WIRE, "members": ("south",), "victims": ("server",)},
    ),
    "membership-inference": ({}, {}),
    "model-membership-inference": ({"references": 2, "steps": 2, "draws": 1}, {}),
    "re-identification": ({}, {}),
    "simulator-inversion": ({"simulator_steps": 2, "steps": 2, "channels": 4}, {}),
}  # fmt: skip
# Only Split-U-Net's server is known well enough to be run backwards.
THROUGH_THE_SERVER = "gradient-matching"
# Batch norm mixes the patients of a message: what matches a message alone is refused.
BATCH_NORM = {"AttentionUnet"}
REFERENCE = "split-u-net"
# One that draws and leaves shapes alone, one that changes what crosses every cut.
DEFENSES: dict[str, Defense] = {
    "noise": GaussianNoise(clip_norm=5.0, noise_multiplier=0.1), "bottleneck": Bottleneck(keep=0.5),
}  # fmt: skip
# What takes seconds each is tried on fewer, and decoders on every network below.
SLOW = {"decoder-inversion", "membership-inference"}
ON_FEW = {REFERENCE, "AttentionUnet", "DynUNet"}
PAIRS = [
    (name, attack)
    for name, attack in itertools.product(sorted({*NETWORKS, REFERENCE}), sorted(ATTACKS))
    if (attack not in SLOW or name in ON_FEW)
    # SwinUNETR's images are larger: it halves them five times.
    and (name != "SwinUNETR" or attack == "re-identification")
]


@pytest.fixture(scope="module")
def exchanged() -> Callable[..., World]:
    """An exchange through a network, made once per network and defense."""

    @cache
    def make(
        name: str, depth: int, defense: str | None, training: int, dimensions: int = 2
    ) -> World:
        torch.set_num_threads(1)
        table = {} if name == REFERENCE else {"model": cut(name, depth, dimensions)}
        split = SplitSpec.model_validate(
            {"parties": PARTIES, "dimensions": dimensions, "channels": (8, 12, 16), **table}
        )
        side = 64 if name == "SwinUNETR" else 24
        few = training < 10
        return make_world(
            Setup(
                split=split, space=(side, side) if dimensions == 2 else (12, 16, 16),
                patients=4, auxiliary=6 if few else 24, slices=2, training=training, probed=2,
                defenses=() if defense is None else (DEFENSES[defense],),
            )
        )  # fmt: skip

    return make


def built(name: str) -> Attack:
    attack: Attack = plugins.build(Kind.ATTACK, name, ATTACKS[name][0])
    return attack


def test_every_attack_is_tried() -> None:
    # Cross-modality learns for half a minute whatever its settings; DynUNet's test below has one.
    others = {"cross-modality", "cross-modality-inversion", "feature-hijacking"}
    assert set(ATTACKS) | others == set(plugins.names(Kind.ATTACK))


def check_mounts(name: str, attack: str, world: World) -> None:
    """Finite guesses for every target, or a reason."""
    mounted = built(attack)
    view = world.view(**{"asset": mounted.asset, **ATTACKS[attack][1]})
    alone = attack in {"activation-matching", "gradient-inversion"} and name in BATCH_NORM
    if (attack == THROUGH_THE_SERVER and name != REFERENCE) or alone:
        with pytest.raises(NotMountableError) as refused:
            mounted(view, seed=0)
        assert refused.value.found
        return
    guesses = mounted(view, seed=0)
    assert set(guesses) == set(view.targets)
    for guess in guesses.values():
        assert bool(torch.isfinite(guess.values).all())


@pytest.mark.parametrize(("name", "attack"), PAIRS)
def test_mounts_or_says_why_not(name: str, attack: str, exchanged: Callable[..., World]) -> None:
    """Every network meets both defenses, and so does every attack."""
    place = sorted({*NETWORKS, REFERENCE}).index(name) + sorted(ATTACKS).index(attack)
    check_mounts(name, attack, exchanged(name, 3, sorted(DEFENSES)[place % 2], 4))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DynUNet", "PlainConvUNet"])
def test_volumes_are_trained_and_attacked(name: str, exchanged: Callable[..., World]) -> None:
    check_mounts(name, "decoder-inversion", exchanged(name, 3, "noise", 4, 3))


@pytest.mark.parametrize("name", [REFERENCE, "SegResNet"])
def test_a_dishonest_server_hijacks_any_network(name: str) -> None:
    attack = FeatureHijacking(pilot_steps=2, steps=2, channels=4)
    model = {} if name == REFERENCE else {"model": cut(name, 3)}
    split = SplitSpec.model_validate({"parties": PARTIES, "channels": (8, 12, 16), **model})
    world = make_world(
        Setup(split=split, patients=4, auxiliary=6, slices=2, training=4, hijacked_by=attack)
    )
    guesses = attack(world.view(behaviour="active"), seed=0)
    assert all(bool(torch.isfinite(guess.values).all()) for guess in guesses.values())


@pytest.mark.slow
def test_cross_modality_reads_uneven_strides(exchanged: Callable[..., World]) -> None:
    attack: Attack = plugins.build(
        Kind.ATTACK, "cross-modality-inversion", {"steps": 2, "channels": 4}
    )
    view = exchanged("DynUNet", 3, "noise", 4).view(asset=attack.asset, **AT_NORTH)
    assert all(bool(torch.isfinite(each.values).all()) for each in attack(view, seed=0).values())


SHALLOWEST = {
    name: 1 if name in {"UNet", "AttentionUnet"} else 3 for name in (*NETWORKS, REFERENCE)
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHALLOWEST))
def test_decoders_read_the_shallowest_cut(name: str, exchanged: Callable[..., World]) -> None:
    attack: Attack = plugins.build(Kind.ATTACK, "decoder-inversion", {"steps": 120, "channels": 16})
    world = exchanged(name, SHALLOWEST[name], None, 12)
    view = world.view(levels=[(0,)])
    (found,) = advantage(world, attack(view, seed=0)).values()
    assert found >= 0.8, found


def test_what_is_believed_of_a_network_is_tried_here() -> None:
    tried = {settings["network"] for settings, _ in NETWORKS.values()}
    assert tried == set(_READ)
    unknown = CutNetwork(network="somebody.else:Network", cut_after=("first",))
    assert not unknown.read_by_attacks

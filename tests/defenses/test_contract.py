"""What holds for every defense that ships here; one row of examples each."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from leakaudit import plugins
from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.defense import Defense, Exposure
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.stack import claims, resolve
from leakaudit.plugins import Kind
from leakaudit.split.spec import SplitSpec
from leakaudit.testing import check_defense

from .conftest import images_of

Settings = dict[str, Any]

EXAMPLES: dict[str, list[Settings]] = {
    "none": [{}],
    "gaussian-noise": [
        {"noise_multiplier": 0.5},
        {"noise_multiplier": 2.0, "clip_norm": 1.0, "direction": "both"},
        {"target_epsilon": 8.0, "clip_norm": 1.0, "parties": ("south",)},
    ],
    "dropout": [
        {"rate": 0.5},
        {"rate": 0.3, "unit": "channel", "direction": "both"},
        {"rate": 0.3, "cuts": (1,), "parties": ("north",)},
    ],
    "skip-withholding": [{"cuts": (0,)}],
    "distance-correlation": [{"weight": 0.5}, {"weight": 2.0, "cuts": (0,)}],
    "laplace-noise": [
        {"noise_multiplier": 0.5},
        {"noise_multiplier": 2.0, "clip_norm": 1.0, "direction": "both"},
        {"target_epsilon": 50.0, "clip_norm": 1.0, "delta": 1e-5},
    ],
    "gradient-clip-noise": [{"noise_multiplier": 2.0, "clip_norm": 1.0}],
    "quantization": [{"bits": 1}, {"bits": 8, "direction": "both", "cuts": (0,)}],
    "bottleneck": [{"keep": 0.5}, {"keep": 0.01, "cuts": (1,), "parties": ("south",)}],
    "patch-shuffle": [{"grid": 2}, {"grid": 4, "cuts": (1,)}],
    "keyed-rotation": [{}, {"cuts": (0,)}],
    "channel-pruning": [{"keep": 0.5}, {"keep": 0.3, "choose": "energy", "cuts": (1,)}],
    "learned-noise": [{"weight": 0.1}, {"weight": 1.0, "start": 1.0, "cuts": (0,)}],
    "adversarial-decoder": [{"weight": 1.0}, {"weight": 0.5, "width": 4, "cuts": (1,)}],
    "dp-sgd": [
        {"clip_norm": 1.0, "noise_multiplier": 1.0},
        {"clip_norm": 1.0, "target_epsilon": 20.0, "neighbouring": "zero-out"},
        {"clip_norm": 1.0, "noise_multiplier": 1.0, "server": False},
    ],
}

REFUSED: dict[str, list[Settings]] = {
    "none": [{"strength": 1}],
    "gaussian-noise": [
        {},
        {"noise_multiplier": 0.0},
        {"noise_multiplier": float("inf")},
        {"noise_multiplier": float("nan")},
        {"noise_multiplier": -1.0},
        {"noise_multiplier": 1.0, "target_epsilon": 1.0, "clip_norm": 1.0},
        {"target_epsilon": 1.0},
        {"noise_multiplier": 1.0, "clip_norm": 0.0},
        {"noise_multiplier": 1.0, "clip_norm": 1.0, "delta": 0.0},
        {"noise_multiplier": 1.0, "direction": "sideways"},
    ],
    "dropout": [{}, {"rate": 0.0}, {"rate": 1.0}, {"rate": 0.5, "unit": "pixel"}],
    "skip-withholding": [{}, {"cuts": ()}],
    "distance-correlation": [{}, {"weight": 0.0}, {"weight": float("inf")}],
    "laplace-noise": [
        {},
        {"noise_multiplier": 0.0},
        {"noise_multiplier": float("inf")},
        {"target_epsilon": 1.0},
        {"noise_multiplier": 1.0, "clip_norm": 1.0, "delta": 1.0},
    ],
    "gradient-clip-noise": [
        {"noise_multiplier": 1.0},
        {"noise_multiplier": 1.0, "clip_norm": 1.0, "direction": "forward"},
    ],
    "quantization": [{}, {"bits": 0}, {"bits": 9}, {"bits": 1.5}],
    "bottleneck": [{}, {"keep": 0.0}, {"keep": 1.0}],
    "patch-shuffle": [{}, {"grid": 1}, {"grid": 2.5}],
    "keyed-rotation": [{"key": 1}],
    "channel-pruning": [{}, {"keep": 0.0}, {"keep": 1.0}, {"keep": 0.5, "choose": "random"}],
    "learned-noise": [{}, {"weight": 0.0}, {"weight": 1.0, "start": 10.0}],
    "adversarial-decoder": [{}, {"weight": 0.0}, {"weight": 1.0, "steps": 0}],
    "dp-sgd": [
        {"clip_norm": 1.0},
        {"noise_multiplier": 1.0},
        {"clip_norm": 0.0, "noise_multiplier": 1.0},
        {"clip_norm": 1.0, "noise_multiplier": 0.0},
        {"clip_norm": 1.0, "noise_multiplier": 1.0, "target_epsilon": 1.0},
        {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 0.0},
    ],
}

# With these settings, and no others above, a claim is due.
CLAIMING = {
    "gaussian-noise": [1, 2],
    "laplace-noise": [1, 2],
    "gradient-clip-noise": [0],
    "dp-sgd": [0, 1],
}

CASES = [(name, settings) for name, rows in EXAMPLES.items() for settings in rows]
BAD_CASES = [(name, settings) for name, rows in REFUSED.items() for settings in rows]


def _endpoint(
    name: str, settings: Settings, split: SplitSpec, exposure: Exposure, party: str, seed: int = 3
) -> PartyEndpoint:
    return _network(name, settings, split, exposure, seed).party(party)


def _network(
    name: str, settings: Settings, split: SplitSpec, exposure: Exposure, seed: int = 3
) -> Network:
    defenses = resolve([plugins.build(Kind.DEFENSE, name, settings)], split, exposure)
    return Network(split, 1, (16,) * split.dimensions, defenses, seed=seed)


def _released(
    endpoint: PartyEndpoint, images: Tensor, rng: Generator, rounds: int = 1
) -> list[Tensor]:
    """Everything the guards let out in both directions, and the loss terms, several times over."""
    released: list[Tensor] = []
    for _ in range(rounds):
        features = endpoint(images, rng)
        released += features.values()
        released += [
            endpoint.returned(level, torch.ones_like(sent), rng) for level, sent in features.items()
        ]
        released += endpoint.loss_terms(images, features, rng)
    return released


def test_every_defense_has_its_rows() -> None:
    shipped = {
        entry.name
        for entry in entry_points(group=Kind.DEFENSE.value)
        if entry.dist is not None and entry.dist.name == "leakaudit"
    }
    assert shipped == set(EXAMPLES) == set(REFUSED)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_keeps_what_an_audit_relies_on(
    name: str, settings: Settings, split: SplitSpec, exposure: Exposure
) -> None:
    """Settings, seeds, inputs, shapes, gradients, saved states: `leakaudit.testing`."""
    check_defense(plugins.build(Kind.DEFENSE, name, settings), split, exposure)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_resolved_defense_resolves_to_itself_and_survives_a_record(
    name: str, settings: Settings, split: SplitSpec, exposure: Exposure
) -> None:
    (once,) = resolve([plugins.build(Kind.DEFENSE, name, settings)], split, exposure)
    (twice,) = resolve([once], split, exposure)
    rebuilt = type(once).model_validate_json(once.model_dump_json())
    assert once == twice == rebuilt


@pytest.mark.parametrize(("name", "settings"), BAD_CASES)
def test_settings_out_of_range_are_refused(name: str, settings: Settings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plugins.build(Kind.DEFENSE, name, settings)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"skip-withholding"}))
def test_a_level_that_does_not_cross_is_refused(
    name: str, split: SplitSpec, exposure: Exposure
) -> None:
    defense = plugins.build(Kind.DEFENSE, name, EXAMPLES[name][0] | {"cuts": (0, 2)})
    with pytest.raises(ConfigurationError, match=r"unknown cut.*level 2.*known: level 0, level 1"):
        resolve([defense], split, exposure)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"skip-withholding"}))
def test_a_party_that_does_not_exist_is_refused(
    name: str, split: SplitSpec, exposure: Exposure
) -> None:
    defense = plugins.build(Kind.DEFENSE, name, EXAMPLES[name][0] | {"parties": ("nort",)})
    with pytest.raises(UnknownNameError, match="did you mean 'north'"):
        resolve([defense], split, exposure)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_claim_exactly_where_one_is_due(
    name: str, settings: Settings, split: SplitSpec, exposure: Exposure
) -> None:
    stack = resolve([plugins.build(Kind.DEFENSE, name, settings)], split, exposure)
    (claim,) = claims(stack, split, exposure)
    due = EXAMPLES[name].index(settings) in CLAIMING.get(name, [])
    assert (claim is not None) == due
    if claim is not None:
        assert 0 < claim.epsilon < float("inf")
        assert all(
            (
                claim.mechanism,
                claim.unit,
                claim.neighbouring,
                claim.composition,
                claim.accountant,
                claim.trust_model,
                claim.not_covered,
            )
        )


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_it_explains_itself(name: str) -> None:
    kind: type[Defense] = plugins.load(Kind.DEFENSE, name)
    assert kind.summary().endswith(".") or kind.summary().endswith(":")
    assert "Protects:" in (kind.__doc__ or "")
    assert all(field.description for field in kind.model_fields.values())


# dp-sgd acts on weights, skip-withholding on levels of all parties: tests of their own.
@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"none", "skip-withholding", "dp-sgd"}))
def test_what_is_not_chosen_is_left_alone(
    name: str, split: SplitSpec, exposure: Exposure, generator: Callable[[int], Generator]
) -> None:
    """Another party sends what it would without the defense, and so does another level."""
    chosen = EXAMPLES[name][0] | {"parties": ("south",), "cuts": (1,)}
    bare = _network("none", {}, split, exposure)
    network = _network(name, chosen, split, exposure)
    for party in split.party_names:
        network.party(party).encoder.load_state_dict(bare.party(party).encoder.state_dict())
    for party, levels in (("north", (0, 1)), ("south", (0,))):
        images = images_of(split, party, seed=1)
        plain, defended = (each.party(party)(images, generator(7)) for each in (bare, network))
        for level in levels:
            assert torch.equal(plain[level], defended[level]), (party, level)
            back = torch.ones_like(plain[level])
            assert torch.equal(network.party(party).returned(level, back, generator(7)), back)
        if party == "north":
            assert not network.party(party).loss_terms(images, defended, generator(7))

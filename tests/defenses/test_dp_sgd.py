"""DP-SGD through the cut: per-sample gradients against a naive loop, noise, claim, hooks."""

import copy
import dataclasses
import itertools

import pytest
import torch
from leakaudit.defenses._accountant import gaussian_spent
from leakaudit.defenses._per_sample_update import PerSampleUpdate
from leakaudit.defenses.adversarial_decoder import AdversarialDecoder
from leakaudit.defenses.bottleneck import Bottleneck
from leakaudit.defenses.channel_pruning import ChannelPruning
from leakaudit.defenses.distance_correlation import DistanceCorrelation
from leakaudit.defenses.dp_sgd import DpSgd, squared_shares
from leakaudit.defenses.keyed_rotation import KeyedRotation
from leakaudit.defenses.learned_noise import LearnedNoise
from scipy.stats import chi2
from torch import nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Exposure
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.exchange.stack import claims, no_claim_because, resolve
from leakaudit.exchange.update import WeightUpdates
from leakaudit.split.spec import SplitSpec
from leakaudit.training.data import Holdings
from leakaudit.training.loop import randomness, train
from leakaudit.training.settings import TrainingSettings
from leakaudit.training.step import Batch, exchange

from .conftest import images_of

QUIET = DpSgd(clip_norm=0.5, noise_multiplier=1e-9)


def _batch(split: SplitSpec, samples: int = 4) -> Batch:
    space = (16,) * split.dimensions
    masks = torch.rand(samples, 1, *space, generator=torch.Generator().manual_seed(9)) > 0.7
    return Batch(
        {name: images_of(split, name, seed=2, samples=samples) for name in split.party_names},
        masks.float(),
        torch.arange(samples),
        0,
        0,
    )


def _one(batch: Batch, row: int) -> Batch:
    rows = slice(row, row + 1)
    return Batch(
        {name: images[rows] for name, images in batch.images.items()},
        batch.masks[rows],
        batch.samples[rows],
        0,
        0,
    )


def _parts(network: Network) -> dict[str, nn.Module]:
    parties = {f"party {name}": network.party(name) for name in network.split.party_names}
    return {**parties, "server": network.server, "head": network.head}


def _naive(network: Network, batch: Batch, clip_norm: float) -> dict[str, list[torch.Tensor]]:
    """One backward pass per sample, clipped per network, averaged."""
    totals: dict[str, list[torch.Tensor]] = {}
    count = len(batch.samples)
    for row in range(count):
        network.zero_grad(set_to_none=True)
        exchange(network, Link(), _one(batch, row), randomness(network.split, 0))
        for name, part in _parts(network).items():
            gradients = [p.grad.clone() for p in part.parameters() if p.grad is not None]
            norm = torch.cat([g.flatten() for g in gradients]).norm()
            clipped = [g * min(1.0, clip_norm / float(norm)) / count for g in gradients]
            previous = totals.get(name, [torch.zeros_like(g) for g in clipped])
            totals[name] = [a + b for a, b in zip(previous, clipped, strict=True)]
    return totals


@pytest.mark.parametrize("labels_at", ["server", "south"])
@pytest.mark.parametrize(
    "beside",
    [[], [Bottleneck(keep=0.5, levels=(1,))], [KeyedRotation()], [ChannelPruning(keep=0.5)]],
    ids=["alone", "bottleneck", "rotation", "pruning"],
)
def test_gradients_equal_a_loop_over_samples(
    split: SplitSpec, labels_at: str, beside: list[Defense]
) -> None:
    split = split.model_copy(update={"labels_at": labels_at})
    stack = [*beside, QUIET]
    network = Network(split, 1, (16,) * split.dimensions, stack, seed=0).double()
    batch = _batch(split)
    batch = dataclasses.replace(
        batch,
        images={name: images.double() for name, images in batch.images.items()},
        masks=batch.masks.double(),
    )
    expected = _naive(copy.deepcopy(network), batch, QUIET.clip_norm)
    with WeightUpdates(network, stack) as updates:
        rngs = randomness(split, 0)
        exchange(network, Link(), batch, rngs)
        updates.rewrite(rngs)
    for name, part in _parts(network).items():
        found = [p.grad for p in part.parameters()]
        assert len(found) == len(expected[name])
        for gradient, should in zip(found, expected[name], strict=True):
            assert gradient is not None
            # Opacus adds 1e-6 to each norm before it divides by it.
            assert (gradient - should).abs().max() < 1e-6 * QUIET.clip_norm, name


def _rewritten(network: Network, stack: list[Defense], batch: Batch) -> dict[str, torch.Tensor]:
    network.zero_grad(set_to_none=True)
    with WeightUpdates(network, stack) as updates:
        rngs = randomness(network.split, 3)
        exchange(network, Link(), batch, rngs)
        updates.rewrite(rngs)
    return {
        name: torch.cat([p.grad.flatten() for p in part.parameters() if p.grad is not None])
        for name, part in _parts(network).items()
    }


def test_noise_has_the_stated_scale_and_another_scale_is_rejected(split: SplitSpec) -> None:
    batch, clip_norm, multiplier = _batch(split), 0.5, 3.0
    network = Network(split, 1, (16,) * split.dimensions, (), seed=0)
    quiet = _rewritten(network, [DpSgd(clip_norm=clip_norm, noise_multiplier=1e-9)], batch)
    loud = _rewritten(network, [DpSgd(clip_norm=clip_norm, noise_multiplier=multiplier)], batch)
    # The noise is on the sum over the batch, the gradient is the mean.
    deviation = multiplier * clip_norm / len(batch.samples)
    for name in ("party north", "party south", "server"):
        statistic = ((loud[name] - quiet[name]).double() / deviation).square().sum().item()
        count = loud[name].numel()
        low, high = chi2.ppf([5e-7, 1 - 5e-7], df=count)
        assert low <= statistic <= high
        assert not low <= statistic / 1.3**2 <= high


def test_noise_differs_between_parties_and_the_rest_is_untouched(split: SplitSpec) -> None:
    network = Network(split, 1, (16,) * split.dimensions, (), seed=0)
    batch = _batch(split)
    plain = _rewritten(network, [], batch)
    only = _rewritten(
        network,
        [DpSgd(clip_norm=0.5, noise_multiplier=1.0, parties=("south",), server=False)],
        batch,
    )
    assert torch.equal(plain["server"], only["server"])
    assert torch.equal(plain["party north"], only["party north"])
    assert not torch.allclose(plain["party south"], only["party south"], atol=1e-3)


def test_nothing_of_opacus_stays_on_the_network(split: SplitSpec) -> None:
    network = Network(split, 1, (16,) * split.dimensions, (), seed=0)
    before = _rewritten(network, [], _batch(split))
    _rewritten(network, [DpSgd(clip_norm=0.5, noise_multiplier=1.0)], _batch(split))
    after = _rewritten(network, [], _batch(split))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(hasattr(p, "grad_sample") for p in network.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    copy.deepcopy(network)


def test_a_layer_that_mixes_samples_is_refused() -> None:
    mixing = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    with pytest.raises(ConfigurationError, match="instance norm instead of batch norm"):
        PerSampleUpdate(mixing, 1.0, 1.0)


@pytest.mark.parametrize("samples", [1, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 2, 4, 9])
def test_the_worst_order_of_a_patients_samples(
    exposure: Exposure, samples: int, batch_size: int
) -> None:
    given = dataclasses.replace(exposure, samples_per_patient=samples, batch_size=batch_size)
    worst = max(
        sum(part**2 for part in parts)
        for parts in itertools.product(range(batch_size + 1), repeat=samples)
        if sum(parts) == samples
    )
    assert squared_shares(given) == worst


def test_the_claim_composes_all_networks_and_the_worst_order(
    flat_split: SplitSpec, exposure: Exposure
) -> None:
    defense = DpSgd(clip_norm=1.0, noise_multiplier=100.0, neighbouring="zero-out")
    (claim,) = claims([defense], flat_split, exposure)
    assert claim is not None
    # 5 epochs; 3 samples in one batch of 4 count 9; 2 encoders, the server, the last layers.
    assert claim.epsilon == gaussian_spent(100.0, 5 * 9 * 4, 1e-5).epsilon
    assert "as if this defense were not there" in claim.not_covered
    (replaced,) = claims(
        [defense.model_copy(update={"neighbouring": "replace"})], flat_split, exposure
    )
    assert replaced is not None
    assert replaced.epsilon == gaussian_spent(50.0, 5 * 9 * 4, 1e-5).epsilon


def test_calibrated_noise_claims_its_target(flat_split: SplitSpec, exposure: Exposure) -> None:
    stack = resolve([DpSgd(clip_norm=1.0, target_epsilon=8.0)], flat_split, exposure)
    (claim,) = claims(stack, flat_split, exposure)
    assert claim is not None
    assert 7.99 <= claim.epsilon <= 8.0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"server": False}, "the server trains without noise"),
        ({"parties": ("south",)}, "north trains without noise"),
    ],
)
def test_a_network_without_noise_voids_the_claim(
    settings: dict[str, object], reason: str, flat_split: SplitSpec, exposure: Exposure
) -> None:
    given = {"clip_norm": 1.0, **settings}
    loose = DpSgd.model_validate(given | {"noise_multiplier": 1.0})
    assert claims([loose], flat_split, exposure) == (None,)
    said = no_claim_because([loose], flat_split, exposure)
    assert said is not None
    assert reason in said
    with pytest.raises(ConfigurationError, match=reason):
        resolve([DpSgd.model_validate(given | {"target_epsilon": 8.0})], flat_split, exposure)


@pytest.mark.parametrize(
    "other",
    [
        DistanceCorrelation(weight=1.0),
        AdversarialDecoder(weight=1.0),
        LearnedNoise(weight=1.0),
        DpSgd(clip_norm=1.0, noise_multiplier=1.0),
    ],
)
def test_what_it_cannot_stand_beside(
    other: Defense, flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match=r"gradient per sample|DpSgd twice"):
        resolve([other, DpSgd(clip_norm=1.0, noise_multiplier=1.0)], flat_split, exposure)


def test_levels_and_large_deltas_are_refused(flat_split: SplitSpec, exposure: Exposure) -> None:
    with pytest.raises(ConfigurationError, match="acts on weights"):
        resolve([QUIET.model_copy(update={"cuts": (0,)})], flat_split, exposure)
    with pytest.raises(ConfigurationError, match="number of patients"):
        resolve([QUIET.model_copy(update={"delta": 0.1})], flat_split, exposure)


def test_training_under_it_is_reproducible_and_leaves_messages_as_they_are() -> None:
    split = SplitSpec.model_validate(
        {"parties": [{"name": "only", "modalities": ["T1"]}], "channels": [4, 8], "party_levels": 1}
    )
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(6, 1, 16, 16, generator=rng)
    holdings = Holdings({"only": images}, (images > 0.7).float(), torch.arange(6))
    settings = TrainingSettings(epochs=2, batch_size=4)
    defense = DpSgd(clip_norm=1.0, noise_multiplier=1.0)
    first, second, plain = (
        train(holdings, torch.arange(6), split, stack, settings, seed=5).network.state_dict()
        for stack in ([defense], [defense], [])
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], plain[key]) for key in first)


def test_a_horizontal_split_is_refused_before_it_trains(flat_split: SplitSpec) -> None:
    class Rewriting(Defense):
        """Somebody's own rule for weight updates."""

        def update_rule(self, owner: str, network: nn.Module) -> None:
            return None

    parties = tuple(party.model_copy(update={"modalities": ("a",)}) for party in flat_split.parties)
    horizontal = flat_split.model_copy(update={"orientation": "horizontal", "parties": parties})
    exposure = Exposure(
        epochs=2, samples_per_patient=1, patients=8, steps_per_epoch=2, batch_size=4
    )
    for defense in (QUIET, Rewriting()):
        with pytest.raises(ConfigurationError, match="stands in a vertical split"):
            resolve([defense], horizontal, exposure)
        resolve([defense], flat_split, exposure)

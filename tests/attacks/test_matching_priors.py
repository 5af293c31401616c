"""What is known of images beforehand: each term against a hand computation, and what it pulls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from leakaudit.attacks._matching_gradients import ImageBudget, matched
from leakaudit.attacks._matching_priors import FeatureStatistics, disagreement
from leakaudit.attacks.gradient_matching import GradientMatching
from memory_exchange import MemoryExchange, World, advantage
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, NotMountableError
from leakaudit.plugins import Kind, build
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import WeightUpdate


class Encoder(nn.Module):
    """One convolution, with or without a normalisation behind it."""

    def __init__(self, *, normalised: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 1)
        self.norm = nn.InstanceNorm2d(3) if normalised else nn.Identity()
        with torch.no_grad():
            self.convolution.weight.copy_(torch.tensor([1.0, -2.0, 0.5])[:, None, None, None])
            self.convolution.bias.copy_(torch.tensor([0.0, 1.0, 3.0]))

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        return {0: self.norm(self.convolution(images))}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("normalised", [True, False])
def test_features_are_as_unusual_as_their_moments_by_hand(normalised: bool) -> None:
    known, guess = drawn(70, 1, 4, 5), drawn(2, 3, 1, 4, 5, seed=1) ** 2
    found = FeatureStatistics(Encoder(normalised=normalised).double(), known)(guess)
    # The channels are straight lines of the image, so the scale of each cancels.
    usual = known.numpy()
    each = guess.numpy().reshape(2, -1)
    shift = (each.mean(1) - usual.mean()) ** 2 / usual.var()
    spread = (each.var(1) / usual.var() - 1) ** 2
    np.testing.assert_allclose(found.detach().numpy(), shift + spread, rtol=1e-9)


def test_layers_and_channels_count_alike_whatever_their_scale() -> None:
    encoder, known, guess = (
        Encoder(normalised=True).double(),
        drawn(8, 1, 4, 4),
        drawn(2, 1, 1, 4, 4),
    )
    before = FeatureStatistics(encoder, known)(guess)
    with torch.no_grad():
        encoder.convolution.weight.mul_(1e-4)
    torch.testing.assert_close(FeatureStatistics(encoder, known)(guess), before)


def test_known_images_are_not_unusual() -> None:
    known = drawn(6, 1, 4, 4)
    found = FeatureStatistics(Encoder(normalised=True).double(), known)(known[None])
    assert found.item() == pytest.approx(0, abs=1e-12)


def test_rounding_errors_of_a_silent_channel_are_not_blown_up() -> None:
    encoder, known, guess = (
        Encoder(normalised=True).double(),
        drawn(6, 1, 4, 4),
        drawn(1, 1, 1, 4, 4),
    )
    before = FeatureStatistics(encoder, known)(guess)
    with torch.no_grad():
        encoder.convolution.weight[1] = 1e-9
    # Two of three channels go on telling the same.
    torch.testing.assert_close(FeatureStatistics(encoder, known)(guess), before * 2 / 3)


def test_disagreement_is_measured_among_the_restarts_of_one_update_alone() -> None:
    images = drawn(6, 2, 1, 3, 3).requires_grad_()
    found = disagreement(images, 3)
    groups = images.detach().numpy().reshape(2, 3, -1)
    apart = groups - groups.mean(1, keepdims=True)
    np.testing.assert_allclose(found.detach().numpy(), (apart**2).mean(2).ravel(), rtol=1e-12)
    (slope,) = torch.autograd.grad(found.sum(), images)
    np.testing.assert_allclose(slope.numpy().reshape(2, 3, -1), 2 * apart / 18, rtol=1e-12)


def seen_in_part(images: Tensor) -> Tensor:
    """Gradients that tell of the first column only."""
    return images[..., 0].flatten(1)


@pytest.mark.parametrize("method", ["cosine", "lbfgs"])
def test_what_no_gradient_tells_is_made_usual(method: str) -> None:
    start, truth = drawn(2, 1, 1, 4, 4), drawn(2, 1, 1, 4, 4, seed=1)

    def unusual(images: Tensor) -> Tensor:
        return (images - 0.3).square().flatten(1).sum(1)

    def furthest(weight: float) -> float:
        budget = ImageBudget(method, 80, 1, 0.05, 0.0, usual_features=weight)
        (*_, last) = matched(seen_in_part, seen_in_part(truth), start, budget, unusual)
        return (last.values[..., 1:] - 0.3).abs().amax().item()

    assert furthest(1.0) < 0.05
    assert furthest(0.0) > 0.3


def test_restarts_that_should_agree_do_and_updates_keep_apart() -> None:
    start, truth = drawn(4, 1, 1, 4, 4), drawn(2, 1, 1, 4, 4, seed=1).repeat_interleave(2, 0)

    def free(weight: float) -> Tensor:
        budget = ImageBudget("cosine", 80, 2, 0.05, 0.0, agreement=weight)
        (*_, last) = matched(seen_in_part, seen_in_part(truth), start, budget)
        return last.values[..., 1:]

    apart, agreed = free(0.0), free(100.0)
    means = start.float()[..., 1:].unflatten(0, (2, 2)).mean(1)
    assert (agreed - means).abs().max() < 0.05
    assert (apart - means).abs().max() > 0.2


IMAGES = {"target": "images", "steps": 60}


@pytest.mark.parametrize(
    "settings",
    [{"usual_features": 1.0}, {"restarts": 2, "agreement": 1.0}],
    ids=lambda each: [*each][-1],
)
def test_neither_term_harms_what_gradients_tell(
    settings: dict[str, float], world: Callable[..., World]
) -> None:
    def reached(**more: float) -> float:
        attack = GradientMatching.model_validate(IMAGES | more)
        (found,) = advantage(world(), attack(world().view(), 0)).values()
        return found

    without = reached(restarts=settings.get("restarts", 1))
    assert without > 0.25
    assert reached(**settings) > without - 0.05


def test_what_is_usual_is_known_from_auxiliary_images_alone(world: Callable[..., World]) -> None:
    view = world().view(grants=Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS)
    attack = GradientMatching.model_validate(IMAGES | {"usual_features": 1.0})
    assert attack.missing(view) == Knowledge.AUXILIARY_IMAGES
    with pytest.raises(NotMountableError, match="auxiliary-images"):
        attack(view, 0)
    assert GradientMatching.model_validate(IMAGES | {"steps": 1})(view, 0)


@pytest.mark.parametrize("wrong", [{"restarts": 1}, {"restarts": 2, "method": "lbfgs"}])
def test_agreement_is_refused_where_it_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="agreement needs"):
        build(Kind.ATTACK, "gradient-matching", {"target": "images", "agreement": 1.0, **wrong})


@pytest.mark.parametrize("prior", ["usual_features", "agreement"])
def test_what_images_are_like_is_refused_where_masks_are_recovered(prior: str) -> None:
    with pytest.raises(ConfigurationError, match="target"):
        build(Kind.ATTACK, "gradient-matching", {"restarts": 2, prior: 1.0})


class InBatches(MemoryExchange):
    """The same exchange, its updates summed over batches."""

    def __init__(self, whole: MemoryExchange, size: int) -> None:
        self._whole, self._size = whole, size
        self.message_size = whole.message_size

    @property
    def epochs(self) -> tuple[int, ...]:
        return self._whole.epochs

    def updates(self, party: str, epoch: int) -> list[WeightUpdate]:
        alone = list(self._whole.updates(party, epoch))
        return [summed(alone[at : at + self._size]) for at in range(0, len(alone), self._size)]


def summed(updates: Sequence[WeightUpdate]) -> WeightUpdate:
    first = updates[0]
    return WeightUpdate(
        torch.cat([each.rows for each in updates]),
        {name: sum(each.weights[name] for each in updates) for name in first.weights},
        {level: torch.cat([each.cut[level] for each in updates]) for level in first.cut},
    )


def test_images_of_a_batch_come_in_the_order_of_its_samples(world: Callable[..., World]) -> None:
    given = world(patients=8, probed=8)
    view = replace(given.view(), _exchange=InBatches(given.exchange, 2))
    (guess,) = GradientMatching.model_validate(IMAGES)(view, 0).values()
    typical = view.auxiliary_images("south").mean(0)
    found, truth = (
        nn.functional.normalize((images - typical).flatten(1), dim=1).unflatten(0, (-1, 2))
        for images in (guess.values, given.images["south"][guess.rows])
    )
    # No assignment of a batch's images to its samples is better than the one that the attack gives.
    for alike in found @ truth.mT:
        _, best = linear_sum_assignment(alike.numpy(), maximize=True)
        assert best.tolist() == [0, 1]

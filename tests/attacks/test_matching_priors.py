"""What is known of images beforehand: each term against a hand computation, and what it pulls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from leakaudit.attacks.activation_matching import ActivationMatching
from leakaudit.attacks.gradient_inversion import GradientInversion
from leakaudit.attacks.matching.features import RecordedEpoch, _warranted
from leakaudit.attacks.matching.gradients import ImageBudget, matched
from leakaudit.attacks.matching.images import _unusual
from leakaudit.attacks.parts.priors import FeatureStatistics, UsualImages, disagreement
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import MemoryExchange, World, advantage
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from leakaudit.errors import AttackInvalidError, ConfigurationError, NotMountableError
from leakaudit.plugins import Kind, build
from leakaudit.threat.attack import Attack
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
        budget = ImageBudget(method, 80, 1, 0.05, 0.0)
        (*_, last) = matched(
            seen_in_part, seen_in_part(truth), start, budget, lambda each: weight * unusual(each)
        )
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


IMAGES = {"steps": 60}


@pytest.mark.parametrize(
    "settings",
    [{"usual_features": 1.0}, {"restarts": 2, "agreement": 1.0}],
    ids=lambda each: [*each][-1],
)
def test_neither_term_harms_what_gradients_tell(
    settings: dict[str, float], world: Callable[..., World]
) -> None:
    def reached(**more: float) -> float:
        attack = GradientInversion.model_validate(IMAGES | more)
        (found,) = advantage(world(), attack(world().view(), 0)).values()
        return found

    without = reached(restarts=settings.get("restarts", 1))
    assert without > 0.25
    assert reached(**settings) > without - 0.05


def test_what_is_usual_is_known_from_auxiliary_images_alone(world: Callable[..., World]) -> None:
    view = world().view(grants=Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS)
    attack = GradientInversion.model_validate(IMAGES | {"usual_features": 1.0})
    assert attack.missing(view) == Knowledge.AUXILIARY_IMAGES
    with pytest.raises(NotMountableError, match="auxiliary-images"):
        attack(view, 0)
    assert GradientInversion.model_validate(IMAGES | {"steps": 1})(view, 0)


@pytest.mark.parametrize("wrong", [{"restarts": 1}, {"restarts": 2, "method": "lbfgs"}])
def test_agreement_is_refused_where_it_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="agreement needs"):
        build(Kind.ATTACK, "gradient-inversion", {"agreement": 1.0, **wrong})


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
    (guess,) = GradientInversion.model_validate(IMAGES)(view, 0).values()
    typical = view.auxiliary_images("south").mean(0)
    found, truth = (
        nn.functional.normalize((images - typical).flatten(1), dim=1).unflatten(0, (-1, 2))
        for images in (guess.values, given.images["south"][guess.rows])
    )
    # No assignment of a batch's images to its samples is better than the one that the attack gives.
    for alike in found @ truth.mT:
        _, best = linear_sum_assignment(alike.numpy(), maximize=True)
        assert best.tolist() == [0, 1]


def fields(count: int, seed: int, width: float = 1.0) -> Tensor:
    """(count, 2, 12, 10): smooth deviations from a mean, in the second modality twice as large."""
    each = drawn(count, 2, 12, 10, seed=seed) - 0.5
    smooth = each + each.roll(1, 2) + each.roll(1, 3) + each.roll((1, 1), (2, 3))
    return 0.5 + width * smooth / 8 * torch.tensor([1.0, 2.0])[:, None, None]


def test_images_are_as_unusual_as_their_spectrum_by_hand() -> None:
    known, guess = fields(4000, 0), fields(3, 1)
    found = UsualImages(known)(guess)
    # Of so many, neither the pooled spread nor neighbouring frequencies of a smooth spectrum weigh.
    apart = (guess - known.mean(0)).numpy() / (known - known.mean(0)).numpy().std((0, 2, 3))[
        :, None, None
    ]
    power = np.abs(np.fft.fft2(apart)) ** 2 / 120
    waves = 2 * np.pi * np.fft.fftfreq(12)[:, None], 2 * np.pi * np.fft.fftfreq(10)
    # A sum of two neighbours passes a frequency by 2 + 2 cos, along either axis.
    usual = (2 + 2 * np.cos(waves[0])) * (2 + 2 * np.cos(waves[1])) / 4
    for axis in (0, 1):
        usual = (np.roll(usual, 1, axis) + usual + np.roll(usual, -1, axis)) / 3
    np.testing.assert_allclose(found, (power / usual).mean((1, 2, 3)), rtol=0.03)


def test_images_like_those_known_have_an_energy_of_about_one_and_others_more() -> None:
    usual = UsualImages(fields(60, 0))
    like = usual(fields(60, 1)).mean().item()
    assert 0.7 < like < 1.1  # below one where neighbouring frequencies have more power
    assert usual(fields(60, 1, width=2.0)).mean().item() == pytest.approx(4 * like, rel=0.1)
    rough = 0.5 + (drawn(60, 2, 12, 10, seed=2) - 0.5) / 4
    assert usual(rough).mean() > 3 * like


@pytest.mark.parametrize("count", [1, 5])
def test_images_that_are_all_alike_say_nothing(count: int) -> None:
    usual = UsualImages(drawn(1, 1, 5, 7).expand(count, -1, -1, -1))
    assert usual(drawn(3, 1, 5, 7, seed=1)).tolist() == [0, 0, 0]


def test_three_dimensions_and_odd_sizes() -> None:
    known, guess = drawn(6, 1, 5, 7, 3), drawn(2, 1, 5, 7, 3, seed=1)
    turned = UsualImages(known.permute(0, 1, 4, 2, 3))(guess.permute(0, 1, 4, 2, 3))
    torch.testing.assert_close(UsualImages(known)(guess), turned)
    flat = UsualImages(known[..., 0])(guess[..., 0])
    torch.testing.assert_close(UsualImages(known[..., :1])(guess[..., :1]), flat)


def test_usual_images_help_where_noise_hides_most(world: Callable[..., World]) -> None:
    """And do no harm where there is none."""

    def reached(noise: float, weight: float) -> float:
        given = world(defenses=(GaussianNoise(noise_multiplier=noise, clip_norm=60.0),))
        attack = ActivationMatching(steps=60, usual_images=weight)
        (found,) = advantage(given, attack(given.view(levels=[(0,)]), 0)).values()
        return found

    assert reached(0.03, 2.0) > max(0.4, reached(0.03, 0.0) + 0.1)
    assert reached(1e-6, 2.0) > reached(1e-6, 0.0) - 0.02


def test_usual_images_help_gradients_that_few_steps_match(world: Callable[..., World]) -> None:
    def reached(weight: float) -> float:
        attack = GradientInversion.model_validate(IMAGES | {"usual_images": weight})
        (found,) = advantage(world(), attack(world().view(), 0)).values()
        return found

    assert reached(1.0) > reached(0.0) + 0.15


def test_where_updates_determine_an_image_a_smaller_weight_gets_closer(
    world: Callable[..., World],
) -> None:
    def reached(weight: float) -> float:
        attack = GradientInversion(steps=400, usual_images=weight)
        (found,) = advantage(world(), attack(world().view(), 0)).values()
        return found

    assert reached(0.1) > reached(1.0) + 0.05


@pytest.mark.parametrize(
    ("attack", "settings"),
    [(GradientInversion, IMAGES | {"steps": 3}), (ActivationMatching, {"steps": 3})],
)
def test_without_auxiliary_images_none_are_usual(
    attack: type[Attack], settings: dict[str, object], world: Callable[..., World]
) -> None:
    view = world().view(
        grants=Knowledge.ACTIVATIONS | Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS
    )
    with_it, without = (
        attack.model_validate(settings | {"usual_images": weight})(view, 0) for weight in (1.0, 0.0)
    )
    assert all(bool((with_it[each].values == without[each].values).all()) for each in with_it)


class Drawing:
    """An encoder of two levels that adds noise of a known spread to features that it was told."""

    def __init__(self, spreads: dict[int, float]) -> None:
        self._spreads = spreads

    def __call__(self, images: Tensor, rng: torch.Generator) -> dict[int, Tensor]:
        sizes = {0: (4, 8, 8), 1: (2, 4, 4)}
        return {
            level: spread * torch.randn((len(images), *sizes[level]), generator=rng)
            for level, spread in self._spreads.items()
        }


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("spreads", [{0: 0.2}, {1: 0.5}, {0: 0.2, 1: 0.5}])
def test_a_prior_weighs_as_much_as_noise_warrants(spreads: dict[int, float], epochs: int) -> None:
    rng = torch.Generator().manual_seed(3)
    encode, images = Drawing(spreads), torch.rand(40, 1, 8, 8)
    sent = {
        level: 2 * torch.randn(each.shape, generator=rng)
        for level, each in Drawing(dict.fromkeys(spreads, 1.0))(images, rng).items()
    }
    found = _warranted([RecordedEpoch(encode, sent)] * epochs, images, rng)
    # Noise in units of the features' spread, and an image's values over the features'.
    values = {0: 4 * 64, 1: 2 * 16}
    each = [(spread / 2) ** 2 * 64 / values[level] for level, spread in spreads.items()]
    assert found == pytest.approx(np.mean(each) / epochs, rel=0.08)


def test_a_channel_that_was_silent_by_chance_does_not_decide_what_a_prior_weighs() -> None:
    rng = torch.Generator().manual_seed(3)
    images = torch.rand(4, 1, 8, 8)
    sent = Drawing({0: 1.0})(images, rng)
    sent[0][:, 1] = 0
    assert _warranted([RecordedEpoch(Drawing({0: 0.1}), sent)], images, rng) < 0.1


@pytest.mark.parametrize("broken", [torch.inf, torch.nan])
def test_an_encoder_that_sends_something_not_finite_is_named(broken: float) -> None:
    images = torch.rand(4, 1, 8, 8)
    sent = Drawing({0: 1.0})(images, torch.Generator())
    answers = iter([broken, 1.0])

    def once(images: Tensor, rng: torch.Generator) -> dict[int, Tensor]:
        found = Drawing({0: 1.0})(images, rng)
        found[0][0, 0, 0, 0] = next(answers)
        return found

    with pytest.raises(AttackInvalidError, match="finite"):
        _warranted([RecordedEpoch(once, sent)], images, torch.Generator())


def test_a_modality_that_is_always_the_same_says_nothing_and_harms_no_other() -> None:
    known, guess = fields(20, 0), fields(3, 1)
    alone = UsualImages(known[:, :1])(guess[:, :1])
    known[:, 1] = 0.25
    torch.testing.assert_close(UsualImages(known)(guess), alone / 2)


def test_images_that_differ_in_brightness_alone_forbid_no_detail() -> None:
    known = drawn(6, 1, 1, 1).expand(-1, -1, 9, 8)
    assert torch.isfinite(UsualImages(known)(drawn(3, 1, 9, 8, seed=1))).all()


def test_a_pixel_that_few_images_never_show_is_not_forbidden() -> None:
    known, guess = fields(4, 0), fields(3, 1)
    known[..., :4, :] = 0.5
    assert UsualImages(known)(guess).max() < 10


@pytest.mark.parametrize("few", [2, 3, 5])
def test_new_images_are_no_more_unusual_than_few_known_ones_can_say(few: int) -> None:
    energies = [
        UsualImages(fields(few, seed))(fields(20, 100 + seed)).mean().item() for seed in range(20)
    ]
    assert np.mean(energies) < 1.3


def test_both_terms_of_unusual_images_are_weighed() -> None:
    known, guess = fields(20, 0), fields(6, 1).unflatten(0, (3, 2))
    encoder = nn.Conv2d(2, 3, 1).double()
    found = _unusual(Named(encoder), known, replace(BUDGET, usual_features=0.5, usual_images=2.0))
    assert found is not None
    features = FeatureStatistics(Named(encoder), known)(guess)
    images = torch.stack([UsualImages(known)(batch).mean() for batch in guess])
    torch.testing.assert_close(found(guess), 0.5 * features + 2 * images)
    assert _unusual(Named(encoder), known, BUDGET) is None


class Named(nn.Module):
    """A network as an encoder: its output is level 0."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        return {0: self.network(images)}


BUDGET = ImageBudget("cosine", 80, 1, 0.05, 0.0)

"""Images from an encoder's weight updates: change images until their updates match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, vmap

from leakaudit.errors import NotMountableError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View, WeightUpdate

from ..parts.descent import joined
from ..parts.priors import FeatureStatistics, UsualImages
from .gradients import ImageBudget, matched
from .smoothing import smoothed

Weights = dict[str, Tensor]
Update = Callable[[Tensor, Mapping[str, Tensor], Tensor], Weights]

_ENCODER = "encoder."
_AT_ONCE = 16  # updates times restarts in one batch


def recover_images(view: View, target: Target, budget: ImageBudget, rng: Generator) -> Guess:
    """Images of those samples whose weight updates the adversary has.

    Args:
        view: grants the victim's weight updates and encoder; auxiliary images give the start, and
            what images are usually like.
        target: whose images.
        budget: effort.
        rng: starting points, and the defenses' randomness as the adversary redraws it.

    Raises:
        NotMountableError: no update was recorded, or the encoder cannot be differentiated.
        AttackInvalidError: it diverged.
    """
    epoch = view.last_epoch
    endpoint = view.encoder(target.victim, epoch)
    if not isinstance(endpoint, PartyEndpoint):
        raise NotMountableError(
            "weight updates are matched through a party's encoder", found=type(endpoint).__name__
        )
    updates = view.updates(target.victim, epoch)
    if not updates:
        raise NotMountableError(
            "weight updates of the attacked samples must be in the trace",
            found="none",
            remedy="set `weight_updates` under `recording`",
        )
    if not any(bool(each.any()) for update in updates for each in update.weights.values()):
        raise NotMountableError(
            "images are matched against weight updates that differ from zero",
            found="nothing but zeros: no gradient came back through a defense",
        )
    network = smoothed(endpoint).to(budget.precision)
    unusual = None
    if Knowledge.AUXILIARY_IMAGES in view.knowledge:
        known = view.auxiliary_images(target.victim).to(budget.precision)
        unusual = _unusual(network.encoder, known, budget)
    caused = _caused_by(network, updates[0].weights, rng)
    rows, points = [], []
    size = max(1, _AT_ONCE // budget.restarts)
    for group in _alike(updates):
        for first in range(0, len(group), size):
            part = group[first : first + size]
            rows.append(torch.cat([update.rows for update in part]))
            begin = [_start(view, target, part, number, rng) for number in range(budget.restarts)]
            points.append(_recovered(part, torch.stack(begin, dim=1), caused, budget, unusual))
    *trail, last = joined(points)
    return Guess(last.values, last.effort, tuple(trail), torch.cat(rows))


def _unusual(
    encoder: nn.Module, known: Tensor, budget: ImageBudget
) -> Callable[[Tensor], Tensor] | None:
    """How unlike known ones images (rows, batch, modalities, *space) and their features are.

    Args:
        encoder: images to level to features.
        known: (n, modalities, *space).
        budget: weights of both.
    """
    terms: list[Callable[[Tensor], Tensor]] = []
    if budget.usual_features:
        features = FeatureStatistics(encoder, known)
        terms.append(lambda images: budget.usual_features * features(images))
    if budget.usual_images:
        usual = UsualImages(known)

        def apart(images: Tensor) -> Tensor:
            each: Tensor = usual(images.flatten(0, 1)).unflatten(0, images.shape[:2])
            return budget.usual_images * each.mean(1)

        terms.append(apart)
    if not terms:
        return None
    return lambda images: torch.stack([term(images) for term in terms]).sum(0)


def _alike(updates: Sequence[WeightUpdate]) -> list[list[WeightUpdate]]:
    """Updates of the same batch size together: they can be stacked."""
    sizes = dict.fromkeys(len(update.rows) for update in updates)
    return [[each for each in updates if len(each.rows) == size] for size in sizes]


def _start(
    view: View, target: Target, updates: Sequence[WeightUpdate], number: int, rng: Generator
) -> Tensor:
    """(updates, batch, modalities, *space): the typical image or dark grey, and some noise."""
    shape = (
        len(updates), len(updates[0].rows), view.modalities[target.victim], *view.space,
    )  # fmt: skip
    typical = torch.tensor(0.25)
    if Knowledge.AUXILIARY_IMAGES in view.knowledge:
        typical = view.auxiliary_images(target.victim).mean(0)
    noise = torch.randn(shape, generator=rng)
    return (typical + (0.01 if number == 0 else 0.1) * noise).clamp(0, 1)


def _caused_by(endpoint: nn.Module, weights: Mapping[str, Tensor], rng: Generator) -> Update:
    """What an encoder's weight gradient is, given images and what came back at the cut.

    Returns:
        A function of images (updates, batch, modalities, *space), cut gradients by level, each
        (updates, batch, channels, *grid), and their units (updates,); gives (updates, ...) each.
    """
    if not isinstance(endpoint, PartyEndpoint):
        raise TypeError("an endpoint")
    frozen = {
        name: parameter.detach()
        for name, parameter in endpoint.encoder.named_parameters()
        if name in weights
    }

    def total(
        parameters: Weights, images: Tensor, cut: Mapping[str, Tensor], unit: Tensor
    ) -> Tensor:
        named = {_ENCODER + name: each for name, each in parameters.items()}
        features = functional_call(endpoint, named, (images, rng))
        value = torch.stack([(features[int(level)] * each).sum() for level, each in cut.items()])
        return value.sum() + sum(term / unit for term in endpoint.loss_terms(images, features, rng))

    one = grad(total)
    if not len(endpoint.guards):
        return lambda images, cut, unit: vmap(one, in_dims=(None, 0, 0, 0))(
            frozen, images, dict(cut), unit
        )

    def in_turn(images: Tensor, cut: Mapping[str, Tensor], unit: Tensor) -> Weights:
        # A guard may draw from a generator of its own, which cannot be batched over.
        each = [
            one(frozen, images[i], {level: tensor[i] for level, tensor in cut.items()}, unit[i])
            for i in range(len(images))
        ]
        return {name: torch.stack([update[name] for update in each]) for name in frozen}

    return in_turn


def _recovered(
    updates: Sequence[WeightUpdate],
    start: Tensor,
    caused: Update,
    budget: ImageBudget,
    unusual: Callable[[Tensor], Tensor] | None,
) -> list[Checkpoint]:
    """Images of some updates, (all their rows, modalities, *space), on the way and at the end."""
    restarts = start.shape[1]
    # Gradients are tiny; in units of the largest at the cut nothing underflows.
    units = torch.stack(
        [
            torch.stack([each.abs().amax() for each in update.cut.values()]).amax()
            for update in updates
        ]
    ).clamp_min(1e-30)
    copies = torch.arange(len(updates)).repeat_interleave(restarts)
    cut = {
        str(level): _stacked([update.cut[level] for update in updates], units)[copies].to(
            budget.precision
        )
        for level in updates[0].cut
    }
    names = list(updates[0].weights)
    wanted = _flat(
        {
            name: _stacked([update.weights[name] for update in updates], units)[copies]
            for name in names
        },
        names,
    )
    divisor = units[copies].to(budget.precision)
    points = matched(
        lambda images: _flat(caused(images, cut, divisor), names),
        wanted,
        start.flatten(0, 1),
        budget,
        unusual,
    )
    return [Checkpoint(point.effort, point.values.flatten(0, 1)) for point in points]


def _stacked(tensors: Sequence[Tensor], units: Tensor) -> Tensor:
    """(updates, ...), each divided by its unit."""
    return torch.stack([each / unit for each, unit in zip(tensors, units, strict=True)])


def _flat(weights: Weights, names: Sequence[str]) -> Tensor:
    """(updates, all values)."""
    return torch.cat([weights[name].flatten(1) for name in names], dim=1)

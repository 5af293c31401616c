"""The best linear decoder, in closed form: a starting point no optimiser can get stuck before.

Ridge regression from a neighbourhood of features, and each channel's mean and spread over the
sample, to the pixels that belong to one feature position. Convex, so scaling, rotating or shifting
the channels cannot mislead it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .blocks import Strides
from .normal_equations import Sums, summed
from .ridge import Ridge, columns_of_ways, shares_of, weighed


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear decoder with what it says of samples it has not seen.

    Attributes:
        decoder: features to images, not clamped; fitted on all samples.
        unseen: (n, outputs, *space), each sample decoded by a fit that left its patient out.
        error: mean squared error of ``unseen`` clamped to [0, 1].
        way: from which way of conditioning alone most can be read.
        parts: what it was blended from, in words, and the error of each.
    """

    decoder: Callable[[Tensor], Tensor]
    unseen: Tensor
    error: float
    way: int = 0
    parts: tuple[tuple[str, float], ...] = ()


def fit_linear(
    features: Tensor,
    images: Tensor,
    base: Tensor,
    factor: Strides,
    folds: Sequence[Tensor],
    rng: Generator,
    ways: int = 1,
) -> LinearFit:
    """Ridge regression, its penalty chosen by cross-validation over patients.

    Where features are there in several ways, a regression from each and one from all are weighed
    against each other by what they say of unseen patients (stacking; Breiman, "Stacked
    regressions", Machine Learning 24, 1996): which way is best cannot be told from few patients,
    and weighing loses little where choosing can lose much.

    Args:
        features: (n, channels, *grid), standardised.
        images: (n, outputs, *space).
        base: (1, outputs, *space), known beforehand: only what differs from it is read.
        factor: pixels per feature position.
        folds: rows of each fold; no patient in two. A single fold predicts itself.
        rng: draws the positions that enter where there are more than enough.
        ways: how many times the same channels are there, each time conditioned otherwise.
    """
    sums = [
        summed(features[fold], images[fold] - base, factor, len(features), ways, rng)
        for fold in folds
    ]
    everything = Sums.total(sums)
    rests = [everything.without(own) if len(folds) > 1 else everything for own in sums]
    parts = columns_of_ways(everything, ways)
    chosen = [Ridge.best(everything, rests, sums, part) for part in parts]
    shares = shares_of(chosen, sums)
    unseen = torch.empty_like(images)
    for number, fold in enumerate(folds):
        weights = weighed(shares, [ridge.left_out[number] for ridge in chosen])
        unseen[fold] = everything.decoder(weights, factor, base)(features[fold])
    weights = weighed(shares, [ridge.weights for ridge in chosen])
    error = (unseen.clamp(0, 1) - images).square().mean().item()
    way = min(range(ways), key=lambda each: chosen[each].error)
    return LinearFit(everything.decoder(weights, factor, base), unseen, error, way)

"""NoPeek: train the encoder so that messages depend less on the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense, Exposure, Guard, Site, Strength
from leakaudit.split.spec import SplitSpec

# Of two samples the distance correlation is 1, whatever they are.
_FEWEST = 3


class DistanceCorrelation(Defense):
    """Add the distance correlation between images and messages to each party's loss (NoPeek).

    Protects: lowers dependence where the optimiser can; makes no claim, and a low value does not
    rule out a good reconstruction.
    Differs: the mean over the acting levels, since several cross; the paper has one cut.
    Source: Vepakomma, Singh, Gupta, Raskar, ICDM workshops 2020, section 3.
    """

    post_processing: ClassVar[bool] = True
    strength: ClassVar[Strength | None] = Strength("weight", rising=True)

    weight: float = Field(
        gt=0, allow_inf_nan=False, description="factor of the term beside the segmentation loss"
    )

    def resolved(self, exposure: Exposure, split: SplitSpec) -> Self:
        """Itself.

        Raises:
            ConfigurationError: batches too small for a distance correlation.
        """
        del split
        if exposure.batch_size < _FEWEST:
            raise ConfigurationError(
                "distance-correlation compares the samples of a batch, at least three",
                found=f"batch size {exposure.batch_size}",
                remedy="raise the batch size to 3 or more, better 8",
            )
        return self

    def guard(self, site: Site, rng: Generator) -> Guard:
        """The loss term at one party."""
        del rng
        return _DistanceCorrelationGuard(self.weight, self.acting_levels(site))


class _DistanceCorrelationGuard(Guard):
    def __init__(self, weight: float, levels: tuple[int, ...]) -> None:
        super().__init__()
        self._weight = weight
        self._levels = levels

    def loss_term(
        self, images: Tensor, features: Mapping[int, Tensor], rng: Generator
    ) -> Tensor | None:
        """The weighted mean over levels; None for a last batch too small to have one."""
        del rng
        if images.shape[0] < _FEWEST:
            return None
        per_level = [distance_correlation(images, features[level]) for level in self._levels]
        return self._weight * torch.stack(per_level).mean()


def distance_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Distance correlation of two batches, differentiable.

    Args:
        first: (n, ...), any shape per sample.
        second: (n, ...).

    Returns:
        Scalar in [1e-6, 1]; the lower end stands for 0, as where a batch is constant.

    Source: Szekely, Rizzo, Bakirov 2007, definition 5 (the biased sample statistic).
    """
    left, right = _centred_distances(first), _centred_distances(second)
    covariance = (left * right).mean()
    variances = (left * left).mean() * (right * right).mean()
    # The floors keep the square roots' slopes finite where a batch is constant.
    tiny = torch.finfo(variances.dtype).tiny ** 0.5
    squared = covariance.clamp_min(0) / variances.clamp_min(tiny).sqrt()
    return squared.clamp_min(1e-12).sqrt()


def _centred_distances(batch: Tensor) -> Tensor:
    flat = batch.flatten(1).to(torch.promote_types(batch.dtype, torch.float32))
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return (
        distances
        - distances.mean(dim=0, keepdim=True)
        - distances.mean(dim=1, keepdim=True)
        + distances.mean()
    )

"""How well a trained split segments patients it has not seen: Dice and HD95."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from torch import Tensor

HD95_UNIT = "voxels"


@dataclass(frozen=True)
class RegionScore:
    """One region's quality, per patient and over all pixels.

    Attributes:
        dice: pseudonym to Dice over all the patient's voxels; None where truth and prediction
            are both empty, which says nothing.
        hd95: pseudonym to the mean over samples of the 95th percentile of the symmetric surface
            distance, in voxels; None where no sample has both surfaces.
        dice_over_all_pixels: Dice over every voxel of every patient together.
        idle: pseudonym to the Dice of whichever scores more, a mask that is empty or one that
            marks every voxel: what a network reaches that learnt nothing.
    """

    dice: dict[str, float | None]
    hd95: dict[str, float | None]
    dice_over_all_pixels: float | None
    idle: dict[str, float | None]


def dice(intersection: float, predicted: float, true: float) -> float | None:
    """Dice from voxel counts; None where both sets are empty."""
    total = predicted + true
    return 2.0 * intersection / total if total else None


def _filled(true: float, voxels: float) -> float:
    """Of marking everything; an empty mask never scores more."""
    return 2.0 * true / (true + voxels)


def evaluate(
    predict: Callable[[Tensor], Tensor],
    rows: Tensor,
    masks: npt.NDArray[np.uint8],
    patients: npt.NDArray[np.str_],
    regions: tuple[str, ...],
) -> dict[str, RegionScore]:
    """Score predictions region by region.

    Args:
        predict: rows of the cohort to binary predictions (n, regions, *space).
        rows: (n,) validation samples; none gives scores without a single patient.
        masks: (all samples, regions, *space) truth.
        patients: (all samples,) owners.
        regions: names, in channel order.
    """
    if not len(rows):
        return {region: RegionScore({}, {}, None, {}) for region in regions}
    counts: dict[str, npt.NDArray[np.float64]] = {}
    distances: dict[str, list[npt.NDArray[np.float64]]] = {}
    for chunk in torch.split(rows, 32):
        prediction = predict(chunk).cpu().numpy().astype(bool)
        truth = masks[chunk.numpy()].astype(bool)
        surface = _hd95(prediction, truth)
        flat = (len(chunk), len(regions), -1)
        both = np.stack(
            [(prediction & truth).reshape(flat).sum(-1), prediction.reshape(flat).sum(-1),
             truth.reshape(flat).sum(-1), np.full(flat[:2], math.prod(truth.shape[2:]))],
            axis=-1,
        )  # fmt: skip
        for owner, count, distance in zip(patients[chunk.numpy()], both, surface, strict=True):
            counts[owner] = counts.get(owner, np.zeros((len(regions), 4))) + count
            distances.setdefault(owner, []).append(distance)
    owners = sorted(counts)
    scores = {}
    for index, region in enumerate(regions):
        total = np.sum([counts[owner][index] for owner in owners], axis=0)
        scores[region] = RegionScore(
            dice={owner: dice(*counts[owner][index][:3]) for owner in owners},
            hd95={owner: _mean([sample[index] for sample in distances[owner]]) for owner in owners},
            dice_over_all_pixels=dice(*total[:3]),
            idle={owner: _filled(*counts[owner][index][2:]) for owner in owners},
        )
    return scores


def _hd95(
    prediction: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """(n, regions) in voxels; not a number where either surface is missing."""
    with warnings.catch_warnings():
        # MONAI warns of every empty mask; those are counted as undefined instead.
        warnings.simplefilter("ignore")
        distance = compute_hausdorff_distance(
            torch.from_numpy(prediction), torch.from_numpy(truth), include_background=True,
            percentile=95,
        )  # fmt: skip
    values: npt.NDArray[np.float64] = np.asarray(distance, dtype=np.float64)
    axes = tuple(range(2, truth.ndim))
    empty = ~(prediction.any(axis=axes) & truth.any(axis=axes))
    values[empty | ~np.isfinite(values)] = np.nan
    return values


def _mean(values: list[float]) -> float | None:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else None

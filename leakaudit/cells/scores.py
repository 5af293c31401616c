"""Hold guesses against the truth. Only the judge has it; attacks never do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from leakaudit.metrics import (
    ImageMetric,
    MaskOverlap,
    MeanSquaredError,
    PeakSignalToNoise,
    ReIdentification,
    StructuralSimilarity,
    match_curve,
)
from leakaudit.record import Asset, Region

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A match curve is drawn up to this many candidates: what lies beyond says nothing to a reader.
MOST_PLACES = 100
# Share of full scale above which a voxel is not background.
FOREGROUND = 0.05
PRIMARY: dict[Asset, tuple[str, Region]] = {
    "images": ("ssim", "foreground"),
    "masks": ("dice", "whole"),
    "identity": ("re-identification", "whole"),
    "membership": ("auc", "whole"),
    "attribute": ("auc", "whole"),
}


@dataclass(frozen=True, eq=False)
class Truth:
    """What the attacked samples really look like.

    Attributes:
        images: (n, modalities, *space) of the victim party.
        masks: (n, regions, *space) bool.
        foreground: (n, *space) inside the head.
        lesion: (n, *space) inside any region.
        patients: (n,) pseudonyms.
    """

    images: Floats
    masks: Mask
    foreground: Mask
    lesion: Mask
    patients: npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Score:
    """One metric's values, one per unit (sample or patient).

    Attributes:
        asset: what was recovered; re-identification speaks of identity.
        metric: registered name.
        region: where it was measured.
        values: (units,), NaN where undefined.
        owners: (units,) pseudonym of each unit's patient.
        chance: value of guessing; None where undefined.
        trials: independent comparisons behind a rate; None: the patients.
        match_curve: share of patients among the first 1, 2, ... candidates; empty for others.
    """

    asset: Asset
    metric: str
    region: Region
    values: Doubles
    owners: npt.NDArray[np.str_]
    chance: float | None = None
    trials: int | None = None
    match_curve: tuple[float, ...] = ()


def foreground_of(images: Floats) -> Mask:
    """(n, *space): voxels inside the head, ventricles included.

    Args:
        images: (n, all modalities, *space).
    """
    bright: Mask = np.asarray((images > FOREGROUND).any(axis=1))
    return np.stack([ndimage.binary_fill_holes(sample) for sample in bright])


def score_images(
    truth: Truth, guess: Floats, metrics: Sequence[ImageMetric], rows: npt.NDArray[np.int64]
) -> Iterator[Score]:
    """All image metrics in all regions.

    Args:
        truth: of every attacked sample.
        guess: (len(rows), modalities, *space) in [0, 1].
        metrics: to apply.
        rows: which attacked samples the guess speaks of.
    """
    dimensions = truth.foreground.ndim - 1
    owners = truth.patients[rows]
    regions: dict[Region, Mask | None] = {
        "whole": None,
        "foreground": truth.foreground[rows],
        "lesion": truth.lesion[rows],
    }
    for metric in metrics:
        for region, mask in regions.items():
            if mask is None or metric.takes_masks:
                values = metric(truth.images[rows], guess, mask, dimensions=dimensions)
                yield Score("images", metric.name, region, values, owners)


def primary_of_images(truth: Truth, guess: Floats, rows: npt.NDArray[np.int64]) -> Score:
    """The one metric effort curves and verdicts are read from."""
    values = StructuralSimilarity(threads=1)(
        truth.images[rows], guess, truth.foreground[rows], dimensions=truth.foreground.ndim - 1
    )
    return Score("images", *PRIMARY["images"], values, truth.patients[rows])


def image_metrics() -> list[ImageMetric]:
    """Those that need no download."""
    return [StructuralSimilarity(threads=1), PeakSignalToNoise(), MeanSquaredError()]


def score_masks(truth: Truth, guess: Floats, rows: npt.NDArray[np.int64]) -> Score:
    """Dice over all voxels and regions of each patient: one unit per patient.

    Args:
        truth: of every attacked sample.
        guess: (len(rows), regions, *space) probabilities.
        rows: which attacked samples the guess speaks of.
    """
    values, owners = MaskOverlap()(truth.masks[rows], guess > 0.5, truth.patients[rows].tolist())
    return Score("masks", *PRIMARY["masks"], values, owners)


def found_among(
    distances: Doubles, owners: npt.NDArray[np.str_], candidates: npt.NDArray[np.str_]
) -> Score:
    """Whether the patient behind each query is the first of those named; the others by places.

    Args:
        distances: (n, c), small is alike.
        owners: (n,) the true patient of each query.
        candidates: (c,) the patient of each candidate, none of them twice.
    """
    metric = ReIdentification()
    hits = metric(distances, owners.tolist(), candidates.tolist())
    curve = match_curve(distances, owners.tolist(), candidates.tolist())[:MOST_PLACES]
    return Score(
        "identity", *PRIMARY["identity"], hits, owners, chance=metric.chance(len(candidates)),
        match_curve=() if np.isnan(curve).any() else tuple(curve.tolist()),
    )  # fmt: skip

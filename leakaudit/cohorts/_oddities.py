"""What is odd about a cohort as a whole: nothing is refused, everything is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import Cohort

# A scaled modality whose bright end lies below this is nearly black.
_DARK = 0.2
_MOST_SAMPLED = 1_000_000


def with_oddities(cohort: Cohort) -> Cohort:
    """The cohort with its own warnings, and those about its whole."""
    return replace(
        cohort,
        warnings=(*cohort.warnings, *_brightness(cohort), *_labels(cohort), *_sites(cohort)),
    )


def bright_end(images: npt.NDArray[np.float32]) -> float:
    """The 99.5th percentile, of a sample where there are many voxels."""
    flat = images.reshape(-1)
    return float(np.percentile(flat[:: max(1, flat.size // _MOST_SAMPLED)], 99.5))


def _brightness(cohort: Cohort) -> Iterator[str]:
    for channel, modality in enumerate(cohort.modalities):
        bright = bright_end(cohort.images[:, channel])
        if bright < _DARK:
            yield (
                f"{modality} is nearly black after scaling (99.5th percentile {bright:.2g}): set "
                "`window`, or check the files; errors of images are small where all is dark"
            )


def _labels(cohort: Cohort) -> Iterator[str]:
    if not cohort.labels.any():
        yield "no lesion in any label map: no Dice, and no attack on masks, can be measured"
        return
    for region, values in cohort.regions.items():
        if not np.isin(cohort.labels, values).any():
            yield f"region {region} is empty in every sample"


def _sites(cohort: Cohort) -> Iterator[str]:
    for site in [] if cohort.site is None else np.unique(cohort.site).tolist():
        if len(set(cohort.patients[cohort.site == site].tolist())) == 1:
            yield f"site {site} holds one person: its name says whose data it is"

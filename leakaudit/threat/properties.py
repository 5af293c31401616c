"""What can be said of a patient in one word, read off label masks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Property = Literal["lesion present", "lesion size", "lesion side"]


def lesion_sizes(masks: Tensor, patients: Tensor) -> tuple[Tensor, Tensor]:
    """The share of a patient's voxels inside any lesion.

    Args:
        masks: (n, regions, *space), 0 or 1.
        patients: (n,) owners.

    Returns:
        (p,) the patients, rising, and (p,) their shares.
    """
    owners, number = torch.unique(patients, return_inverse=True)
    inside = masks.amax(1).flatten(1).double().mean(1)
    sums = torch.zeros(len(owners), dtype=torch.float64).index_add(0, number, inside)
    return owners, sums / torch.bincount(number, minlength=len(owners))


def property_of(
    masks: Tensor, patients: Tensor, told: Property, median: float
) -> tuple[Tensor, Tensor]:
    """Whether each patient has a property.

    Args:
        masks: (n, regions, *space), 0 or 1.
        patients: (n,) owners.
        told: `lesion present`: in any sample. `lesion size`: a larger share of the patient's
            voxels than ``median``. `lesion side`: more of it in the second half of the image's
            last axis, which is left and right where slices are axial.
        median: what counts as large: the median over auxiliary patients who have a lesion.

    Returns:
        (p,) the patients, rising, and (p,) 1 or 0; NaN where a patient without a lesion is asked
        about its lesion.
    """
    owners, sizes = lesion_sizes(masks, patients)
    if told == "lesion present":
        return owners, (sizes > 0).double()
    if told == "lesion size":
        found = (sizes > median).double()
    else:
        width = masks.shape[-1]
        _, first = lesion_sizes(masks[..., : width // 2], patients)
        _, second = lesion_sizes(masks[..., (width + 1) // 2 :], patients)
        found = (second > first).double()
    return owners, torch.where(sizes > 0, found, torch.nan)


def median_size(masks: Tensor, patients: Tensor) -> float:
    """The median lesion of those who have one; zero where nobody has."""
    _, sizes = lesion_sizes(masks, patients)
    ill = sizes[sizes > 0]
    return float(ill.median()) if len(ill) else 0.0

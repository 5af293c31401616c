"""Which slices or patches of a patient are taken, and how they are brought to size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

PatchSide = Annotated[int, Field(ge=4, le=512)]
SliceRule = Literal["lesion", "brain"]

# A slice shows brain when its foreground is at least a quarter of the patient's largest.
_BRAIN_SHARE = 0.25


def evenly(available: Sequence[int], count: int) -> list[int]:
    """The middles of `count` equal stretches of a sequence; all of it if it is not longer."""
    length = len(available)
    if length <= count:
        return list(available)
    return [available[int((step + 0.5) * length / count)] for step in range(count)]


def choose_slices(
    foreground: npt.NDArray[np.integer],
    lesion: npt.NDArray[np.integer],
    count: int | None,
    rule: SliceRule,
) -> list[int]:
    """Indices of the slices to take, ascending; no randomness.

    Args:
        foreground: (s,) non-zero pixels per slice.
        lesion: (s,) labelled pixels per slice.
        count: how many; None for all that show brain or lesion.
        rule: `brain`: evenly among slices with brain. `lesion`: evenly among slices with lesion,
            filled up evenly from the other slices with brain where there are too few.
    """
    diseased = np.flatnonzero(lesion > 0).tolist()
    brain = np.flatnonzero(foreground >= max(1.0, _BRAIN_SHARE * foreground.max())).tolist()
    everything = sorted({*brain, *diseased})
    if count is None:
        return everything
    if rule == "brain":
        return evenly(everything, count)
    chosen = evenly(diseased, count)
    others = [at for at in everything if at not in set(diseased)]
    return sorted(chosen + evenly(others, count - len(chosen)))


def to_square(
    image: npt.NDArray[np.generic],
    side: int,
    *,
    spacing: tuple[float, float] = (1.0, 1.0),
    field_of_view: float | None = None,
    nearest: bool = False,
) -> npt.NDArray[np.generic]:
    """Crop or pad a slice with zeros about its centre to a square in mm, then resample.

    Args:
        image: (h, w).
        side: pixels of the result.
        spacing: mm per row and per column.
        field_of_view: side of the square in mm; None for the longer side, so nothing is cut.
        nearest: for labels; otherwise linear with Gaussian smoothing before reduction.
    """
    extent = field_of_view or max(n * mm for n, mm in zip(image.shape, spacing, strict=True))
    target = tuple(max(1, round(extent / mm)) for mm in spacing)
    return resampled(centred(image, target), (side, side), nearest=nearest)


def centred(array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    """Crop or zero-pad every axis about its centre."""
    result = np.zeros(shape, dtype=array.dtype)
    source, target = [], []
    for have, want in zip(array.shape, shape, strict=True):
        length = min(have, want)
        source.append(slice((have - length) // 2, (have - length) // 2 + length))
        target.append(slice((want - length) // 2, (want - length) // 2 + length))
    result[tuple(target)] = array[tuple(source)]
    return result


def padded_to(array: npt.NDArray[np.generic], least: Sequence[int]) -> npt.NDArray[np.generic]:
    """Zero-pad every axis about its centre to at least the given lengths."""
    shape = tuple(max(have, want) for have, want in zip(array.shape, least, strict=True))
    return centred(array, shape)


def resampled(
    array: npt.NDArray[np.generic], shape: tuple[int, ...], *, nearest: bool
) -> npt.NDArray[np.generic]:
    """Resample to a shape; unchanged where it already has it."""
    if array.shape == shape:
        return array
    from skimage import transform

    resize: Callable[..., npt.NDArray[np.generic]] = transform.resize
    result = resize(
        array,
        shape,
        order=0 if nearest else 1,
        mode="edge",
        anti_aliasing=not nearest,
        preserve_range=True,
    )
    return result.astype(array.dtype)


def patch_boxes(
    lesion: npt.NDArray[np.bool_],
    foreground: npt.NDArray[np.bool_],
    size: tuple[int, int, int],
    count: int,
) -> list[tuple[slice, slice, slice]]:
    """Where the patches to take lie; no randomness.

    Half of the patches (rounded up) are centred on lesion voxels, taken evenly in memory order;
    the rest, or all where there is no lesion, on foreground voxels likewise. Patches are shifted
    to lie inside the volume.

    Args:
        lesion: (d, h, w).
        foreground: (d, h, w).
        size: of a patch; at most the volume's.
        count: how many.
    """
    diseased = np.flatnonzero(lesion)
    on_lesion = evenly(diseased.tolist(), (count + 1) // 2) if diseased.size else []
    elsewhere = np.flatnonzero(foreground & ~lesion)
    centres = on_lesion + evenly(elsewhere.tolist(), count - len(on_lesion))
    corners = dict.fromkeys(
        tuple(
            int(np.clip(c - s // 2, 0, n - s))
            for c, s, n in zip(
                np.unravel_index(centre, lesion.shape), size, lesion.shape, strict=True
            )
        )
        for centre in centres
    )
    return [
        (slice(d, d + size[0]), slice(h, h + size[1]), slice(w, w + size[2])) for d, h, w in corners
    ]

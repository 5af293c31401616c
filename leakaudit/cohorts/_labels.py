"""What label values mean, decided once over the whole cohort, and never merged in silence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import ByteArray
from leakaudit.errors import DataError

# Values per patient or file, and how many voxels carry each.
Counts = Mapping[str, Mapping[int, int]]

BINARY: Mapping[str, tuple[int, ...]] = {"lesion": (1,)}
COLOUR = 0x1000000
"""Added to 0xRRGGBB, so that no colour is taken for a grey value."""

_MOST_LISTED = 12
_MOST_CLASSES = 20


@dataclass(frozen=True)
class LabelPlan:
    """How the values on disk become those of the cohort.

    Attributes:
        mapping: value on disk to value in the cohort, 0 to 255; 0 to 0 is implied.
        regions: region name to the cohort's values.
        notes: what was odd, as sentences.
    """

    mapping: Mapping[int, int]
    regions: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()

    def apply(self, stored: npt.NDArray[Any], where: str) -> ByteArray:
        """The cohort's labels.

        Raises:
            DataError: a value has no meaning.
        """
        values, places = np.unique(stored, return_inverse=True)
        mapping = {0: 0, **self.mapping}
        strange = [int(value) for value in values if int(value) not in mapping]
        if strange:
            raise DataError(
                f"labels must be among {', '.join(map(str, sorted(mapping)))}",
                found=f"{where} has {', '.join(map(str, strange[:5]))}",
                remedy="correct the mask, or name its values in `regions`",
            )
        meant = np.array([mapping[int(value)] for value in values], dtype=np.uint8)
        return meant[places].reshape(stored.shape)


class UnnamedLabelsError(DataError):
    """Masks of several classes, and the regions they may be.

    Args:
        rule: what must hold.
        found: the values.
        remedy: what to do.
        proposed: regions that their values suggest; None where somebody must say.
    """

    def __init__(
        self,
        rule: str,
        *,
        found: object = None,
        remedy: str = "",
        proposed: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__(rule, found=found, remedy=remedy)
        self.proposed = proposed


def counted(stored: npt.NDArray[Any], where: str) -> dict[int, int]:
    """The values of one mask and how many voxels have each.

    Raises:
        DataError: they are not numbers, not finite or not whole.
    """
    if stored.dtype.kind not in "biuf":
        raise DataError(
            "labels must be numbers",
            found=f"{where} holds {stored.dtype}",
            remedy="save the mask as whole numbers, one value per class",
        )
    values, counts = np.unique(stored, return_counts=True)
    odd = [value for value in values if not np.isfinite(value) or value != np.rint(value)]
    if odd:
        raise DataError(
            "labels must be whole numbers",
            found=f"{where} has {odd[0]}",
            remedy="resample masks with nearest neighbour, never linearly",
        )
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def listed_regions(regions: Mapping[str, tuple[int, ...]]) -> LabelPlan:
    """Regions that were named: their values are kept, renumbered where one exceeds 255.

    Raises:
        DataError: a region names background, or there are more than 255 values.
    """
    values = sorted({value for own in regions.values() for value in own})
    if not values or 0 in values or len(values) > 255:
        raise DataError(
            "regions must name 1 to 255 label values other than 0",
            found=f"{len(values)} values, from {values[:1]}",
            remedy='write regions such as { "lesion" = [1] }; 0 is background',
        )
    if values[0] > 0 and values[-1] <= 255:
        return LabelPlan({value: value for value in values}, dict(regions))
    numbers = {value: at for at, value in enumerate(values, start=1)}
    table = ", ".join(f"{value} is {at}" for value, at in list(numbers.items())[:_MOST_LISTED])
    return LabelPlan(
        numbers,
        {name: tuple(numbers[value] for value in own) for name, own in regions.items()},
        (f"label values outside 1 to 255 were renumbered: {table}",),
    )


def two_valued(counts: Counts) -> LabelPlan:
    """Masks of a cohort in which 0 and at most one other, positive value occur.

    Raises:
        DataError: there are other values; the message lists them with their counts.
    """
    values = set(union(counts)) - {0}
    if len(values) > 1 or min(values, default=1) < 0 or (values and 0 not in union(counts)):
        raise UnnamedLabelsError(
            "masks must have two values, 0 and one other, or `regions` must name theirs",
            proposed=proposed_regions(counts),
            found=table_of(counts),
            remedy='write regions = { "name" = [values] } under [cohort]; values in no region '
            "are refused",
        )
    return LabelPlan(dict.fromkeys(values, 1) or {1: 1}, BINARY)


def proposed_regions(counts: Counts) -> dict[str, tuple[int, ...]] | None:
    """One region per value where the values read as classes; None where somebody must say.

    Few values above a background of 0 are classes, unless 255 is among them: white in masks of
    grey steps, or the mark of pixels to ignore.
    """
    values = sorted(set(union(counts)) - {0})
    if len(values) < 2 or len(values) > _MOST_CLASSES or 0 not in union(counts):
        return None
    if values[0] < 0 or 255 in values:
        return None
    return {
        f"colour {value - COLOUR:06x}" if value >= COLOUR else f"label {value}": (value,)
        for value in values
    }


def union(counts: Counts) -> dict[int, int]:
    """Voxels per value over the cohort."""
    total: dict[int, int] = {}
    for own in counts.values():
        for value, count in own.items():
            total[value] = total.get(value, 0) + count
    return dict(sorted(total.items()))


def table_of(counts: Counts) -> str:
    """The values of a cohort with patients and voxels of each, in one line."""
    rows = []
    for value, voxels in list(union(counts).items())[:_MOST_LISTED]:
        owners = [name for name, own in counts.items() if value in own]
        rows.append(f"{value} in {len(owners)} ({voxels} voxels), first {owners[0]}")
    more = len(union(counts)) - len(rows)
    return "; ".join(rows) + (f"; {more} more values" if more > 0 else "")


def check_known(counts: Counts, known: Collection[int]) -> None:
    """Every file of a cohort must keep to the values of its convention.

    Raises:
        DataError: one does not; the message names all such files.
    """
    strange = {
        name: sorted(set(own) - {0, *known})
        for name, own in counts.items()
        if set(own) - {0, *known}
    }
    if strange:
        listed = "; ".join(
            f"{name} has {', '.join(map(str, values[:5]))}"
            for name, values in list(strange.items())[:_MOST_LISTED]
        )
        raise DataError(
            f"labels must be among {', '.join(map(str, sorted({0, *known})))}",
            found=f"{listed} (in all {len(strange)} of {len(counts)})",
            remedy="correct the masks, or name the values in `regions`",
        )

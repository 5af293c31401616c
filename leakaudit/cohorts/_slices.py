"""What the sources of 2-D slices share: settings, two passes over the cases, resampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.cohorts._disk import DiskSource
from leakaudit.cohorts._labels import check_known, counted, listed_regions, two_valued
from leakaudit.cohorts._persons import Owner
from leakaudit.cohorts._sampling import SliceRule, choose_slices, to_square
from leakaudit.cohorts._scaling import STORED_SCALING, Stored, stored_as
from leakaudit.cohorts._stack import CaseSamples, Range, Survey, signature_of
from leakaudit.cohorts.checks import check_voxels
from leakaudit.cohorts.faults import each, raise_all
from leakaudit.errors import DataError

# Brightest values of patients that differ by more were not scaled alike.
_UNLIKE = 2.0


@dataclass(frozen=True)
class Slices:
    """The slices of one case, as stored.

    Attributes:
        images: (n, m, h, w), the chosen modalities.
        labels: (n, h, w).
        positions: (n,) slice numbers.
    """

    images: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    positions: npt.NDArray[np.int64]


@dataclass(frozen=True)
class SliceCase:
    """One visit of one person.

    Attributes:
        original: the name on disk.
        owner: whose it is.
        read: gives the slices; called twice, once to look and once to keep.
    """

    original: str
    owner: Owner
    read: Callable[[], Slices]


class SliceSource(DiskSource):
    """Settings of the sources whose files already hold 2-D slices."""

    size: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        default=None, description="side in pixels after resampling; as stored if unset"
    )
    slices_per_patient: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how many slices of a patient's visit; all if unset"
    )
    slice_rule: SliceRule = Field(
        default="lesion", description="which slices first: those with lesion, or all with tissue"
    )

    def survey_slices(
        self,
        cases: Sequence[SliceCase],
        *,
        name: str,
        modalities: tuple[str, ...],
        warnings: Sequence[str] = (),
        passed_over: tuple[str, ...] = (),
    ) -> Survey:
        """Look at every case, decide labels and scaling over the cohort, then read the samples.

        Raises:
            DataError: files break rules; all of them in one message.
        """
        faults: list[DataError] = []
        looked = list(each(cases, lambda case: _look(case, modalities), faults))
        raise_all(faults)
        counts = {case.original: look.counts for case, look in zip(cases, looked, strict=True)}
        plan = listed_regions(self.regions) if self.regions else two_valued(counts)
        check_known(counts, plan.mapping)
        kinds = {look.kind for look in looked}

        def read(case: SliceCase) -> CaseSamples:
            slices = case.read()
            kind = "values" if "values" in kinds else stored_as(slices.images)
            labels = plan.apply(slices.labels, case.original)
            return self._samples(case, slices, labels, modalities, kind)

        def samples() -> Iterator[CaseSamples]:
            return each(cases, read, faults)

        return self.stacked(
            samples(),
            faults,
            name=name,
            modalities=modalities,
            plan=plan,
            scaling=STORED_SCALING,
            counts=counts,
            warnings=(*warnings, *_unlike(looked)),
            passed_over=passed_over,
        )

    def _samples(
        self,
        case: SliceCase,
        slices: Slices,
        labels: npt.NDArray[np.uint8],
        modalities: tuple[str, ...],
        kind: Stored,
    ) -> CaseSamples:
        order = np.argsort(slices.positions, kind="stable")
        images, labels, positions = slices.images[order], labels[order], slices.positions[order]
        channels = list(np.moveaxis(images, 1, 0))
        scales = [
            self.scale(channel, modality, kind)
            for channel, modality in zip(channels, modalities, strict=True)
        ]
        if self.slices_per_patient is None:
            chosen = list(range(len(labels)))
        else:
            shown = np.any(
                [s.foreground(own) for s, own in zip(scales, channels, strict=True)], axis=0
            )
            chosen = choose_slices(
                shown.sum(axis=(1, 2)),
                (labels != 0).sum(axis=(1, 2)),
                self.slices_per_patient,
                self.slice_rule,
            )
        scaled = np.stack([s.apply(own) for s, own in zip(scales, channels, strict=True)], axis=1)
        signature = signature_of(scaled[len(scaled) // 2, 0])
        scaled, picked = scaled[chosen], labels[chosen]
        if self.size is not None:
            scaled = np.array(
                [[to_square(channel, self.size) for channel in image] for image in scaled],
                dtype=np.float32,
            )
            picked = np.array(
                [to_square(label, self.size, nearest=True) for label in picked], dtype=np.uint8
            )
        return CaseSamples(
            original=case.original,
            owner=case.owner,
            images=scaled,
            labels=picked,
            positions=positions[chosen].astype(np.int64),
            signature=signature,
            shape=images.shape[2:],
            spacing=None,
            ranges={
                modality: Range(float(own.min()), float(own.max()), scale)
                for modality, own, scale in zip(modalities, channels, scales, strict=True)
            },
        )


def default_channels(count: int) -> tuple[str, ...]:
    """Names for channels that nobody named."""
    return tuple(f"channel {at + 1}" for at in range(count))


@dataclass(frozen=True)
class _Look:
    """What the first pass keeps of a case: label values, kind of values, the brightest."""

    counts: dict[int, int]
    kind: Stored
    brightest: float


def _look(case: SliceCase, modalities: tuple[str, ...]) -> _Look:
    slices = case.read()
    for channel, modality in enumerate(modalities):
        check_voxels(slices.images[:, channel], f"{case.original}, {modality}")
    counts = counted(slices.labels, case.original)
    return _Look(counts, stored_as(slices.images), float(slices.images.max()))


def _unlike(looked: Sequence[_Look]) -> Iterator[str]:
    """A warning where images that are kept as they are were not scaled alike."""
    ends = [look.brightest for look in looked]
    if {look.kind for look in looked} == {"unit"} and max(ends) > _UNLIKE * min(ends):
        yield (
            f"images within [0, 1] are kept, but were not scaled alike (brightest {min(ends):.2g} "
            f"to {max(ends):.2g} by patient): set `window`, or scale the files anew"
        )

"""What a cohort is: samples owned by patients, and the three groups patients are split into."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.plugins import Plugin

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]


class Group(StrEnum):
    """Every patient belongs to exactly one group."""

    TRAINING = "training"
    AUXILIARY = "auxiliary"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Cohort:
    """Samples (slices or patches) and the patients that own them.

    Attributes:
        name: what the report calls it.
        modalities: one name per image channel, in channel order.
        images: (n, m, *space) float32 in [0, 1]; space is (h, w) or (d, h, w).
        labels: (n, *space) uint8, the dataset's own label values.
        regions: region name to the label values it is the union of, such as
            ``{"WT": (1, 2, 3), "TC": (2, 3), "ET": (2,)}``.
        patients: (n,) pseudonyms, one per sample; never the names found on disk.
        positions: (n,) index of the slice or patch within its patient.
        scaling: the rule that brought the voxels to [0, 1], as a sentence.
        shareable: whether pictures of these patients may appear in a report.
        warnings: what was odd about the data without being an error.
        study: (n,) scan session of each sample, numbered from 0 in order of date within its
            patient; None where the data does not say.
        site: (n,) where each sample was scanned; None where the data does not say.
    """

    name: str
    modalities: tuple[str, ...]
    images: FloatArray
    labels: ByteArray
    regions: Mapping[str, tuple[int, ...]]
    patients: npt.NDArray[np.str_]
    positions: npt.NDArray[np.int64]
    scaling: str
    shareable: bool = False
    warnings: tuple[str, ...] = field(default=())
    study: npt.NDArray[np.int64] | None = None
    site: npt.NDArray[np.str_] | None = None

    @property
    def space(self) -> tuple[int, ...]:
        """Height and width, or depth, height and width, in voxels."""
        return self.images.shape[2:]

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """The distinct pseudonyms, sorted."""
        return tuple(sorted(set(self.patients.tolist())))

    def masks(self) -> ByteArray:
        """One binary channel per region: (n, r, *space) uint8."""
        masks = np.empty((len(self.labels), len(self.regions), *self.space), dtype=np.uint8)
        for channel, values in enumerate(self.regions.values()):
            chosen = np.isin(np.arange(256), values).astype(np.uint8)
            np.take(chosen, self.labels, out=masks[:, channel])
        return masks

    def fingerprint(self) -> str:
        """SHA-256 over voxels, labels, owners, studies, sites and modalities.

        The same data, the same digest; what a cohort does not say adds nothing to it.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.modalities, dict(self.regions), self.images.shape)).encode())
        for array in (self.images, self.labels, self.positions):
            for sample in array:
                digest.update(np.ascontiguousarray(sample).reshape(-1).data)
        digest.update("\0".join(self.patients.tolist()).encode())
        if self.study is not None:
            digest.update(b"study" + np.ascontiguousarray(self.study, dtype=np.int64).tobytes())
        if self.site is not None:
            digest.update(("site" + "\0".join(self.site.tolist())).encode())
        return digest.hexdigest()


class CohortSource(Plugin):
    """Where patients come from. One class per layout on disk, or generator.

    Subclasses add their settings as fields and read in :meth:`load`.
    """

    private: ClassVar[frozenset[str]] = frozenset()
    """Settings that may name patients or places, and stay out of records and reports."""

    shareable: bool = Field(
        default=False, description="may pictures of these patients appear in a report"
    )

    @abstractmethod
    def load(self) -> Cohort:
        """Read or generate the cohort, checked.

        Raises:
            DataError: voxels, labels or geometry break a rule.
        """

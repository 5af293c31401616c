"""Generated multi-modal brain MR with gliomas: the cohort that everybody may look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from leakaudit.cohorts._phantom_anatomy import Person, Tissue
from leakaudit.cohorts._phantom_contrast import MODALITIES, Scanner
from leakaudit.cohorts._phantom_fields import Lattice
from leakaudit.cohorts._sampling import PatchSide, patch_boxes
from leakaudit.cohorts.cohort import ByteArray, Cohort, CohortSource, FloatArray
from leakaudit.cohorts.conventions import GLIOMA_REGIONS

# The field of view holds the largest head; the slab is the part of it that is modelled
# (cerebrum above the skull base; no cerebellum, no face).
_FIELD_OF_VIEW_MM = 224.0
_LOWEST_MM, _HIGHEST_MM = -14.0, 62.0


@dataclass(frozen=True)
class _Samples:
    """Of one scan: images (n, m, *space), labels (n, *space) and positions (n,)."""

    images: FloatArray
    labels: ByteArray
    positions: npt.NDArray[np.int64]


class Phantom(CohortSource):
    """Generated brain MR of patients with a glioma: T1, T1Gd, T2 and FLAIR, 2-D or 3-D.

    Each patient has an own head: folds, ventricles, asymmetry, pose, tumour, coil shading and
    noise. A 2-D cohort holds axial planes through the anatomy that the 3-D cohort holds whole.
    Patient k depends on the seed and on k alone, so a cohort of 100 begins with that of 50. Later
    studies of a patient show the same head in another pose, with a grown lesion, measured with
    other scanner constants.

    Differs from real data: the cerebrum only (no cerebellum, face or vessels but the sagittal
    sinus), one lesion per patient, modalities perfectly registered.
    """

    shareable: bool = Field(
        default=True, description="may pictures of these patients appear in a report"
    )
    patients: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=60, description="how many patients"
    )
    slices_per_patient: Annotated[int, Field(ge=1, le=64)] = Field(
        default=6, description="axial planes per patient, across the lesion; 2-D only"
    )
    size: Annotated[int, Field(ge=16, le=512)] = Field(
        default=64, description="height and width in pixels, over 224 mm"
    )
    dimensions: Literal[2, 3] = Field(default=2, description="planes, or one volume per patient")
    depth: Annotated[int, Field(ge=4, le=256)] = Field(
        default=32, description="planes of a volume, over 76 mm; 3-D only"
    )
    patch_size: tuple[PatchSide, PatchSide, PatchSide] | None = Field(
        default=None,
        description="depth, height, width in voxels of boxes cut from a volume; unset: whole "
        "volumes; 3-D only",
    )
    patches_per_patient: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="half of them (rounded up) on the lesion; with patch_size"
    )
    modalities: tuple[str, ...] = Field(
        default=MODALITIES, description="which of T1, T1Gd, T2, FLAIR, in channel order"
    )
    studies_per_patient: Annotated[int, Field(ge=1, le=8)] = Field(
        default=1,
        description="scans of each patient at different times: other pose and scanner, grown "
        "lesion; the first is the same however many follow",
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="which population is drawn")

    @field_validator("modalities")
    @classmethod
    def _known(cls, modalities: tuple[str, ...]) -> tuple[str, ...]:
        if not modalities or len(set(modalities)) < len(modalities):
            raise ValueError("name each modality once, at least one")
        if strange := [name for name in modalities if name not in MODALITIES]:
            raise ValueError(f"{strange[0]} is not one of {', '.join(MODALITIES)}")
        return modalities

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        if self.patch_size is None:
            return self
        volume = (self.depth, self.size, self.size)
        if self.dimensions == 2:
            raise ValueError("patch_size cuts volumes: dimensions = 3")
        if any(side > whole for side, whole in zip(self.patch_size, volume, strict=True)):
            raise ValueError(f"patch_size {self.patch_size} does not fit into {volume}")
        return self

    def load(self) -> Cohort:
        """Generate the cohort; about 40 ms per patient of 6 x 64 x 64 on one core."""
        parts = [
            self._study(*divmod(number, self.studies_per_patient))
            for number in range(self.patients * self.studies_per_patient)
        ]
        counts = [len(part.positions) for part in parts]
        width = max(3, len(str(self.patients)))
        names = [f"P{patient + 1:0{width}d}" for patient in range(self.patients)]
        numbers = np.arange(len(parts))
        return Cohort(
            name="phantom",
            modalities=self.modalities,
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            regions=dict(GLIOMA_REGIONS),
            patients=np.repeat(np.array(names)[numbers // self.studies_per_patient], counts),
            positions=np.concatenate([part.positions for part in parts]),
            scaling="relative signal times the patient's receiver gain, clipped to [0, 1]",
            shareable=self.shareable,
            study=np.repeat(numbers % self.studies_per_patient, counts)
            if self.studies_per_patient > 1
            else None,
        )

    def _study(self, patient: int, study: int) -> _Samples:
        """One scan."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(patient,)))
        person, pose = Person.draw(rng), None
        for later in range(study):
            rng = np.random.default_rng(
                np.random.SeedSequence(self.seed, spawn_key=(patient, later + 1))
            )
            person, pose = person.later(rng)
        scanner = Scanner.draw(rng, enhancing=person.lesion.rim_mm > 0)
        step = _FIELD_OF_VIEW_MM / self.size
        axis = (np.arange(self.size) - (self.size - 1) / 2) * step
        middle = person.lesion.centre
        height = float(middle[2]) if pose is None else pose.height_of(middle)
        heights = (
            self._volume_heights() if self.dimensions == 3 else self._slice_heights(person, height)
        )
        # Rows run from the forehead back, columns from the patient's right to left.
        lattice = Lattice(z=heights, y=(-axis).astype(np.float32), x=(-axis).astype(np.float32))
        anatomy = person.anatomy(replace(lattice, pose=pose))
        signal = scanner.image(anatomy, lattice, self.modalities).astype(np.float32)
        labels = anatomy.labels.astype(np.uint8)
        if self.dimensions == 2:
            return _Samples(signal.swapaxes(0, 1), labels, np.round(heights).astype(np.int64))
        if self.patch_size is None:
            return _Samples(signal[None], labels[None], np.zeros(1, dtype=np.int64))
        head = anatomy.fractions[Tissue.AIR] < 0.5
        boxes = patch_boxes(labels > 0, head, self.patch_size, self.patches_per_patient)
        return _Samples(
            np.stack([signal[:, *box] for box in boxes]),
            np.stack([labels[box] for box in boxes]),
            np.arange(len(boxes)),
        )

    def _volume_heights(self) -> FloatArray:
        step = (_HIGHEST_MM - _LOWEST_MM) / self.depth
        return (_LOWEST_MM + step * (np.arange(self.depth) + 0.5)).astype(np.float32)

    def _slice_heights(self, person: Person, middle: float) -> FloatArray:
        """Whole millimetres, evenly spread from just below the lesion to just above."""
        half = max(1.15 * person.lesion.half_height_mm, 0.75 * self.slices_per_patient)
        low, high = max(middle - half, _LOWEST_MM), min(middle + half, _HIGHEST_MM)
        steps = np.arange(self.slices_per_patient) + 0.5
        heights: FloatArray = np.round(low + (high - low) * steps / self.slices_per_patient).astype(
            np.float32
        )
        return heights

"""Generated multi-modal brain MR with gliomas: the cohort that everybody may look at."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from leakaudit.cohorts._phantom_anatomy import Person
from leakaudit.cohorts._phantom_contrast import MODALITIES, Scanner
from leakaudit.cohorts._phantom_fields import Lattice
from leakaudit.cohorts.cohort import ByteArray, Cohort, CohortSource, FloatArray
from leakaudit.cohorts.conventions import GLIOMA_REGIONS

# The field of view holds the largest head; the slab is the part of it that is modelled
# (cerebrum above the skull base; no cerebellum, no face).
_FIELD_OF_VIEW_MM = 224.0
_LOWEST_MM, _HIGHEST_MM = -14.0, 62.0


class Phantom(CohortSource):
    """Generated brain MR of patients with a glioma: T1, T1Gd, T2 and FLAIR, 2-D or 3-D.

    Each patient has an own head: folds, ventricles, asymmetry, pose, tumour, coil shading and
    noise. A 2-D cohort holds axial planes through the anatomy that the 3-D cohort holds whole.
    Patient k depends on the seed and on k alone, so a cohort of 100 begins with that of 50.

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
    modalities: tuple[str, ...] = Field(
        default=MODALITIES, description="which of T1, T1Gd, T2, FLAIR, in channel order"
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

    def load(self) -> Cohort:
        """Generate the cohort; about 40 ms per patient of 6 x 64 x 64 on one core."""
        per_patient = self.slices_per_patient if self.dimensions == 2 else 1
        shape: tuple[int, ...] = (self.size, self.size)
        if self.dimensions == 3:
            shape = (self.depth, *shape)
        count = self.patients * per_patient
        images = np.empty((count, len(self.modalities), *shape), dtype=np.float32)
        labels = np.empty((count, *shape), dtype=np.uint8)
        positions = np.empty(count, dtype=np.int64)
        for patient in range(self.patients):
            rows = slice(patient * per_patient, (patient + 1) * per_patient)
            heights, signal, truth = self._patient(patient)
            if self.dimensions == 2:
                images[rows], labels[rows] = signal.swapaxes(0, 1), truth
                positions[rows] = np.round(heights).astype(np.int64)
            else:
                images[rows], labels[rows], positions[rows] = signal, truth, 0
        width = max(3, len(str(self.patients)))
        names = [f"P{patient + 1:0{width}d}" for patient in range(self.patients)]
        return Cohort(
            name="phantom",
            modalities=self.modalities,
            images=images,
            labels=labels,
            regions=dict(GLIOMA_REGIONS),
            patients=np.repeat(np.array(names), per_patient),
            positions=positions,
            scaling="relative signal times the patient's receiver gain, clipped to [0, 1]",
            shareable=self.shareable,
        )

    def _patient(self, patient: int) -> tuple[FloatArray, FloatArray, ByteArray]:
        """Heights (d,) in mm, images (m, d, h, w) and labels (d, h, w) of one patient."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(patient,)))
        person = Person.draw(rng)
        scanner = Scanner.draw(rng, enhancing=person.lesion.rim_mm > 0)
        step = _FIELD_OF_VIEW_MM / self.size
        axis = (np.arange(self.size) - (self.size - 1) / 2) * step
        heights = self._volume_heights() if self.dimensions == 3 else self._slice_heights(person)
        # Rows run from the forehead back, columns from the patient's right to left.
        lattice = Lattice(z=heights, y=(-axis).astype(np.float32), x=(-axis).astype(np.float32))
        anatomy = person.anatomy(lattice)
        return heights, scanner.image(anatomy, lattice, self.modalities), anatomy.labels

    def _volume_heights(self) -> FloatArray:
        step = (_HIGHEST_MM - _LOWEST_MM) / self.depth
        return (_LOWEST_MM + step * (np.arange(self.depth) + 0.5)).astype(np.float32)

    def _slice_heights(self, person: Person) -> FloatArray:
        """Whole millimetres, evenly spread from just below the lesion to just above."""
        half = max(1.15 * person.lesion.half_height_mm, 0.75 * self.slices_per_patient)
        middle = float(person.lesion.centre[2])
        low, high = max(middle - half, _LOWEST_MM), min(middle + half, _HIGHEST_MM)
        steps = np.arange(self.slices_per_patient) + 0.5
        heights: FloatArray = np.round(low + (high - low) * steps / self.slices_per_patient).astype(
            np.float32
        )
        return heights

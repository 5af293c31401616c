"""One patient's brain as tissue fractions on a lattice: hull, folds, ventricles, nuclei, lesion.

All lengths are millimetres, sizes after adult averages; signed depths are positive inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numpy as np

from leakaudit.cohorts._phantom_fields import Lattice, Pose, RandomWaves, spline_field
from leakaudit.cohorts._phantom_lesion import Lesion
from leakaudit.cohorts._phantom_solids import ellipsoid, rotation, tube
from leakaudit.cohorts.cohort import ByteArray, FloatArray

# Semi-axes of the cerebral hull: half of 138 x 172 x 126 mm.
_HULL = np.array([69.0, 86.0, 63.0], dtype=np.float32)


class Tissue(IntEnum):
    """Rows of the fraction array, in the order in which they are painted."""

    AIR = 0
    SCALP = 1
    BONE = 2
    MARROW = 3
    CSF = 4
    GREY = 5
    WHITE = 6
    DEEP_GREY = 7
    VESSEL = 8
    OEDEMA = 9
    ENHANCING = 10
    CORE = 11


@dataclass(frozen=True)
class Anatomy:
    """What is where on a lattice.

    Attributes:
        fractions: (12, d, h, w) share of each :class:`Tissue` in the voxel; they sum to 1.
        labels: (d, h, w) uint8: 0 none, 1 oedema, 2 enhancing, 3 necrotic or non-enhancing.
        ventricle_distance: (d, h, w) mm outside the ventricles.
    """

    fractions: FloatArray
    labels: ByteArray
    ventricle_distance: FloatArray


@dataclass(frozen=True)
class Person:
    """The proportions of one head, drawn once.

    Attributes:
        seed: of the random fields that belong to this head.
        hull: (3,) semi-axes of the cerebrum.
        rotation: (3, 3) how the head lies in the scanner.
        shift: (3,) mm.
        warp_mm: standard deviation of the smooth displacement.
        atrophy: 0 (young) to 1: widens ventricles and sulci.
        ventricle_side: (2,) size of the right and the left ventricle.
        fold_wavelength: mm; two sulci per wavelength.
        cortex_mm: thickness of the grey ribbon.
        skull_mm: thickness of bone.
        scalp_mm: thickness of skin and fat.
        lesion: the tumour.
    """

    seed: int
    hull: FloatArray
    rotation: FloatArray
    shift: FloatArray
    warp_mm: float
    atrophy: float
    ventricle_side: FloatArray
    fold_wavelength: float
    cortex_mm: float
    skull_mm: float
    scalp_mm: float
    lesion: Lesion

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Person:
        """A head from the population."""
        hull = (_HULL * rng.uniform(0.95, 1.05) * rng.uniform(0.96, 1.04, 3)).astype(np.float32)
        atrophy = float(rng.beta(2, 3))
        return cls(
            seed=int(rng.integers(2**62)),
            hull=hull,
            rotation=rotation(rng.normal(0, np.radians([3.0, 3.0, 4.0]))),
            shift=rng.normal(0, [2.0, 2.5, 2.0]).astype(np.float32),
            warp_mm=float(rng.uniform(1.5, 3.0)),
            atrophy=atrophy,
            ventricle_side=((0.6 + 0.75 * atrophy) * rng.uniform(0.85, 1.15, 2)).astype(np.float32),
            fold_wavelength=float(rng.uniform(21.0, 26.0)),
            cortex_mm=float(rng.uniform(2.8, 3.6)),
            skull_mm=float(rng.uniform(5.5, 8.0)),
            scalp_mm=float(rng.uniform(4.0, 7.0)),
            lesion=Lesion.draw(rng, hull),
        )

    def later(self, rng: np.random.Generator) -> tuple[Person, Pose]:
        """The same head at the next study: the lesion has grown, and it lies otherwise."""
        pose = Pose(
            rotation=rotation(rng.normal(0, np.radians([3.0, 3.0, 4.0]))),
            shift=rng.normal(0, [2.0, 2.5, 2.0]).astype(np.float32),
        )
        return replace(self, lesion=self.lesion.grown(rng)), pose

    def anatomy(self, lattice: Lattice) -> Anatomy:
        """Sample this head.

        Args:
            lattice: where; partial volume is modelled over one in-plane pixel.
        """
        rng = np.random.default_rng(self.seed)
        pixel = max(lattice.pixel_mm, 1.0)
        warp = [spline_field(rng, lattice, 45.0) * self.warp_mm for _ in range(3)]
        raw = lattice.points()
        offset = [raw[axis] - self.shift[axis] + warp[axis] for axis in range(3)]
        lesion_shape = self.lesion.distances(raw, rng, lattice)
        # Mass effect: tissue around the core is pushed away from its centre.
        push = self.lesion.displacement(raw)
        offset = [offset[axis] - push[axis] for axis in range(3)]
        x, y, z = (
            sum(self.rotation[row, axis] * offset[axis] for axis in range(3)) for row in range(3)
        )

        depth, surface = self._hull_depth(x, y, z)
        ventricles = self._ventricles(x, y, z)
        inner = np.minimum(depth, self._sulci(x, y, z, depth, surface, rng, lattice))
        nuclei = self._nuclei(x, y, z)

        def inside(distance: FloatArray) -> FloatArray:
            share: FloatArray = np.clip(distance / np.float32(pixel) + np.float32(0.5), 0, 1)
            return share

        fractions = np.zeros((len(Tissue), *lattice.shape), dtype=np.float32)
        fractions[Tissue.AIR] = 1

        def paint(tissue: Tissue, share: FloatArray) -> None:
            fractions[: tissue + 1] *= 1 - share
            fractions[tissue] += share

        subarachnoid = 1.5 + 2.0 * self.atrophy
        skull = subarachnoid + self.skull_mm
        marrow = spline_field(rng, lattice, 18.0) * 0.5 + self.skull_mm / 2 - 1.9
        paint(Tissue.SCALP, inside(depth + skull + self.scalp_mm))
        paint(Tissue.BONE, inside(depth + skull))
        paint(
            Tissue.MARROW, inside(marrow - np.abs(depth + subarachnoid + self.skull_mm / 2)) * 0.8
        )
        # From here on a tissue replaces whatever is below it.
        paint(Tissue.CSF, inside(depth + subarachnoid))
        paint(Tissue.GREY, inside(inner))
        paint(Tissue.WHITE, inside(np.minimum(inner - self.cortex_mm, depth - self.cortex_mm)))
        paint(Tissue.DEEP_GREY, inside(nuclei) * 0.95)
        in_ventricle = inside(ventricles)
        fractions *= 1 - in_ventricle
        fractions[Tissue.CSF] += in_ventricle
        paint(Tissue.VESSEL, inside(self._sinus(x, y, z, depth)) * 0.9)
        paint(Tissue.VESSEL, inside(self._choroid(x, y, z)) * in_ventricle * 0.7)

        labels = np.zeros(lattice.shape, dtype=np.uint8)
        parenchyma = np.clip(
            fractions[Tissue.GREY] + fractions[Tissue.WHITE] + fractions[Tissue.DEEP_GREY], 0, 1
        )
        layers = self.lesion.layers(lesion_shape, inner, depth, ventricles)
        bounded = inside(np.minimum(depth - 0.5, -ventricles))
        for tissue, label, distance in (
            (Tissue.OEDEMA, 1, layers.oedema),
            (Tissue.ENHANCING, 2, layers.enhancing),
            (Tissue.CORE, 3, layers.core),
        ):
            share = inside(distance) * (parenchyma if label == 1 else bounded)
            paint(tissue, share)
            labels[share > 0.5] = label
        return Anatomy(fractions, labels, -ventricles)

    def _hull_depth(
        self, x: FloatArray, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
        """Depth below the cerebral hull, and each point's projection onto it."""
        # Narrower towards the forehead, flatter below.
        taper = 1 - 0.10 * np.clip(y / self.hull[1], -1, 1)
        below = np.where(z < 0, 1.35, 1.0).astype(np.float32)
        radius = (
            (np.abs(x) / (self.hull[0] * taper)) ** 2.3
            + (np.abs(y) / self.hull[1]) ** 2.3
            + (np.abs(z) / (self.hull[2] * below)) ** 2.3
        ) ** (1 / 2.3)
        radius = np.maximum(radius, 1e-3).astype(np.float32)
        reach = np.sqrt(x * x + y * y + z * z)
        return (1 / radius - 1) * reach, (x / radius, y / radius, z / radius)

    def _sulci(
        self,
        x: FloatArray,
        y: FloatArray,
        z: FloatArray,
        depth: FloatArray,
        surface: tuple[FloatArray, FloatArray, FloatArray],
        rng: np.random.Generator,
        lattice: Lattice,
    ) -> FloatArray:
        """Distance to the nearest sulcus or fissure; negative in its fluid."""
        waves = RandomWaves.draw(rng, self.fold_wavelength)
        # Folds run into the depth: the pattern is that of the surface, slightly sheared.
        bend = [spline_field(rng, lattice, 16.0) * 3.2 for _ in range(2)]
        folded = [s + 0.6 * (p - s) for s, p in zip(surface, (x, y, z), strict=True)]
        sheet = waves.distance_to_zero(folded[0] + bend[0], folded[1] + bend[1], folded[2])
        width = 0.35 + 0.9 * self.atrophy + 0.35 * spline_field(rng, lattice, 25.0)
        deepest = 20.0 + 5.0 * spline_field(rng, lattice, 20.0)
        sulci = np.maximum(sheet - np.maximum(width, 0.1), depth - deepest)

        # Between the hemispheres, except where callosum, thalami and third ventricle join them.
        joined = 1 - np.sqrt((x / 40) ** 2 + ((y - 1) / 46) ** 2 + ((z - 2) / 27) ** 2)
        midline = np.abs(x + 0.5 * bend[0]) - (0.7 + 0.8 * self.atrophy)
        fissure = np.maximum(midline, joined * 30)

        # The lateral (Sylvian) fissure over the insula, one per side.
        side = np.abs(x)
        sheet_x = self.hull[0] * 0.60 - 0.006 * (y - 6) ** 2 + 0.25 * z
        insula = np.sqrt(((y - 6) / 25) ** 2 + ((z + 2) / 17) ** 2)
        lateral = np.maximum(
            np.abs(side - sheet_x + 0.6 * bend[1]) - (0.9 + 1.0 * self.atrophy), (insula - 1) * 18
        )
        stem = np.maximum(
            np.maximum(
                np.abs(y - 14 + 0.25 * (side - sheet_x) + 0.6 * bend[0]) - 0.9, sheet_x - side
            ),
            np.abs(z + 2) - 16,
        )
        nearest: FloatArray = np.minimum(np.minimum(sulci, fissure), np.minimum(lateral, stem))
        return nearest

    def _ventricles(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Depth inside the lateral and third ventricles; negative outside."""
        depth = np.full(x.shape, -100.0, dtype=np.float32)
        for sign, size in zip((1.0, -1.0), self.ventricle_side, strict=True):
            side = sign * x
            # Front horn, body, atrium, back horn: (x, y, z, radius) along a tube.
            path = (
                (13.0, 34.0, 6.0, 3.6),
                (8.5, 20.0, 13.0, 5.6),
                (9.0, -4.0, 20.0, 5.0),
                (20.0, -30.0, 13.0, 7.2),
                (23.0, -48.0, 6.0, 3.2),
            )
            for start, end in pairwise(path):
                depth = np.maximum(depth, tube(side, y, z, start, end, float(size)))
            below = ((20.0, -30.0, 13.0, 6.0), (31.0, -14.0, -10.0, 3.0))
            depth = np.maximum(depth, tube(side, y, z, below[0], below[1], float(size)))
        width = 1.2 + 3.2 * self.atrophy
        third = 1 - np.sqrt((x / width) ** 2 + ((y + 2) / 15) ** 2 + (z / 12) ** 2)
        return np.asarray(np.maximum(depth, third * width), dtype=np.float32)

    def _nuclei(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Depth inside caudate, lentiform nucleus and thalamus; negative outside."""
        side = np.abs(x)
        caudate = ellipsoid(side, y, z, (15.5, 22.0, 8.0), (4.6, 10.0, 11.0), slant=0.25)
        lentiform = ellipsoid(side, y, z, (26.0, 6.0, 0.0), (6.5, 17.0, 11.0), slant=-0.22)
        thalamus = ellipsoid(side, y, z, (11.0, -11.0, 5.0), (8.0, 14.0, 10.0), slant=-0.30)
        deepest: FloatArray = np.maximum(np.maximum(caudate, lentiform), thalamus)
        return deepest

    def _sinus(self, x: FloatArray, y: FloatArray, z: FloatArray, depth: FloatArray) -> FloatArray:
        """Depth inside the superior sagittal sinus: midline, against the skull."""
        gap = np.sqrt(x * x + (depth + 1.0) ** 2) - np.clip((z + np.abs(y)) / 10 - 1, -8, 0)
        return np.asarray(3.2 - gap, dtype=np.float32)

    def _choroid(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Depth inside the choroid plexus of the atria."""
        return ellipsoid(np.abs(x), y, z, (18.5, -26.0, 13.0), (2.6, 7.0, 5.0), slant=-0.5)

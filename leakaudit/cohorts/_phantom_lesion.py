"""A glioma: irregular core with an enhancing rim, oedema that follows the white matter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leakaudit.cohorts._phantom_fields import Lattice, spline_field
from leakaudit.cohorts.cohort import FloatArray


@dataclass(frozen=True)
class Shape:
    """The lesion before anatomy limits it; (d, h, w) each.

    Attributes:
        core: depth inside the tumour core, mm.
        oedema: depth inside the oedema, mm.
        rim: local thickness of the enhancing rim, mm.
    """

    core: FloatArray
    oedema: FloatArray
    rim: FloatArray


@dataclass(frozen=True)
class Layers:
    """Depths in mm, painted in this order: each covers the one before.

    Attributes:
        oedema: inside the whole lesion.
        enhancing: inside the enhancing tumour.
        core: inside necrosis or non-enhancing tumour.
    """

    oedema: FloatArray
    enhancing: FloatArray
    core: FloatArray


@dataclass(frozen=True)
class Lesion:
    """The proportions of one tumour.

    Attributes:
        centre: (3,) mm.
        core_mm: mean radius of the tumour core.
        stretch: (3,) of the core along x, y, z.
        oedema_mm: how far oedema reaches beyond the core.
        roughness: standard deviation of the outline, as a share of the radius.
        rim_mm: mean thickness of the enhancing rim; 0 for a tumour that does not enhance.
        mass_effect: share of the core's radius by which its border is displaced.
    """

    centre: FloatArray
    core_mm: float
    stretch: FloatArray
    oedema_mm: float
    roughness: float
    rim_mm: float
    mass_effect: float

    @classmethod
    def draw(cls, rng: np.random.Generator, hull: FloatArray) -> Lesion:
        """A tumour somewhere in the white matter; about one in six does not enhance."""
        core = float(np.clip(rng.lognormal(np.log(14.0), 0.35), 6.0, 25.0))
        side = -1.0 if rng.random() < 0.5 else 1.0
        angle = rng.uniform(-0.42 * np.pi, 0.42 * np.pi)
        reach = rng.uniform(0.45, 0.68)
        centre = np.array(
            [
                side * hull[0] * reach * np.cos(angle),
                hull[1] * reach * np.sin(angle),
                rng.uniform(0.0, 26.0),
            ],
            dtype=np.float32,
        )
        enhancing = rng.random() > 1 / 6
        rim = float(rng.uniform(2.5, 5.0)) * (0.6 + 0.4 * core / 14.0)
        return cls(
            centre=centre,
            core_mm=core,
            stretch=rng.uniform(0.75, 1.3, 3).astype(np.float32),
            oedema_mm=float(np.clip(rng.lognormal(np.log(10.0), 0.6), 2.0, 28.0)),
            roughness=float(rng.uniform(0.10, 0.24)),
            rim_mm=min(rim, 0.7 * core) if enhancing else 0.0,
            mass_effect=float(rng.uniform(0.1, 0.45)),
        )

    def grown(self, rng: np.random.Generator) -> Lesion:
        """The same tumour months later: core and oedema by 5 to 35 percent wider."""
        core, oedema = rng.uniform(1.05, 1.35, 2)
        return replace(
            self, core_mm=self.core_mm * float(core), oedema_mm=self.oedema_mm * float(oedema)
        )

    @property
    def half_height_mm(self) -> float:
        """Half of the lesion's extent from top to bottom, oedema included."""
        return self.core_mm * float(self.stretch[2]) + 0.6 * self.oedema_mm

    def displacement(
        self, points: tuple[FloatArray, FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """How far tissue at each point was pushed away from the centre, per axis, mm."""
        away = [axis - centre for axis, centre in zip(points, self.centre, strict=True)]
        squared = away[0] ** 2 + away[1] ** 2 + away[2] ** 2
        fall = np.exp(-squared / (2 * (1.8 * self.core_mm) ** 2)) * np.float32(self.mass_effect)
        return fall * away[0], fall * away[1], fall * away[2]

    def distances(
        self,
        points: tuple[FloatArray, FloatArray, FloatArray],
        rng: np.random.Generator,
        lattice: Lattice,
    ) -> Shape:
        """The outline on a lattice, as if nothing were in its way."""
        away = [
            (axis - centre) / stretch
            for axis, centre, stretch in zip(points, self.centre, self.stretch, strict=True)
        ]
        reach = np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2)
        lobes = spline_field(rng, lattice, 14.0) + 0.5 * spline_field(rng, lattice, 6.0)
        core = self.core_mm * (1 + self.roughness * lobes) - reach
        fingers = 0.35 * spline_field(rng, lattice, 20.0) + 0.25 * spline_field(rng, lattice, 9.0)
        oedema = core + self.oedema_mm * np.clip(1 + fingers * 1.6, 0.05, 2.2)
        rim: FloatArray = np.float32(self.rim_mm) * np.clip(
            1 + 0.45 * spline_field(rng, lattice, 10.0) + 0.2 * spline_field(rng, lattice, 5.0),
            0.0,
            2.5,
        )
        return Shape(core, oedema, rim)

    def layers(
        self, shape: Shape, inner: FloatArray, depth: FloatArray, ventricles: FloatArray
    ) -> Layers:
        """Stop the lesion at the skull and the ventricles, and oedema at the cortex.

        Args:
            shape: from :meth:`distances`.
            inner: mm below the nearest sulcus or hull.
            depth: mm below the hull.
            ventricles: mm inside a ventricle, negative outside.
        """
        bounds = np.minimum(depth - 0.5, -ventricles)
        core = np.minimum(shape.core, bounds)
        oedema = np.maximum(np.minimum(np.minimum(shape.oedema, inner - 1.5), bounds), core)
        if self.rim_mm == 0:
            return Layers(oedema=oedema, enhancing=np.full_like(core, -np.inf), core=core)
        return Layers(oedema=oedema, enhancing=core, core=core - shape.rim)

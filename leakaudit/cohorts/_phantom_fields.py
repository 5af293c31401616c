"""Smooth random functions of space, evaluated on any lattice of points.

Anatomy is drawn as functions, not as arrays: a single slice and a whole volume are then two
samplings of one patient, and agree wherever they meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import FloatArray

# Cubic B-splines of white noise have variance 0.4793 per axis, averaged over a cell.
_SPLINE_GAIN = np.float32(0.4793**-1.5)


@dataclass(frozen=True)
class Pose:
    """How a head lies in a later study, relative to the first.

    Attributes:
        rotation: (3, 3).
        shift: (3,) mm.
    """

    rotation: FloatArray
    shift: FloatArray

    def into_head(
        self, x: FloatArray, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where points of the scanner lay in the first study."""
        moved = [axis - shift for axis, shift in zip((x, y, z), self.shift, strict=True)]
        first, second, third = (
            sum(self.rotation[row, axis] * moved[axis] for axis in range(3)) for row in range(3)
        )
        return first, second, third

    def height_of(self, point: FloatArray) -> float:
        """In which plane of the scanner a point of the first study lies now, mm."""
        return float((self.rotation.T @ point + self.shift)[2])


@dataclass(frozen=True)
class Lattice:
    """Points of a rectangular grid in millimetres, x to the right, y anterior, z superior.

    Attributes:
        z: (d,) heights.
        y: (h,) from anterior to posterior, so that row 0 is the forehead.
        x: (w,) from the patient's right to left, as radiologists look at it.
        pose: where the head is read instead of at the grid's own points; None: there.
    """

    z: FloatArray
    y: FloatArray
    x: FloatArray
    pose: Pose | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(d, h, w)."""
        return len(self.z), len(self.y), len(self.x)

    @property
    def pixel_mm(self) -> float:
        """In-plane distance between neighbouring points, in mm."""
        return float(abs(self.y[1] - self.y[0]))

    def points(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(x, y, z), each broadcast to (d, h, w)."""
        z, y, x = np.meshgrid(self.z, self.y, self.x, indexing="ij", copy=False)
        return (x, y, z) if self.pose is None else self.pose.into_head(x, y, z)


def spline_field(
    rng: np.random.Generator, lattice: Lattice, scale_mm: float, extent_mm: float = 150.0
) -> FloatArray:
    """A Gaussian random field with unit variance that varies over about `scale_mm`.

    Cubic B-splines with white-noise coefficients on a grid that spans the whole head: how many
    numbers are drawn does not depend on the lattice.

    Args:
        rng: source of the coefficients.
        lattice: where to evaluate.
        scale_mm: distance between knots.
        extent_mm: half the side of the cube that must contain the lattice.

    Returns:
        (d, h, w) float32.
    """
    knots = int(np.ceil(2 * extent_mm / scale_mm)) + 4
    field: FloatArray = rng.standard_normal((knots, knots, knots), dtype=np.float32)
    if lattice.pose is not None:
        from scipy import ndimage

        x, y, z = lattice.points()
        at_knots = [(axis + extent_mm) / scale_mm + 1 for axis in (z, y, x)]
        turned = ndimage.map_coordinates(field, at_knots, order=3, prefilter=False, mode="constant")
        return np.ascontiguousarray(turned * _SPLINE_GAIN, dtype=np.float32)
    for axis, at in enumerate((lattice.z, lattice.y, lattice.x)):
        basis = _spline_basis((at + extent_mm) / scale_mm, knots)
        field = np.moveaxis(np.tensordot(basis, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field * _SPLINE_GAIN)


def _spline_basis(at: npt.NDArray[np.floating], knots: int) -> FloatArray:
    """Values of the cubic B-splines centred on knots 1, 2, ... at positions in knot units."""
    distance = np.abs(at[:, None] + 1 - np.arange(knots)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far), dtype=np.float32)


@dataclass(frozen=True)
class RandomWaves:
    """A sum of plane waves of similar length and random direction.

    Its zero level is a labyrinth of evenly spaced sheets: what cortical folding looks like.

    Attributes:
        vectors: (k, 3) wave vectors in radians per mm, for x, y, z.
        phases: (k,) radians.
    """

    vectors: FloatArray
    phases: FloatArray

    @classmethod
    def draw(cls, rng: np.random.Generator, wavelength_mm: float, count: int = 32) -> RandomWaves:
        """Directions uniform on the sphere, lengths within a fifth of `wavelength_mm`."""
        directions = rng.standard_normal((count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength_mm * rng.uniform(0.8, 1.2, count)
        return cls(
            vectors=(directions * (2 * np.pi / lengths)[:, None]).astype(np.float32),
            phases=rng.uniform(0, 2 * np.pi, count).astype(np.float32),
        )

    def distance_to_zero(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Distance to the nearest zero level, to first order, in mm."""
        points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
        angle = points @ self.vectors.T + self.phases
        value = np.cos(angle).sum(axis=1)
        slope = np.linalg.norm(np.sin(angle) @ self.vectors, axis=1)
        floor = 0.15 * np.sqrt(len(self.phases)) * np.linalg.norm(self.vectors[0])
        distance = np.abs(value) / (slope + np.float32(floor))
        return np.asarray(distance.reshape(x.shape), dtype=np.float32)

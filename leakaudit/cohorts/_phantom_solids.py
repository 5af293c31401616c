"""Shapes that anatomy is put together from: depths in mm, positive inside."""

from __future__ import annotations

import numpy as np

from leakaudit.cohorts.cohort import FloatArray


def rotation(angles: np.ndarray) -> FloatArray:
    """Rotation about x, then y, then z; angles in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def tube(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    start: tuple[float, float, float, float],
    end: tuple[float, float, float, float],
    size: float,
) -> FloatArray:
    """Depth inside a tube whose radius changes linearly from start to end."""
    along = [b - a for a, b in zip(start[:3], end[:3], strict=True)]
    length = sum(step * step for step in along)
    px, py, pz = x - start[0], y - start[1], z - start[2]
    share = np.clip((px * along[0] + py * along[1] + pz * along[2]) / length, 0, 1)
    gap = np.sqrt(
        (px - share * along[0]) ** 2
        + (py - share * along[1]) ** 2
        + (0.6 * (pz - share * along[2])) ** 2
    )
    radius = (start[3] + share * (end[3] - start[3])) * size
    return np.asarray(radius - gap, dtype=np.float32)


def ellipsoid(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    centre: tuple[float, float, float],
    axes: tuple[float, float, float],
    slant: float,
) -> FloatArray:
    """Depth, to first order, inside an ellipsoid sheared by `slant` in the axial plane."""
    px, py, pz = x - centre[0], y - centre[1], z - centre[2]
    px = px - slant * py
    radius = np.sqrt((px / axes[0]) ** 2 + (py / axes[1]) ** 2 + (pz / axes[2]) ** 2)
    return np.asarray((1 - radius) * min(axes), dtype=np.float32)

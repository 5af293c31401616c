"""Structural similarity of whole batches, equal to scikit-image's and several times faster.

Each axis is smoothed in pieces of eight outputs, each a small product with one strip of the banded
Gaussian matrix, all of them in one call over overlapping views. The products are small on purpose:
below about 2**18 multiplications BLAS stays in the calling thread, and ours do not fight with its.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided
from pydantic import Field

from leakaudit.errors import DataError
from leakaudit.metrics.metric import FloatImages, ImageMetric, Masks, Values, masked_means
from leakaudit.statistics.direction import Direction

Doubles = npt.NDArray[np.float64]

_SIGMA = 1.5
_RADIUS = 5  # int(3.5 sigma + 0.5), where scikit-image truncates
WINDOW = 2 * _RADIUS + 1
# C1 = (K1 L)^2 and C2 = (K2 L)^2 with K1 = 0.01, K2 = 0.03 and range L = 1; doubled, as all terms.
_CONSTANTS = np.array([2 * 0.01**2, 2 * 0.03**2])
_PIECE = 8  # outputs per product: more of them multiply more zeros, fewer fill no vector register

# Eight float64 fields of so many voxels fill a core's second-level cache. Several threads take
# more at a time: each call ends in a wait for the interpreter, which must not come too often.
_CHUNK_VOXELS = 2**15
_CHUNK_VOXELS_OF_MANY = 2**16


class StructuralSimilarity(ImageMetric):
    """Structural similarity (SSIM) with a Gaussian window of 1.5 voxels.

    Whole image: the mean over the map without a border of 5 voxels, as scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1)`` on the float64 images. Region: the mean of the full map, borders reflected as
    in scikit-image's ``full=True``, over the region's voxels; its windows reach 5 voxels beyond.
    """

    name: ClassVar[str] = "ssim"
    title: ClassVar[str] = "structural similarity"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Wang et al. 2004, IEEE TIP 13(4), section III; as in scikit-image"
    meaning: ClassVar[str] = (
        "How alike the structures in the rebuilt and the patient's picture look: 1 is a perfect "
        "copy; what an average image already scores is no leak."
    )
    remedy: ClassVar[str] = (
        "Withhold the finest skip connection first; it carries most of the picture."
    )

    threads: int = Field(default=2, ge=1, le=64, description="threads that share a batch")

    def ceiling(self, n: int) -> float | None:  # noqa: ARG002
        """A perfect copy."""
        return 1.0

    def per_channel(
        self, reference: FloatImages, candidate: FloatImages, masks: Masks | None
    ) -> Values:
        """Mean of the similarity map.

        Raises:
            DataError: an axis is shorter than the window of 11 voxels.
        """
        if min(reference.shape[1:]) < WINDOW:
            raise DataError(
                f"SSIM needs at least {WINDOW} voxels along every axis",
                found=reference.shape[1:],
                remedy="use larger slices or patches",
            )
        count = len(reference)
        values = np.empty(count)
        if count == 0:
            return values
        voxels = _CHUNK_VOXELS if self.threads == 1 else _CHUNK_VOXELS_OF_MANY
        chunk = max(1, voxels // reference[0].size)
        workers = min(self.threads, max(1, count // chunk))
        shares = np.linspace(0, count, workers + 1).astype(int)

        def work(share: tuple[int, int]) -> None:
            _fill(values, reference, candidate, masks, range(*share), chunk)

        spans = list(itertools.pairwise(shares.tolist()))
        if len(spans) == 1:
            work(spans[0])
        else:
            with ThreadPoolExecutor(len(spans)) as pool:
                list(pool.map(work, spans))
        return values


@lru_cache(maxsize=64)
def _matrix(length: int) -> Doubles:
    """The Gaussian along an axis as a banded matrix, borders reflected."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    sources = np.pad(np.arange(length), _RADIUS, mode="symmetric")
    matrix = np.zeros((length, length))
    for row in range(length):
        np.add.at(matrix[row], sources[row : row + WINDOW], weights)
    return matrix


class _Smoother:
    """Smooths four fields of up to n samples, in memory that is used again for every chunk.

    Attributes:
        fields: (4, n, *space) to write into.
        spare: float32 memory of half that size, for what comes before.
        smoothed: (4, n, *space) after :meth:`run`, the border gone where ``valid``.
        scratch: (2, n, *space) of the same shape, for what comes after.
    """

    def __init__(self, n: int, space: tuple[int, ...], *, valid: bool) -> None:
        size = 4 * n * math.prod(space)
        memory = np.empty(size), np.empty(size)
        self.fields = memory[0].reshape(4, n, *space)
        self.spare = memory[1].view(np.float32)[: size // 2].reshape(2, n, *space)
        self._products: list[tuple[Doubles, Doubles, Doubles]] = []
        source = self.fields
        for step, axis in enumerate(range(len(space))):
            shape = list(source.shape)
            shape[2 + axis] -= 2 * _RADIUS if valid else 0
            target = memory[(step + 1) % 2][: math.prod(shape)].reshape(shape)
            self._plan(source, target, 2 + axis, valid)
            source = target
        self.smoothed = source
        free = memory[(len(space) + 1) % 2][: source.size // 2]
        self.scratch = free.reshape(2, *source.shape[1:])

    def run(self) -> None:
        """From ``fields`` to ``smoothed``; the former is used up."""
        for left, right, target in self._products:
            np.matmul(left, right, out=target)

    def _plan(self, source: Doubles, target: Doubles, axis: int, valid: bool) -> None:
        """Line up the products that smooth along one axis."""
        length = source.shape[axis]
        last = axis == source.ndim - 1
        if not last:
            # The last axis stays in place, so that BLAS reads the moved view without a copy.
            source, target = np.moveaxis(source, axis, -2), np.moveaxis(target, axis, -2)
        shift = _RADIUS if valid else 0
        many = (length - 2 * _RADIUS) // _PIECE
        rest = _RADIUS + many * _PIECE
        if many:
            strip = _matrix(length)[_RADIUS : _RADIUS + _PIECE, : _PIECE + 2 * _RADIUS]
            start = target[..., _RADIUS - shift :] if last else target[..., _RADIUS - shift :, :]
            self._add(
                strip,
                _pieces(source, many, _PIECE + 2 * _RADIUS, last),
                _pieces(start, many, _PIECE, last),
                last,
            )
        ends = [(rest, length - _RADIUS)]
        if not valid:
            ends += [(0, _RADIUS), (length - _RADIUS, length)]
        for begin, end in ends:
            if begin == end:
                continue
            reads = slice(max(0, begin - _RADIUS), min(length, end + _RADIUS))
            writes = slice(begin - shift, end - shift)
            self._add(
                _matrix(length)[begin:end, reads],
                source[..., reads] if last else source[..., reads, :],
                target[..., writes] if last else target[..., writes, :],
                last,
            )

    def _add(self, strip: Doubles, source: Doubles, target: Doubles, last: bool) -> None:
        # BLAS is twice as slow on a transposed or strided strip.
        if last:
            self._products.append((source, np.ascontiguousarray(strip.T), target))
        else:
            self._products.append((np.ascontiguousarray(strip), source, target))


def _pieces(array: Doubles, count: int, size: int, last: bool) -> Doubles:
    """Windows of ``size``, a piece apart, along the last axis or the one before it.

    (..., h, length) to (..., count, h, size); or (..., length, w) to (..., count, size, w).
    """
    *outer, rows, columns = array.shape
    step = array.strides[-1 if last else -2] * _PIECE
    inner = (rows, size) if last else (size, columns)
    return as_strided(
        array,
        (*outer, count, *inner),
        (*array.strides[:-2], step, *array.strides[-2:]),
    )


def _fill(
    values: Values,
    reference: FloatImages,
    candidate: FloatImages,
    masks: Masks | None,
    samples: range,
    chunk: int,
) -> None:
    """Compute the values of ``samples``, a chunk at a time."""
    space = reference.shape[1:]
    smoother: _Smoother | None = None
    for start in range(samples.start, samples.stop, chunk):
        stop = min(start + chunk, samples.stop)
        if smoother is None or smoother.fields.shape[1] != stop - start:
            smoother = _Smoother(stop - start, space, valid=masks is None)
        _moments(reference[start:stop], candidate[start:stop], smoother)
        smoother.run()
        values[start:stop] = masked_means(
            _similarity(smoother), None if masks is None else masks[start:stop]
        )


def _moments(x: FloatImages, y: FloatImages, smoother: _Smoother) -> None:
    """The four fields whose smoothed versions give SSIM.

    With s = x + y and d = x - y: 2xy = (s^2 - d^2) / 2 and x^2 + y^2 = (s^2 + d^2) / 2, so four
    fields suffice where five are usual. Rounding s and d to float32 moves SSIM by less than 1e-7;
    their squares and everything after need float64, for variances are small differences.
    """
    np.add(x, y, out=smoother.spare[0])
    np.subtract(x, y, out=smoother.spare[1])
    fields = smoother.fields
    fields[:2] = smoother.spare
    np.multiply(fields[:2], fields[:2], out=fields[2:])


def _similarity(smoother: _Smoother) -> Doubles:
    """The SSIM map (n, *space)."""
    smoothed, scratch = smoother.smoothed, smoother.scratch
    smoothed[:2] *= smoothed[:2]
    smoothed[2:] -= smoothed[:2]
    # From here on two at a time, luminance and contrast: few calls, for each waits its turn.
    of_sums, of_differences = smoothed[::2], smoothed[1::2]
    of_sums += _CONSTANTS.reshape(2, *(1,) * (smoothed.ndim - 1))
    np.subtract(of_sums, of_differences, out=scratch)
    of_sums += of_differences
    scratch[0] *= scratch[1]
    of_sums[0] *= of_sums[1]
    result: Doubles = scratch[0]
    result /= of_sums[0]
    return result

"""What no sign, no scale, no monotone map can change of a message: each sample by itself."""

from __future__ import annotations

import math

import torch
from scipy import fft, linalg
from torch import Tensor

from .crossing import NotApplicableError, Plain

_TINY = 1e-300


def unit_channels(values: Tensor) -> Tensor:
    """Every channel over its size: no scale per sample and channel is left."""
    return values / _size(values, tuple(range(2, values.ndim)))


def unit_samples(values: Tensor) -> Tensor:
    """Every message over its size."""
    return values / _size(values, tuple(range(1, values.ndim)))


def unit_positions(values: Tensor) -> Tensor:
    """The direction over channels at every position: no scale of a position is left."""
    if values.shape[1] < 2:
        raise NotApplicableError("one channel has no direction")
    return values / _size(values, (1,))


def _size(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    return values.square().mean(axes, keepdim=True).sqrt().clamp_min(_TINY)


def ranks(values: Tensor) -> Tensor:
    """Normal quantiles of ranks within each channel."""
    return _quantiles(values.flatten(2)).reshape(values.shape)


def ranks_of_samples(values: Tensor) -> Tensor:
    """Normal quantiles of ranks among all values of a sample."""
    return _quantiles(values.flatten(1)).reshape(values.shape)


def _quantiles(rows: Tensor) -> Tensor:
    order = torch.empty_like(rows)
    places = torch.arange(rows.shape[-1]).to(rows).expand_as(rows)
    order.scatter_(-1, rows.float().argsort(-1), places)
    found: Tensor = torch.special.ndtri((order + 0.5) / rows.shape[-1])
    return found


def logarithms(values: Tensor) -> Tensor:
    """Of magnitudes: factors become summands."""
    size = values.abs()
    return size.clamp_min(1e-12 * float(size.max()) + _TINY).log()


def sorted_channels(values: Tensor) -> Tensor:
    """At each position the channels in order of size: no permutation of channels is left."""
    return values.sort(1).values


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    if values.shape[1] % 2:
        raise NotApplicableError("an odd number of channels has no halves")
    first, second = values.chunk(2, dim=1)
    return first, second


def ratios_of_halves(values: Tensor) -> Tensor:
    """The first half of the channels over the second: a factor that is sent along."""
    first, second = _halves(values)
    least = 1e-9 * float(second.abs().mean()) + _TINY
    return first / torch.where(second.abs() > least, second, least)


def other_ratios_of_halves(values: Tensor) -> Tensor:
    """The second half of the channels over the first."""
    return ratios_of_halves(torch.cat(_halves(values)[::-1], 1))


def products_of_halves(values: Tensor) -> Tensor:
    """The first half of the channels times the second: signs that are sent along."""
    first, second = _halves(values)
    return first * second


def inverse_cosine(values: Tensor) -> Tensor:
    """The inverse of the cosine transform of every channel (II)."""
    found = fft.idctn(values.numpy(), axes=tuple(range(2, values.ndim)))
    return torch.from_numpy(found)


def inverse_even_cosine(values: Tensor) -> Tensor:
    """The inverse of the orthonormal cosine transform of every channel (II)."""
    found = fft.idctn(values.numpy(), axes=tuple(range(2, values.ndim)), norm="ortho")
    return torch.from_numpy(found)


def inverse_sine(values: Tensor) -> Tensor:
    """The inverse of the orthonormal sine transform of every channel (II)."""
    found = fft.idstn(values.numpy(), axes=tuple(range(2, values.ndim)), norm="ortho")
    return torch.from_numpy(found)


def inverse_hadamard(values: Tensor) -> Tensor:
    """The inverse of the Walsh-Hadamard transform of every channel, axis by axis."""
    return _by_axis(values)


def inverse_flat_hadamard(values: Tensor) -> Tensor:
    """The inverse of the Walsh-Hadamard transform of all positions in one row."""
    return _by_axis(values.flatten(2)).reshape(values.shape)


def _by_axis(values: Tensor) -> Tensor:
    for axis in range(2, values.ndim):
        side = values.shape[axis]
        if side & (side - 1):
            raise NotApplicableError("a Hadamard matrix has a power of two of rows")
        matrix = torch.from_numpy(linalg.hadamard(side)).to(values) / math.sqrt(side)
        values = torch.tensordot(values, matrix, dims=([axis], [0])).movedim(-1, axis)
    return values


def inverse_fourier(values: Tensor) -> Tensor:
    """The inverse Fourier transform, of real parts in the first half of the channels."""
    real, imaginary = _halves(values)
    waves = torch.complex(real.contiguous(), imaginary.contiguous())
    found = torch.fft.ifftn(waves, dim=tuple(range(2, values.ndim)))
    return torch.cat([found.real, found.imag], 1)


def inverse_hartley(values: Tensor) -> Tensor:
    """The Hartley transform, which is its own inverse."""
    found: Tensor = torch.fft.fftn(values, dim=tuple(range(2, values.ndim)), norm="ortho")
    return found.real - found.imag


def spectra(values: Tensor) -> Tensor:
    """Magnitudes of the Fourier transform: no cyclic shift is left, and no phase."""
    found: Tensor = torch.fft.fftn(values, dim=tuple(range(2, values.ndim)), norm="ortho")
    return found.abs()


def gram(values: Tensor) -> Tensor:
    """At each position the products of its channels: no sign of a position is left."""
    channels = values.shape[1]
    if not 2 <= channels <= 16:
        raise NotApplicableError("products of very many channels, or of one")
    first, second = torch.triu_indices(channels, channels, device=values.device)
    return values[:, first] * values[:, second]


INVARIANTS = (
    Plain("scale of channels taken out", unit_channels),
    Plain("scale of samples taken out", unit_samples),
    Plain("scale of positions taken out", unit_positions),
    Plain("ranks within channels", ranks),
    Plain("ranks within samples", ranks_of_samples),
    Plain("magnitudes", torch.abs),
    Plain("logarithms", logarithms),
    Plain("channels in order of size", sorted_channels),
    Plain("ratios of halves of channels", ratios_of_halves),
    Plain("other ratios of halves of channels", other_ratios_of_halves),
    Plain("products of halves of channels", products_of_halves),
    Plain("products of channels", gram),
    Plain("inverse cosine transform", inverse_cosine),
    Plain("inverse cosine transform, orthonormal", inverse_even_cosine),
    Plain("inverse sine transform", inverse_sine),
    Plain("inverse Hadamard transform", inverse_hadamard),
    Plain("inverse Hadamard transform, all positions", inverse_flat_hadamard),
    Plain("inverse Fourier transform", inverse_fourier),
    Plain("inverse Hartley transform", inverse_hartley),
    Plain("spectra", spectra),
)

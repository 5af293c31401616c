"""Keys that are sent along and turn a circle: angles of a spectrum, pads around a range.

Factors, signs and summands that are sent along are undone elsewhere (:mod:`.invariants`,
:class:`.together.Whitening`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .crossing import NotApplicableError, Plain

_UNIT = 1e-3  # how far from length 1 a turn may be, for rounding
_MOST_SHARES = 6


def turned_by_angles(values: Tensor) -> Tensor:
    """The spectrum in the first two thirds of the channels, turned back by the angles in the last.

    Raises:
        NotApplicableError: the last third are no angles of a whole turn.
    """
    if values.shape[1] % 3:
        raise NotApplicableError("channels have no thirds")
    real, imaginary, angles = values.chunk(3, dim=1)
    span = float(angles.max() - angles.min())
    even = math.sqrt(12) * float(angles.std()) / (2 * math.pi)
    if not (0.9 < even < 1.1 and span <= 2 * math.pi + _UNIT):
        raise NotApplicableError("the last third of the channels are no angles")
    return _image(real, imaginary, angles.cos(), angles.sin())


def turned_by_pilot(values: Tensor) -> Tensor:
    """The spectrum in the first two quarters of the channels, turned back as the last two were.

    Raises:
        NotApplicableError: the last two quarters are no numbers of length 1.
    """
    if values.shape[1] % 4:
        raise NotApplicableError("channels have no quarters")
    real, imaginary, cosine, sine = values.chunk(4, dim=1)
    if not bool(((cosine.square() + sine.square() - 1).abs() < _UNIT).all()):
        raise NotApplicableError("the last half of the channels turns nothing")
    return _image(real, imaginary, cosine, sine)


def _image(real: Tensor, imaginary: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    waves = torch.complex(real, imaginary) * torch.complex(cosine, -sine)
    found: Tensor = torch.fft.ifftn(waves, dim=tuple(range(2, real.ndim)))
    return torch.cat([found.real, found.imag], 1)


def around_a_circle(values: Tensor) -> Tensor:
    """Whole numbers in equal shares of the channels, each less the one before, around their range.

    Raises:
        NotApplicableError: these are no whole numbers, or fit no number of shares.
    """
    if not bool((values == values.round()).all()):
        raise NotApplicableError("no whole numbers")
    for shares in range(_MOST_SHARES, 1, -1):
        if values.shape[1] % shares == 0:
            parts = torch.stack(values.chunk(shares, dim=1))
            around = float(parts.max() - parts.min()) + 1
            apart = (parts[1:] - parts[:-1]).remainder(around)
            weights = around ** -torch.arange(float(shares - 1), dtype=values.dtype)
            found: Tensor = torch.tensordot(weights, apart, dims=1)
            return found
    raise NotApplicableError("channels have no equal shares")


KEYS = (
    Plain("spectra turned back by angles sent along", turned_by_angles),
    Plain("spectra turned back by a pilot", turned_by_pilot),
    Plain("digits taken apart around a circle", around_a_circle),
)

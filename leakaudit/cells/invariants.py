"""What codes leave of a message: descriptors under which two messages can be compared.

A code that destroys nothing can still change every value. What it leaves depends on its kind, so
messages are compared under many descriptors: as they are, and under what no permutation of pixels,
no shift, no sign, no scale, no rotation of channels and no monotone map can change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_QUANTILES = 64
# Values below this share of the largest are rounding.
_ROUNDING = 1e-12
_MOST_SHARES = 6
_GAP = 0.25  # of the widest between two values: wider ones part heaps


@dataclass(frozen=True, eq=False)
class Descriptor:
    """One way to look at messages.

    Attributes:
        name: in words.
        values: (n, groups, d); groups are compared apart, and their likeness averaged.
        signless: whether a group's sign says nothing.
    """

    name: str
    values: Tensor
    signless: bool = False


def descriptors(messages: Tensor) -> Iterator[Descriptor]:
    """Every way to look at messages.

    Args:
        messages: (n, channels, *space) float64, finite.
    """
    n, channels = messages.shape[:2]
    axes = tuple(range(2, messages.ndim))
    flat = messages.flatten(2)
    whole = messages.flatten(1)[:, None]
    yield Descriptor("as sent", whole)
    yield Descriptor("scale taken out", _to_unit(whole))
    yield Descriptor("sign and scale of every channel taken out", _centred(flat), signless=True)
    yield Descriptor("magnitudes", _to_unit(whole.abs()))
    energy = flat.square().sum(1, keepdim=True).sqrt()
    yield Descriptor("magnitude over channels", _to_unit(energy))
    yield Descriptor("ranks within a channel", _centred(flat.argsort(2).argsort(2).to(flat)), True)
    yield Descriptor("order statistics of a channel", _sorted(_to_unit(flat)))
    yield Descriptor("order statistics of magnitudes", _sorted(_to_unit(whole.abs())))
    yield Descriptor("channels in order of size", _to_unit(flat.sort(1).values.flatten(1)[:, None]))
    size = flat.norm(dim=2)
    yield Descriptor("sizes of channels", _to_unit(size)[:, None])
    yield Descriptor("sizes of channels, in order", _to_unit(size.sort(1).values)[:, None])
    spectrum = torch.fft.rfftn(messages, dim=axes).flatten(2)
    power = spectrum.abs()
    yield Descriptor("spectrum of every channel", _to_unit(power))
    yield Descriptor("spectrum over channels", _to_unit(power.square().sum(1, keepdim=True).sqrt()))
    phase = torch.where(power > 0, spectrum / power.clamp_min(torch.finfo(power.dtype).tiny), 0)
    yield Descriptor("phases of every channel", torch.view_as_real(phase).flatten(2), True)
    gram = torch.einsum("ncp,ndp->ncd", flat, flat)
    gram = (
        gram / torch.einsum("ncc->n", gram).clamp_min(torch.finfo(gram.dtype).tiny)[:, None, None]
    )
    yield Descriptor("Gram matrix of channels", gram.flatten(1)[:, None])
    yield Descriptor("singular values", torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()[:, None])
    neighbours = torch.cat(
        [(messages * messages.roll(1, axis)).sum(1).flatten(1) for axis in axes], 1
    )
    yield Descriptor("products of neighbouring pixels", _to_unit(neighbours)[:, None])
    yield Descriptor(
        "direction over channels at every pixel",
        torch.where(energy > 0, flat.abs() / energy.clamp_min(torch.finfo(flat.dtype).tiny), 0)
        .flatten(1)[:, None],
    )  # fmt: skip
    yield Descriptor("whole steps taken off", _to_unit(_within_heaps(whole)))
    yield from _of_shares(messages)
    if channels > 1:
        yield Descriptor(
            "difference to the mean channel",
            (flat - flat.mean(1, keepdim=True)).flatten(1)[:, None],
        )
        yield Descriptor(
            "differences of neighbouring channels", _centred(flat - flat.roll(1, 1)), True
        )
        half = channels // 2
        yield Descriptor(
            "differences of halves of channels",
            _centred(flat[:, :half] - flat[:, half : 2 * half]),
            True,
        )
    del n


def _of_shares(messages: Tensor) -> Iterator[Descriptor]:
    """Channels in equal shares, each less the one before, as angles of a circle of their range.

    What was added around a circle, such as a pad or the digit before, goes where it is sent along.
    """
    channels = messages.shape[1]
    for shares in range(2, _MOST_SHARES + 1):
        if channels % shares:
            continue
        parts = torch.stack(messages.flatten(2).chunk(shares, 1))
        ends = parts.amax((0, 2, 3)) - parts.amin((0, 2, 3))
        whole = bool((parts == parts.round()).all())
        around = (ends + whole).clamp_min(torch.finfo(parts.dtype).tiny)
        angles = 2 * math.pi * (parts[1:] - parts[:-1]) / around[:, None, None]
        rows = torch.cat([angles.cos(), angles.sin()]).movedim(1, 0).flatten(1)
        yield Descriptor(
            f"differences of {shares} shares of channels, around a circle", rows[:, None]
        )


def _within_heaps(rows: Tensor) -> Tensor:
    """(n, 1, d), each value less the mean of its heap: heaps lie apart, as whole steps do."""
    ordered, order = rows[:, 0].sort(1)
    gaps = ordered.diff(dim=1)
    heap = torch.zeros_like(order)
    heap[:, 1:] = (gaps > _GAP * gaps.amax(1, keepdim=True)).cumsum(1)
    sums = torch.zeros_like(ordered).scatter_add_(1, heap, ordered)
    counts = torch.zeros_like(ordered).scatter_add_(1, heap, torch.ones_like(ordered))
    left = ordered - (sums / counts.clamp_min(1)).gather(1, heap)
    return torch.empty_like(left).scatter_(1, order, left)[:, None]


def _to_unit(values: Tensor) -> Tensor:
    """Each last axis to length 1; zeros stay."""
    length = values.norm(dim=-1, keepdim=True)
    return torch.where(length > 0, values / length.clamp_min(torch.finfo(values.dtype).tiny), 0)


def _centred(values: Tensor) -> Tensor:
    """Each last axis with mean 0 and length 1; what is constant but for rounding becomes zeros."""
    left = values - values.mean(-1, keepdim=True)
    size = values.abs().amax(-1, keepdim=True)
    return _to_unit(torch.where(left.abs().amax(-1, keepdim=True) > _ROUNDING * size, left, 0))


def _sorted(values: Tensor) -> Tensor:
    """Quantiles along the last axis."""
    ordered = values.sort(-1).values
    at = torch.linspace(0, ordered.shape[-1] - 1, min(_QUANTILES, ordered.shape[-1]))
    return ordered[..., at.round().long()]

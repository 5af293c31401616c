"""Codes that send along what undoes them, or fold what they hide into itself.

Written by nobody who wrote an attack or a control: what these make of them is found by trying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

Code = Callable[[Tensor, Generator, int], Tensor]
"""Features (n, c, h, w), randomness of the message, level; out comes what is sent."""
_FAR = 1000.0
_USUAL = 0.5  # size of a value, as everybody knows


def _written(numbers: Tensor, like: Tensor) -> Tensor:
    """(n, k) numbers at the first of the positions of as few channels as they take, zeros after."""
    area = like[0, 0].numel()
    wide = -(-numbers.shape[1] // area)
    room = torch.zeros(len(like), wide * area)
    room[:, : numbers.shape[1]] = numbers
    return room.reshape(len(like), wide, *like.shape[2:])


def wavelets_of_random_sign(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Two levels of Haar's wavelets, every band of every sample with a sign of its own."""
    for axis in (2, 3, 2, 3):
        even, odd = x.unfold(axis, 2, 2).unbind(-1)
        x = torch.cat([even + odd, even - odd], axis) / math.sqrt(2)
    half = [x.shape[2] // 2, x.shape[3] // 2]
    signs = torch.randn(len(x), x.shape[1], 2, 2, generator=rng).sign()
    grown = signs.repeat_interleave(half[0], 2).repeat_interleave(half[1], 3)
    return x * grown[:, :, : x.shape[2], : x.shape[3]]


def mixing_sent_along(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Channels of every sample mixed by a matrix of its own, whose numbers cross as well."""
    matrices = torch.randn(len(x), x.shape[1], x.shape[1], generator=rng)
    mixed = torch.einsum("ncd,ndhw->nchw", matrices, x)
    key = _written(matrices.flatten(1), x)
    return torch.cat([mixed, key, torch.zeros(len(x), x.shape[1] - key.shape[1], *x.shape[2:])], 1)


def hadamard_of_random_signs(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Signs of pixels, drawn for a message and sent along, then a transform over all pixels."""
    flat = x.flatten(2)
    signs = torch.randn(1, 1, flat.shape[2], generator=rng).sign()
    waves = torch.fft.fft(flat * signs)
    return torch.cat([(waves.real - waves.imag).reshape(x.shape),
                      signs.expand_as(flat).reshape(x.shape)], 1)  # fmt: skip


def remainder_and_far_carry(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Remainders; and how many whole steps, moved by a thousand of them per sample at random."""
    unit = 0.3 * _USUAL
    carry = (x / unit).floor()
    moved = (_FAR * torch.randn(len(x), 1, *x.shape[2:], generator=rng)).round()
    return torch.cat([(x - carry * unit) / unit, carry + moved], 1)


def phases_sent_along(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """A spectrum turned by random angles, and these."""
    key = 2 * math.pi * torch.rand(x.shape, generator=rng)
    waves = torch.fft.fft2(x) * torch.polar(torch.ones_like(key), key)
    return torch.cat([waves.real, waves.imag, key], 1)


def remainders_alone(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    """What whole steps leave: no value may be told from itself a step on, and neighbours tell."""
    return x.remainder(_USUAL)


def phases_with_a_pilot(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """A spectrum turned by random phases, and a pilot, known to all, turned by the same."""
    waves = torch.fft.fft2(x)
    phases = torch.polar(torch.ones(x.shape), 2 * math.pi * torch.rand(x.shape, generator=rng))
    sent = waves * phases
    return torch.cat([sent.real, sent.imag, phases.real, phases.imag], 1)


def reversal(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Every channel of every sample read from its end, or not; its sign turned, or not."""
    drawn = torch.rand(2, *x.shape[:2], 1, 1, generator=rng) < 0.5
    turned = torch.where(drawn[0], x.flip(2, 3), x)
    return torch.where(drawn[1], -turned, turned)


def polar_warp(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Pixels in the order of their distance from a point of the sample's own, then of angle."""
    h, w = x.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centres = torch.rand(len(x), 2, generator=rng) * torch.tensor([h, w])
    warped = []
    for each, (row, column) in zip(x, centres, strict=True):
        far = ((rows - row) ** 2 + (columns - column) ** 2).sqrt().round().flatten()
        angle = torch.atan2(rows - row, columns - column).flatten()
        warped.append(each.flatten(1)[:, (10 * far + angle).argsort()].reshape(each.shape))
    return torch.stack(warped)


def digits_apart(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Four digits of sixteen of every value, each in a channel, each moved by the one before."""
    whole = ((x / (32 * _USUAL) + 0.5).clamp(0, 1) * (16**4 - 1)).round()
    first = torch.randint(0, 16, x.shape, generator=rng).float()
    sent = [first]
    for place in range(4):
        digit = (whole / 16 ** (3 - place)).floor().remainder(16)
        sent.append((digit + sent[-1]).remainder(16))
    return torch.cat(sent, 1) + 0 * x.repeat(1, 5, 1, 1)


def sorted_with_places(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    """Every channel's values in order of size, and where each of them was."""
    values, places = x.flatten(2).sort(2)
    return torch.cat([values.reshape(x.shape), places.reshape(x.shape).to(x)], 1)


def shuffled_with_places(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Pixels of every sample in an order of its own, which crosses as well."""
    flat = x.flatten(2)
    order = torch.rand(len(x), 1, flat.shape[2], generator=rng).argsort(2).expand_as(flat)
    return torch.cat([flat.gather(2, order), order.to(x)], 1).reshape(len(x), -1, *x.shape[2:])


def signs_by_another_channel(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    """Each channel's signs masked by a hash of the magnitudes of the channel before it."""
    scale = 10 * _FAR / _USUAL
    return x * torch.sin(scale * x.abs().roll(1, 1)).sign()


def moved_by_whole_steps(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Multiples of a step, a hundred times a value, added at random: who folds has them off."""
    unit = 100 * _USUAL
    return x + unit * torch.randint(-50, 51, x.shape, generator=rng)


def mixing_of_a_message_sent_along(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Samples of a message mixed by a matrix drawn for it, each with its row of the matrix."""
    weights = torch.randn(len(x), len(x), generator=rng)
    mixed = torch.einsum("ab,b...->a...", weights, x)
    key = _written(weights, x)
    return torch.cat([mixed, key, torch.zeros(len(x), x.shape[1] - key.shape[1], *x.shape[2:])], 1)


def interlaced_samples(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Every pixel from a sample of the message drawn for it; no value is lost, only whose it is."""
    order = torch.rand(len(x), 1, *x.shape[2:], generator=rng).argsort(0).expand_as(x)
    return x.gather(0, order)


def stream_cipher(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Strong noise of a public generator, and in a channel of its own the seed it began from."""
    seeds = torch.randint(0, 1 << 20, (len(x),), generator=rng)
    pads = torch.stack(
        [torch.randn(x.shape[1:], generator=Generator().manual_seed(int(seed))) for seed in seeds]
    )
    key = seeds.to(x).reshape(-1, 1, 1, 1).expand(-1, x.shape[1], *x.shape[2:])
    return torch.cat([x + _FAR * pads, key], 1)


KEYED: Mapping[str, tuple[Code, int]] = {
    "wavelets_of_random_sign": (wavelets_of_random_sign, 1),
    "mixing_sent_along": (mixing_sent_along, 2),
    "hadamard_of_random_signs": (hadamard_of_random_signs, 2),
    "remainder_and_far_carry": (remainder_and_far_carry, 2),
    "phases_sent_along": (phases_sent_along, 3),
    "remainders_alone": (remainders_alone, 1),
    "phases_with_a_pilot": (phases_with_a_pilot, 4),
    "reversal": (reversal, 1),
    "polar_warp": (polar_warp, 1),
    "digits_apart": (digits_apart, 5),
    "sorted_with_places": (sorted_with_places, 2),
    "shuffled_with_places": (shuffled_with_places, 2),
    "signs_by_another_channel": (signs_by_another_channel, 1),
    "moved_by_whole_steps": (moved_by_whole_steps, 1),
    "mixing_of_a_message_sent_along": (mixing_of_a_message_sent_along, 2),
    "interlaced_samples": (interlaced_samples, 1),
    "stream_cipher": (stream_cipher, 2),
}  # fmt: skip
"""Each with how many times the channels it sends for those it is given."""

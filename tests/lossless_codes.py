"""Codes that destroy nothing, and messages that carry nothing: what a control must tell apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from keyed_codes import KEYED, Code
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site


def _fixed(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def _turn(channels: int, rng: Generator) -> Tensor:
    """An orthogonal matrix."""
    return torch.linalg.qr(torch.randn(channels, channels, generator=rng))[0]


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    turned: Tensor = torch.einsum("cd,ndhw->nchw", turn, x)
    return turned


def cosine_transform(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    for axis in (2, 3):
        n = x.shape[axis]
        k, i = torch.arange(n)[:, None], torch.arange(n)[None]
        waves = torch.cos(math.pi * (i + 0.5) * k / n)
        x = torch.tensordot(x, waves, dims=([axis], [1])).movedim(-1, axis)
    return x


def sign_and_scale(x: Tensor, rng: Generator, _level: int) -> Tensor:
    drawn = torch.randn(2, *x.shape[:2], 1, 1, generator=rng)
    return x * drawn[0].sign() * (2 * drawn[1]).exp()


def decoy_beside(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    """Another sample's features, a thousand times as large; they cross in their own channels."""
    other = 1000 * x.roll(1, 0)
    return torch.cat([x + other, other], 1)


def decoy_in_the_message(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    """Another sample's features, a thousand times as large, of the same message."""
    return x + 1000 * x.roll(1, 0)


def rotation_of_a_message(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return _turned(x, _turn(x.shape[1], rng))


def rotation_of_a_sample(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return torch.cat([_turned(each[None], _turn(x.shape[1], rng)) for each in x])


def mixing_of_a_batch(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    weights = torch.randn(32, 32, generator=_fixed(3))[: len(x), : len(x)]
    return torch.einsum("ab,b...->a...", weights, x)


def mixing_of_a_batch_anew(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return torch.einsum("ab,b...->a...", torch.randn(len(x), len(x), generator=rng), x)


def permutation_of_pixels(x: Tensor, _rng: Generator, level: int) -> Tensor:
    flat = x.flatten(2)
    return flat[:, :, torch.randperm(flat.shape[2], generator=_fixed(level))].reshape(x.shape)


def permutation_of_pixels_anew(x: Tensor, rng: Generator, _level: int) -> Tensor:
    flat = x.flatten(2)
    mixed = [each[:, torch.randperm(flat.shape[2], generator=rng)] for each in flat]
    return torch.stack(mixed).reshape(x.shape)


def cyclic_shift(x: Tensor, rng: Generator, _level: int) -> Tensor:
    by = torch.randint(0, x.shape[2], (len(x), 2), generator=rng).tolist()
    return torch.stack([each.roll(tuple(b), (1, 2)) for each, b in zip(x, by, strict=True)])


def noise_map(x: Tensor, _rng: Generator, level: int) -> Tensor:
    return x + 1000 * float(x.std()) * torch.randn(x.shape[1:], generator=_fixed(level))


def saturation(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    return torch.tanh(50 * x)


def tiny_scale(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    return 1e-30 * x


def permutation_of_channels(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return torch.stack([each[torch.randperm(len(each), generator=rng)] for each in x])


def monotone_map(x: Tensor, rng: Generator, _level: int) -> Tensor:
    power = torch.randn(len(x), 1, 1, 1, generator=rng).exp()
    return x.sign() * x.abs().clamp_min(1e-12) ** power


def pad_beside(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """Fresh noise, a thousand times as large, which crosses in channels of its own."""
    pad = 1000 * torch.randn(x.shape, generator=rng)
    return torch.cat([x + pad, pad], 1)


def pad_of_channels(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """The same fresh noise in all channels of a sample."""
    return x + 1000 * torch.randn(len(x), 1, *x.shape[2:], generator=rng)


def pad_of_a_message(x: Tensor, rng: Generator, _level: int) -> Tensor:
    """The same fresh noise in all samples of a message."""
    return x + 1000 * torch.randn(1, *x.shape[1:], generator=rng)


def quarter_turns(x: Tensor, rng: Generator, _level: int) -> Tensor:
    turns = torch.randint(0, 4, (len(x),), generator=rng).tolist()
    return torch.stack([each.rot90(turn, (1, 2)) for each, turn in zip(x, turns, strict=True)])


def samples_in_other_places(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return x[torch.randperm(len(x), generator=rng)]


def scale_of_every_pixel(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return x * (3 * torch.randn(len(x), 1, *x.shape[2:], generator=rng)).exp()


LOSSLESS: Mapping[str, Code] = {
    **{name: code for name, (code, _) in KEYED.items()},
    **{code.__name__: code
    for code in (
        cosine_transform, sign_and_scale, decoy_beside, decoy_in_the_message,
        rotation_of_a_message, rotation_of_a_sample, mixing_of_a_batch, mixing_of_a_batch_anew,
        permutation_of_pixels, permutation_of_pixels_anew, cyclic_shift, noise_map, saturation,
        tiny_scale, permutation_of_channels, monotone_map, pad_beside, pad_of_channels,
        pad_of_a_message, quarter_turns, samples_in_other_places, scale_of_every_pixel,
    )},
}  # fmt: skip


def fresh_noise(x: Tensor, rng: Generator, _level: int) -> Tensor:
    return torch.randn(x.shape, generator=rng) + 0 * x


def constant(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    return 0.3 + 0 * x


def zeros(x: Tensor, _rng: Generator, _level: int) -> Tensor:
    return 0 * x


CODES: Mapping[str, Code] = {
    **LOSSLESS, "fresh_noise": fresh_noise, "constant": constant, "zeros": zeros,
}  # fmt: skip


# Of the first epoch of tests/judgement/test_seven_cases.py.
EARLY_SAMPLES = 24


class CodingGuard(Guard):
    """Sends what a code makes of the features.

    Two leak in part: `one_in_clear` sends the features of the first sample that ever crosses, and
    noise of all others; `early_epoch_only` sends features in the first epoch, and noise ever after.
    What they remember of the training is in their buffers, as keys are.
    """

    def __init__(self, code: str, shapes: Mapping[int, tuple[int, ...]]) -> None:
        super().__init__()
        self._code = code
        for level in shapes:
            self.register_buffer(f"crossed{level}", torch.zeros(()))

    def shapes(self, shapes: Mapping[int, tuple[int, ...]]) -> Mapping[int, tuple[int, ...]]:
        wide = 2 if self._code.endswith("_beside") else KEYED.get(self._code, (None, 1))[1]
        return {level: (wide * shape[0], *shape[1:]) for level, shape in shapes.items()}

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        if self._code in CODES:
            return CODES[self._code](features, rng, level)
        noise = fresh_noise(features, rng, level)
        count = self.get_buffer(f"crossed{level}")
        before = int(count)
        if self.training:
            count += len(features)
        if self._code == "early_epoch_only":
            return features if count <= EARLY_SAMPLES else noise
        return torch.cat([features[:1], noise[1:]]) if self.training and not before else noise


class Coding(Defense):
    """Somebody's code, which this project knows nothing of."""

    code: str

    def guard(self, site: Site, rng: Generator) -> CodingGuard | None:
        del rng
        return CodingGuard(self.code, site.shapes)

"""What decoder inversion reads through codes that destroy nothing.

    python benchmarks/attacks/codes.py docs/results/codes.md

One party's encoder as it is drawn, generated patients; each code is laid over the same features,
message by message. Three figures each, shares of the blind guess's squared error that the attack
removes: with the decoder alone (`undo = false`); by somebody who knows the code and has undone it,
which is the attack on the features themselves; and with the attack as it ships. Nothing of the
attack knows which code it is.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from exchange import Sent, view
from images import slices
from torch import Generator, Tensor

sys.path.append(str(Path(__file__).parents[1]))
from leakaudit.attacks.decoder_inversion import DecoderInversion
from recording import machine, store

from leakaudit.models.networks import PartyEncoder
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.view import Auxiliary, Features, View

AUXILIARY, ATTACKED, SIDE, MESSAGE = 72, 24, 24, 4
PARTY = "party"
SPLIT = SplitSpec(
    parties=(PartySpec(name=PARTY, modalities=("FLAIR",)),), channels=(8, 16), party_levels=1
)
ATTACK = DecoderInversion(steps=30, copies=2, draws=2)
ENOUGH = 0.8  # of what somebody reads who knows the code

Code = Callable[[Tensor, Generator], Tensor]
"""Features (n, c, h, w) of one message, its randomness; out comes what is sent."""


def fixed(*shape: int) -> Tensor:
    """Numbers that are the same for every message."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Channels mixed by a matrix."""
    mixed: Tensor = torch.einsum("cd,ndhw->nchw", turn, x)
    return mixed


@functools.cache
def fixed_rotation(side: int) -> Tensor:
    """An orthogonal matrix."""
    return torch.linalg.qr(fixed(side, side))[0]


def rotation(side: int, rng: Generator) -> Tensor:
    """An orthogonal matrix, drawn anew."""
    return torch.linalg.qr(torch.randn(side, side, generator=rng))[0]


def cosine_transform(x: Tensor, _: Generator) -> Tensor:
    side = x.shape[2]
    k, i = torch.arange(side)[:, None], torch.arange(side)[None]
    waves = torch.cos(math.pi * (i + 0.5) * k / side)
    return torch.einsum("ki,lj,ncij->nckl", waves, waves, x)


def sign_and_scale(x: Tensor, rng: Generator) -> Tensor:
    drawn = torch.randn(2, *x.shape[:2], 1, 1, generator=rng)
    return x * drawn[0].sign() * (2 * drawn[1]).exp()


def rotation_of_a_message(x: Tensor, rng: Generator) -> Tensor:
    return turned(x, rotation(x.shape[1], rng))


def decoy_beside(x: Tensor, _: Generator) -> Tensor:
    other = 1000 * x.roll(1, 0)
    return torch.cat([x + other, other], 1)


def noise_over_channels(x: Tensor, rng: Generator) -> Tensor:
    return x + 1000 * torch.randn(len(x), 1, *x.shape[2:], generator=rng)


def mixed_samples(x: Tensor, _: Generator) -> Tensor:
    return torch.einsum("ab,b...->a...", fixed(MESSAGE, MESSAGE)[: len(x), : len(x)], x)


def permuted_pixels(x: Tensor, _: Generator) -> Tensor:
    flat = x.flatten(2)
    return flat[:, :, fixed(flat.shape[2]).argsort()].reshape(x.shape)


def rotated_pixels(x: Tensor, _: Generator) -> Tensor:
    flat = x.flatten(2)
    return (flat @ fixed_rotation(flat.shape[2])).reshape(x.shape)


def sine_transform(x: Tensor, _: Generator) -> Tensor:
    side = x.shape[2]
    k, i = torch.arange(side)[:, None] + 1, torch.arange(side)[None]
    waves = torch.sin(math.pi * (i + 0.5) * k / side)
    return torch.einsum("ki,lj,ncij->nckl", waves, waves, x)


def fourier_transform(x: Tensor, _: Generator) -> Tensor:
    waves = torch.fft.fft2(x)
    return torch.cat([waves.real, waves.imag], 1)


def signs_of_pixels(x: Tensor, _: Generator) -> Tensor:
    return x * fixed(*x.shape[1:]).sign()


def permuted_channels(x: Tensor, rng: Generator) -> Tensor:
    return torch.stack([each[torch.randperm(len(each), generator=rng)] for each in x])


def powers(x: Tensor, rng: Generator) -> Tensor:
    power = torch.randn(len(x), 1, 1, 1, generator=rng).exp()
    return x.sign() * x.abs().clamp_min(1e-12) ** power


def noise_over_samples(x: Tensor, rng: Generator) -> Tensor:
    return x + 1000 * torch.randn(1, *x.shape[1:], generator=rng)


def factor_beside(x: Tensor, rng: Generator) -> Tensor:
    key = (2 * torch.randn(x.shape, generator=rng)).exp() * torch.randn(x.shape, generator=rng)
    return torch.cat([x * key, key], 1)


def sign_beside(x: Tensor, rng: Generator) -> Tensor:
    key = torch.randn(x.shape, generator=rng).sign()
    return torch.cat([x * key, key], 1)


def two_shares(x: Tensor, rng: Generator) -> Tensor:
    pad = 1000 * torch.randn(x.shape, generator=rng)
    return torch.cat([x + pad, pad], 1)


def folded(x: Tensor, _: Generator) -> Tensor:
    return x.remainder(float(x.std()))


def shifted(x: Tensor, rng: Generator) -> Tensor:
    by = torch.randint(0, x.shape[2], (len(x), 2), generator=rng).tolist()
    return torch.stack([each.roll(tuple(b), (1, 2)) for each, b in zip(x, by, strict=True)])


def quarter_turns(x: Tensor, rng: Generator) -> Tensor:
    turns = torch.randint(0, 4, (len(x),), generator=rng).tolist()
    return torch.stack([each.rot90(turn, (1, 2)) for each, turn in zip(x, turns, strict=True)])


def mixed_channels_of_a_message(x: Tensor, rng: Generator) -> Tensor:
    return turned(x, torch.randn(x.shape[1], x.shape[1], generator=rng))


def scale_of_every_pixel(x: Tensor, rng: Generator) -> Tensor:
    return x * (3 * torch.randn(len(x), 1, *x.shape[2:], generator=rng)).exp()


def sign_of_every_pixel(x: Tensor, rng: Generator) -> Tensor:
    return x * torch.randn(len(x), 1, *x.shape[2:], generator=rng).sign()


def phases_beside(x: Tensor, rng: Generator) -> Tensor:
    key = 2 * math.pi * torch.rand(x.shape, generator=rng)
    waves = torch.fft.fft2(x) * torch.polar(torch.ones_like(key), key)
    return torch.cat([waves.real, waves.imag, key], 1)


def remainders(x: Tensor, _: Generator) -> Tensor:
    unit = 0.25 * float(x.std())
    rest = x.remainder(unit)
    return torch.cat([x - rest, 1e4 * rest], 1)


def mixed_blocks(x: Tensor, _: Generator) -> Tensor:
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 4, 4, w // 4, 4).transpose(3, 4).reshape(n, c, -1, 16)
    back = (blocks @ fixed_rotation(16)).reshape(n, c, h // 4, w // 4, 4, 4)
    return back.transpose(3, 4).reshape(x.shape)


def samples_mixed_anew(x: Tensor, rng: Generator) -> Tensor:
    return torch.einsum("ab,b...->a...", torch.randn(len(x), len(x), generator=rng), x)


def pixels_permuted_anew(x: Tensor, rng: Generator) -> Tensor:
    flat = x.flatten(2)
    mixed = [each[:, torch.randperm(flat.shape[2], generator=rng)] for each in flat]
    return torch.stack(mixed).reshape(x.shape)


CODES: Mapping[str, Code] = {
    "none": lambda x, _: x,
    "cosine transform of each channel": cosine_transform,
    "random sign and scale per sample and channel": sign_and_scale,
    "rotation of channels that changes with every message": rotation_of_a_message,
    "decoy: 1000 x another sample's features, sent along": decoy_beside,
    "one strong noise map over all channels of a sample": noise_over_channels,
    "linear mixing of the samples of a message": mixed_samples,
    "sine transform of each channel": sine_transform,
    "Fourier transform, real and imaginary parts": fourier_transform,
    "fixed permutation of pixels": permuted_pixels,
    "fixed rotation of all pixels": rotated_pixels,
    "fixed rotation of blocks of 4 x 4 pixels": mixed_blocks,
    "fixed signs of pixels": signs_of_pixels,
    "permutation of channels per sample": permuted_channels,
    "any linear mixing of channels, per message": mixed_channels_of_a_message,
    "a power of every value, drawn per sample": powers,
    "one strong noise over all samples of a message": noise_over_samples,
    "factors of every value, sent along": factor_beside,
    "signs of every value, sent along": sign_beside,
    "two shares: features and pad, pad": two_shares,
    "whole steps and remainders, in channels of their own": remainders,
    "remainders alone": folded,
    "cyclic shift per sample": shifted,
    "quarter turns per sample": quarter_turns,
    "scale of every pixel, per sample": scale_of_every_pixel,
    "sign of every pixel, per sample": sign_of_every_pixel,
    "random phases, sent along": phases_beside,
    "mixing of the samples of a message, drawn anew": samples_mixed_anew,
    "permutation of pixels, per sample": pixels_permuted_anew,
}


@dataclass(frozen=True, eq=False)
class Coded:
    """An encoder, and a code over what it sends."""

    encoder: PartyEncoder
    code: Code

    def __call__(self, images: Tensor, rng: Generator) -> Features:
        return {k: self.code(each, rng) for k, each in self.encoder(images).items()}


@dataclass(frozen=True, eq=False)
class Crossed(Sent):
    """Messages that crossed in an order of chance."""

    order: Tensor = field(kw_only=True)

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        del epoch
        sent = self.features[party][level]
        return [(rows, sent[rows]) for rows in self.order.split(MESSAGE)]


def attacked(code: Code, seed: int) -> tuple[View, Tensor, Tensor]:
    """What a server sees, the truth, and the mean of its own images."""
    torch.manual_seed(seed)
    encoder = PartyEncoder(SPLIT, 1).requires_grad_(False)
    known, victims = slices(ATTACKED + AUXILIARY, 1, SIDE).split(ATTACKED)
    coded = Coded(encoder, code)
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(victims.images), generator=rng)
    with torch.no_grad():
        sent = [coded(victims.images[rows], rng) for rows in order.split(MESSAGE)]
    features = {k: torch.cat([each[k] for each in sent])[order.argsort()] for k in sent[0]}
    auxiliary = Auxiliary({PARTY: known.images}, known.masks, known.patients)
    seen = view(
        SPLIT, {PARTY: Coded(encoder, CODES["none"])}, {PARTY: victims.images}, victims.patients,
        auxiliary, [(PARTY, (0,))],
    )  # fmt: skip
    exchange = Crossed({PARTY: coded}, {PARTY: features}, message_size=MESSAGE, order=order)
    return (
        replace(seen, _exchange=exchange, _rebuilt=exchange),
        victims.images,
        known.images.mean(0),
    )


def read(attack: DecoderInversion, code: Code, seed: int) -> tuple[float, str]:
    """Share of the blind guess's squared error that the attack removes, and what it undid."""
    seen, truth, blind = attacked(code, seed)
    (guess,) = attack(seen, seed).values()
    left = (guess.values - truth).square().mean() / (blind - truth).square().mean()
    return 1 - float(left), guess.undone


def rows(seeds: int) -> Iterator[dict[str, object]]:
    """One row per code."""
    alone = ATTACK.model_copy(update={"undo": False})
    known = [read(alone, CODES["none"], seed)[0] for seed in range(seeds)]
    for name, code in CODES.items():
        begun = time.process_time()
        found = [read(ATTACK, code, seed) for seed in range(seeds)]
        seconds = (time.process_time() - begun) / seeds
        before = [read(alone, code, each)[0] for each in range(seeds)]
        row = {
            "code": name,
            "decoder_alone": round(sum(before) / seeds, 3),
            "undone": round(sum(known) / seeds, 3),
            "as_shipped": round(sum(each for each, _ in found) / seeds, 3),
            "undone_by": found[0][1],
            "processor_seconds": round(seconds, 1),
        }
        print(row, file=sys.stderr, flush=True)
        yield row


def page(table: list[dict[str, object]], seeds: int) -> Iterator[str]:
    """The lines of docs/results/codes.md."""
    yield "# What codes hide that destroy nothing\n"
    yield "Made by\n"
    yield "<!-- not run: takes minutes -->"
    yield "```bash\npython benchmarks/attacks/codes.py docs/results/codes.md\n```\n"
    yield (
        f"{ATTACKED} images of generated patients, {SIDE} x {SIDE}, behind one level of an encoder "
        f"as it is drawn, {seeds} seed{'' if seeds == 1 else 's'}; {AUXILIARY} auxiliary images, "
        f"messages of {MESSAGE} samples, `decoder-inversion` with {ATTACK.steps} steps and "
        f"{ATTACK.copies} copies. Shares of the blind guess's squared error that the attack "
        "removes: without looking for what undoes a code (`undo = false`), by somebody who knows "
        "the code and has undone it, and as it ships. *Of that*: the last over the one before it."
    )
    yield ""
    yield "| code | decoder alone | undone | as shipped | of that | undone by |"
    yield "|---|---|---|---|---|---|"
    for row in table:
        share = float(str(row["as_shipped"])) / float(str(row["undone"]))
        yield (
            f"| {row['code']} | {row['decoder_alone']:.2f} | {row['undone']:.2f} "
            f"| {row['as_shipped']:.2f} | {share:.0%} | {row['undone_by'] or 'nothing'} |"
        )
    short = [
        str(row["code"]) for row in table
        if float(str(row["as_shipped"])) < ENOUGH * float(str(row["undone"]))
    ]  # fmt: skip
    yield ""
    yield (
        f"{len(table) - len(short)} of {len(table)} are read to {ENOUGH:.0%} of what somebody "
        f"reads who knows the code. Not: {'; '.join(short) or 'none'}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    described = machine("torch")
    table = list(rows(given.seeds))
    store("codes", {"seeds": given.seeds, "rows": table}, described)
    if given.page is not None:
        given.page.write_text("\n".join(page(table, given.seeds)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

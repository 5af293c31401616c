"""Decoder inversion beside the recipe it comes from, on two convolutions.

Run ``python benchmarks/attacks/decoder_inversion.py``. 512 auxiliary images and 64 to recover,
1 x 32 x 32, behind 8 channels and then 16 at half the size. The recipe, written here from the
paper: transposed convolutions, Adam, mean squared error, ten epochs. Ours is the product's attack
on a server's view. Both in turn, over several encoders. Target: SSIM .98 in 5 s on two free cores;
where other work keeps them busy, processor time says what free ones would take.

The images are generated patients, unless ``LEAKAUDIT_REAL_DATA`` names a folder of real slices.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from exchange import Encoder, view
from images import Slices, slices
from torch import Generator, Tensor, nn

sys.path.append(str(Path(__file__).parents[1]))
from leakaudit.attacks.decoder_inversion import DecoderInversion
from recording import machine, store

from leakaudit.metrics import PeakSignalToNoise, StructuralSimilarity
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.view import Auxiliary

AUXILIARY, ATTACKED = 512, 64
TARGET_SSIM, TARGET_SECONDS = 0.98, 5.0
STEPS, CHANNELS = 600, 32  # what those seconds allow
EPOCHS, BATCH, RATE = 10, 32, 1e-3
CLIENT = "client"
SPLIT = SplitSpec(
    parties=(PartySpec(name=CLIENT, modalities=("FLAIR",)),),
    channels=(8, 16),
    party_levels=2,
    skips=(),
)


def client(seed: int) -> Encoder:
    """Two convolutions as they are drawn: nobody trained them to be easy or hard to invert."""
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
    ).requires_grad_(False)  # fmt: skip

    def send(images: Tensor, rng: Generator) -> dict[int, Tensor]:
        del rng  # no defense draws from it
        return {1: layers(images)}

    return send


def recipe(encoder: Encoder, known: Slices, attacked: Slices, seed: int) -> Tensor:
    """The published attack: a mirror image of the client, trained on pairs."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    decoder = nn.Sequential(
        nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 3, padding=1),
    )  # fmt: skip
    features, sent = encoder(known.images, rng)[1], encoder(attacked.images, rng)[1]
    optimiser = torch.optim.Adam(decoder.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features), generator=rng).split(BATCH):
            loss = (decoder(features[rows]) - known.images[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return decoder(sent).clamp(0, 1)


def product(encoder: Encoder, known: Slices, attacked: Slices, seed: int) -> Tensor:
    """The attack of an audit, on a server's view."""
    auxiliary = Auxiliary({CLIENT: known.images}, known.masks, known.patients)
    seen = view(
        SPLIT, {CLIENT: encoder}, {CLIENT: attacked.images}, attacked.patients, auxiliary,
        [(CLIENT, (1,))],
    )  # fmt: skip
    (guess,) = DecoderInversion(steps=STEPS, channels=CHANNELS)(seen, seed).values()
    return guess.values


def judged(
    attack: Callable[[Encoder, Slices, Slices, int], Tensor],
    known: Slices,
    attacked: Slices,
    seed: int,
) -> dict[str, float]:
    encoder = client(seed)
    started, busy = time.perf_counter(), time.process_time()
    found = attack(encoder, known, attacked, seed)
    seconds, processor = time.perf_counter() - started, time.process_time() - busy
    truth, guess = attacked.images.numpy(), found.numpy()
    return {
        "ssim": round(float(StructuralSimilarity()(truth, guess).mean()), 4),
        "psnr_db": round(float(PeakSignalToNoise()(truth, guess).mean()), 2),
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    described = machine("torch")
    drawn = slices(AUXILIARY + ATTACKED, channels=1)
    known, attacked = drawn.split(ATTACKED)
    results = [
        {
            "seed": seed,
            "recipe": judged(recipe, known, attacked, seed),
            "product": judged(product, known, attacked, seed),
        }
        for seed in range(given.seeds)
    ]
    ours = [result["product"] for result in results]
    least = min(each["ssim"] for each in ours)
    longest = float(np.median([each["processor_seconds"] for each in ours])) / given.threads
    store(
        "decoder-inversion" if drawn.source.startswith("generated") else "decoder-inversion-real",
        {
            "target_ssim": TARGET_SSIM,
            "target_seconds_on_two_free_cores": TARGET_SECONDS,
            "images": drawn.source,
            "auxiliary": len(known.images),
            "attacked": len(attacked.images),
            "steps": STEPS,
            "channels": CHANNELS,
            "threads": given.threads,
            "least_ssim_of_product": least,
            "processor_seconds_per_thread": round(longest, 2),
            "results": results,
        },
        described,
    )
    return 0 if least >= TARGET_SSIM and longest <= TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())

"""What splitting costs: a split training step against the same network in one piece.

Run ``python benchmarks/split_step.py``. Steps of both kinds alternate in pairs, so that a busy
machine slows both; the ratio is the median over pairs. Limit: 1.10.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable

import torch
from recording import machine, store

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.models.loss import segmentation_loss
from leakaudit.models.networks import WholeNetwork
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

LIMIT = 1.10
NAMES = ("t1", "t2", "flair")
SPLIT = SplitSpec(
    parties=tuple(PartySpec(name=name, modalities=(name,)) for name in NAMES),
    channels=(16, 32, 64, 128),
    party_levels=3,
)


def steps(samples: int, side: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """One split and one whole step, each with its own copy of the network and optimiser."""
    torch.manual_seed(0)
    images = {name: torch.rand(samples, 1, side, side) for name in NAMES}
    masks = (torch.rand(samples, 1, side, side) > 0.8).float()
    batch = Batch(images, masks, torch.arange(samples), 0, 0)
    network = Network(SPLIT, 1, (side, side), seed=0)
    twin = copy.deepcopy(network)
    whole = WholeNetwork([twin.party(name).encoder for name in NAMES], twin.server, twin.head)
    optimisers = [torch.optim.AdamW(module.parameters()) for module in (network, whole)]
    rngs, link = randomness(SPLIT, 0), Link()

    def split_step() -> None:
        network.zero_grad(set_to_none=True)
        exchange(network, link, batch, rngs)
        optimisers[0].step()

    def whole_step() -> None:
        whole.zero_grad(set_to_none=True)
        segmentation_loss(whole(list(images.values())), masks).backward()
        optimisers[1].step()

    return split_step, whole_step


def seconds(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    split_step, whole_step = steps(options.samples, options.side)
    for _ in range(3):
        split_step()
        whole_step()
    pairs = [(seconds(split_step), seconds(whole_step)) for _ in range(options.pairs)]
    ratios = sorted(split / whole for split, whole in pairs)
    ratio = statistics.median(ratios)
    store(
        "split-step",
        {
            "ratio": round(ratio, 3),
            "ratio_quartiles": [round(r, 3) for r in statistics.quantiles(ratios, n=4)],
            "limit": LIMIT,
            "pairs": options.pairs,
            "samples": options.samples,
            "side": options.side,
            "threads": options.threads,
            "milliseconds_split": round(1e3 * statistics.median(s for s, _ in pairs), 1),
        },
        machine("torch", "monai"),
    )
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

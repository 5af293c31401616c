"""What attacking many targets together saves: ``python benchmarks/attacks/shared_work.py``.

Four levels of three parties are attacked by decoder inversion, once in one go and once in twelve
runs of one target each. The encoders are as they are drawn, the images generated patients. Target:
at most half the time. Beside it, whether anything was lost: the share of the blind baseline's
squared error that each attack removes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from exchange import view
from images import MODALITIES, slices
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))
from leakaudit.attacks.decoder_inversion import DecoderInversion
from recording import machine, store

from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.models.networks import PartyEncoder
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.attack import Guesses
from leakaudit.threat.view import Auxiliary, Target

LIMIT = 0.5
LEVELS = ((0,), (1,), (2,), (3,))
SPLIT = SplitSpec(
    parties=tuple(PartySpec(name=name, modalities=(name,)) for name in MODALITIES),
    channels=(8, 16, 32, 64),
    party_levels=4,
)


class Exchange:
    """Three parties, some patients to attack and some of the adversary's own."""

    def __init__(self, attacked: int, auxiliary: int, side: int) -> None:
        torch.manual_seed(0)
        encoders = {
            name: PartyEndpoint(PartyEncoder(SPLIT, 1), []).requires_grad_(False)
            for name in MODALITIES
        }
        self.known, self.victims = slices(attacked + auxiliary, 3, side).split(attacked)
        self.encoders = encoders

    def images(self, party: str) -> tuple[Tensor, Tensor]:
        """The adversary's own, and those to recover."""
        at = MODALITIES.index(party)
        return self.known.images[:, at : at + 1], self.victims.images[:, at : at + 1]

    def attack(self, targets: list[tuple[str, tuple[int, ...]]], seed: int) -> Guesses:
        own = {name: self.images(name)[0] for name in MODALITIES}
        seen = view(
            SPLIT, self.encoders, {name: self.images(name)[1] for name in MODALITIES},
            self.victims.patients, Auxiliary(own, self.known.masks, self.known.patients), targets,
        )  # fmt: skip
        return DecoderInversion()(seen, seed)

    def advantage(self, target: Target, guess: Tensor) -> float:
        own, truth = self.images(target.victim)
        blind = own.mean(0, keepdim=True)
        left = (guess - truth).square().mean() / (blind - truth).square().mean()
        return 1 - left.item()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--attacked", type=int, default=24)
    parser.add_argument("--auxiliary", type=int, default=64)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    described = machine("torch")
    exchange = Exchange(given.attacked, given.auxiliary, given.side)
    targets = [(name, levels) for name in MODALITIES for levels in LEVELS]
    busy: dict[str, list[float]] = {"together": [], "apart": []}
    found: dict[str, list[list[float]]] = {"together": [], "apart": []}
    for seed in range(given.seeds):
        for way, runs in (("together", [targets]), ("apart", [[each] for each in targets])):
            started = time.process_time()
            guesses = [exchange.attack(each, seed) for each in runs]
            busy[way].append(time.process_time() - started)
            found[way].append(
                [
                    exchange.advantage(target, guess.values)
                    for each in guesses
                    for target, guess in each.items()
                ]
            )
    ratio = float(np.median(np.array(busy["together"]) / busy["apart"]))
    each = {way: np.array(values).mean(0) for way, values in found.items()}
    store(
        "shared-work",
        {
            "ratio_of_processor_time": round(ratio, 3),
            "limit": LIMIT,
            "targets": len(targets),
            "side": given.side,
            "attacked": given.attacked,
            "auxiliary": given.auxiliary,
            "seeds": given.seeds,
            "threads": given.threads,
            "processor_seconds": {
                way: round(float(np.median(times)), 1) for way, times in busy.items()
            },
            "mean_advantage": {way: round(float(v.mean()), 4) for way, v in each.items()},
            "advantage_by_target": {
                f"{party} {levels[0]}": [round(float(each[way][at]), 3) for way in each]
                for at, (party, levels) in enumerate(targets)
            },
        },
        described,
    )
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

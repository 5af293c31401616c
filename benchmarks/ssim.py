"""How much faster than scikit-image a batch's SSIM is: ``python benchmarks/ssim.py``.

Both run on the same float32 images, in turn, so that a busy machine slows both; the ratio is the
median over the rounds. The limit holds on two free cores: on one, our threads only take turns.

Where other work keeps the cores busy, wall time says how the scheduler divided them. Processor
time, of all threads, does not: what two free cores give lies between its ratio and twice that.

An environment with ``OPENBLAS_CORETYPE=Haswell``, as some images set it, holds numpy's OpenBLAS to
kernels of half the speed on a newer processor: unset it, or the result is kept under that name.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from recording import machine, store
from skimage.metrics import structural_similarity

from leakaudit.metrics import StructuralSimilarity

LIMIT = 6.0
IMAGES = 192


def compare(side: int, rounds: int, threads: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    reference = rng.random((IMAGES, side, side), dtype=np.float32)
    noise = rng.normal(0, 0.1, reference.shape)
    candidate = np.clip(reference + noise, 0, 1).astype(np.float32)
    metric = StructuralSimilarity(threads=threads)

    def ours() -> np.ndarray:
        return metric(reference, candidate)

    def theirs() -> list[float]:
        return [
            structural_similarity(
                a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
            )
            for a, b in zip(reference, candidate, strict=True)
        ]

    difference = float(np.abs(ours() - theirs()).max())
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    processor: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, function in (("ours", ours), ("theirs", theirs)):
            started, busy = time.perf_counter(), time.process_time()
            function()
            seconds[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - busy)
    return {
        "side": side,
        "threads": threads,
        "ratio": _ratio(seconds),
        "ratio_of_processor_time": _ratio(processor),
        "ratio_of_fastest": round(min(seconds["theirs"]) / min(seconds["ours"]), 2),
        "milliseconds_per_image": {
            name: round(float(np.median(times)) / IMAGES * 1000, 4)
            for name, times in seconds.items()
        },
        "largest_difference": difference,
    }


def _ratio(measured: dict[str, list[float]]) -> float:
    return round(float(np.median(np.array(measured["theirs"]) / measured["ours"])), 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    described = machine("numpy", "scikit-image", "scipy")
    results = [compare(side, given.rounds, threads) for side in (64, 128) for threads in (1, 2)]
    kernels = os.environ.get("OPENBLAS_CORETYPE", "")
    result = {
        "limit_ratio_on_two_free_cores": LIMIT,
        "kernels": kernels or "as OpenBLAS chose",
        "results": results,
    }
    store(f"ssim-{kernels.lower()}" if kernels else "ssim", result, described)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What recording costs: every message of an epoch, against the same epoch unrecorded.

Run ``python benchmarks/trace_overhead.py``. Recorded and unrecorded epochs alternate, so that a
busy machine slows both. A recorded epoch is timed until its trace is closed: the writer's thread
has nothing left to do in the following, unrecorded epoch.

Wall time says what a user waits; processor time, of all threads, what it costs where every core is
busy anyway. Memory is the peak resident size of a process that records n and 4 n samples.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from recording import machine, store

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.trace import TraceDescription, TracedSample
from leakaudit.trace.writer import TraceWriter
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

SPLIT = SplitSpec(
    parties=tuple(PartySpec(name=name, modalities=(name,)) for name in ("t1", "t2", "flair")),
    channels=(16, 32, 64, 128),
    party_levels=3,
)
SPACE = (64, 64)
BATCH = 16
LIMIT = 1.10


class Run:
    """A training run whose images are drawn per step, so that data takes no memory."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.network = Network(SPLIT, 1, SPACE, seed=0)
        self.rngs = randomness(SPLIT, 0)
        self.optimiser = torch.optim.AdamW(self.network.parameters())

    def description(self) -> TraceDescription:
        return TraceDescription(
            split=SPLIT,
            regions=("WT",),
            space=SPACE,
            seed=0,
            cohort_fingerprint="none",
            epochs_trained=1,
            epochs_recorded=(0,),
            samples=tuple(
                TracedSample(sample=number, patient=f"P{number // 4}")
                for number in range(self.samples)
            ),
        )

    def epoch(self, link: Link) -> None:
        for step, rows in enumerate(torch.arange(self.samples).split(BATCH)):
            images = {name: torch.rand(len(rows), 1, *SPACE) for name in SPLIT.party_names}
            masks = (images["flair"] > 0.5).float()
            self.optimiser.zero_grad(set_to_none=True)
            exchange(self.network, link, Batch(images, masks, rows, 0, step), self.rngs)
            self.optimiser.step()

    def recorded(self, folder: Path) -> None:
        with TraceWriter(folder, self.description()) as writer:
            self.epoch(Link([writer]))
            writer.snapshot(0, self.network)


def overhead(samples: int, pairs: int, folder: Path) -> dict[str, object]:
    run = Run(samples)
    run.epoch(Link())
    seconds: dict[str, list[float]] = {"plain": [], "recorded": []}
    processor: dict[str, list[float]] = {"plain": [], "recorded": []}
    size = 0
    for pair in range(pairs):
        # Which comes first alternates as well.
        for kind in (("plain", "recorded"), ("recorded", "plain"))[pair % 2]:
            started, busy = time.perf_counter(), time.process_time()
            if kind == "plain":
                run.epoch(Link())
            else:
                run.recorded(folder / "trace")
            seconds[kind].append(time.perf_counter() - started)
            processor[kind].append(time.process_time() - busy)
        size = sum(file.stat().st_size for file in (folder / "trace").iterdir())
        shutil.rmtree(folder / "trace")
    return {
        "samples": samples,
        "pairs": pairs,
        "trace_bytes": size,
        "seconds_plain": round(statistics.median(seconds["plain"]), 4),
        "seconds_recorded": round(statistics.median(seconds["recorded"]), 4),
        "ratio": _ratio(seconds),
        "ratio_of_fastest": round(min(seconds["recorded"]) / min(seconds["plain"]), 4),
        "ratio_of_processor_time": _ratio(processor),
    }


def _ratio(measured: dict[str, list[float]]) -> float:
    pairs = zip(measured["recorded"], measured["plain"], strict=True)
    return round(statistics.median(recorded / plain for recorded, plain in pairs), 4)


def peak_bytes(samples: int, threads: int) -> int:
    """Peak resident bytes of a fresh process that records so many samples."""
    command = [sys.executable, __file__, "--peak-of", str(samples), "--threads", str(threads)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    described = machine("torch", "safetensors", "monai")
    with tempfile.TemporaryDirectory() as folder:
        if given.peak_of:
            Run(given.peak_of).recorded(Path(folder) / "trace")
            # Linux counts kibibytes, macOS bytes.
            unit = 1 if sys.platform == "darwin" else 1024
            sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}\n")
            return
        result = overhead(given.samples, given.pairs, Path(folder))
    counts = (given.samples, 4 * given.samples)
    peaks = {str(count): peak_bytes(count, given.threads) >> 20 for count in counts}
    result |= {"threads": given.threads, "limit_ratio": LIMIT, "peak_mebibytes": peaks}
    store("trace-overhead", result, described)


if __name__ == "__main__":
    main()

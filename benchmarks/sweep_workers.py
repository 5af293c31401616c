"""What a second worker is worth: a sweep of 24 cells on two local workers against one.

Run ``python benchmarks/sweep_workers.py``. Each worker has one thread. Runs of both kinds alternate
(two, one, one, two, ...), each from nothing in a folder of its own, so that a busy machine slows
both; the ratio is the median over pairs of neighbours. Starting workers, writing the record and
everything else that does not share out is part of the time, so the ratio depends on how long a
cell takes; ``--epochs 6 --steps 25`` makes them two to three seconds each. Limit: 0.60.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

# Before torch is imported, here and in the workers.
os.environ["OMP_NUM_THREADS"] = "1"

from recording import machine, store

from leakaudit.audit.run import run_audit
from leakaudit.audit.runner import Tick
from leakaudit.plan.configuration import read_configuration

LIMIT = 0.60
CELLS = 24
CONFIGURATION = """
title = "24 cells"
seeds = [0]
[cohort]
use = "phantom"
patients = 36
slices_per_patient = 2
size = 64
seed = 7
[groups]
training = 16
auxiliary = 12
validation = 8
[split]
channels = [8, 16, 32]
party_levels = 2
parties = [{name = "T1", modalities = ["T1"]}, {name = "FLAIR", modalities = ["FLAIR"]}]
[training]
epochs = EPOCHS
batch_size = 8
references = ["pooled"]
[judgement]
dependence = false
lpips = "off"
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = STEPS
[[defenses]]
label = "none"
[[sweep]]
use = "dropout"
rate = { values = [0.1, 0.3, 0.5, 0.7, 0.9] }
[[sweep]]
use = "quantization"
bits = { values = [8, 6, 4, 2, 1] }
"""


def silent(tick: Tick) -> None:
    del tick


def seconds(folder: Path, workers: int, epochs: int, steps: int) -> float:
    """Wall time of the whole sweep, from the configuration to the record."""
    text = CONFIGURATION.replace("EPOCHS", str(epochs)).replace("STEPS", str(steps))
    file = folder / "audit.toml"
    file.write_text(text, encoding="utf-8")
    configuration, given = read_configuration(
        file, {"engine.workers": workers, "engine.threads": 1}
    )
    started = time.perf_counter()
    outcome = run_audit(configuration, given, folder / "run", watch=silent, command="benchmark")
    taken = time.perf_counter() - started
    if outcome.failures or outcome.computed != CELLS:
        raise RuntimeError(f"{outcome.computed} of {CELLS} cells, failures: {outcome.failures}")
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    described = machine("torch", "dask", "distributed")
    pairs, loads = [], []
    for number in range(options.pairs):
        order = (2, 1) if number % 2 == 0 else (1, 2)
        taken = {}
        for workers in order:
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
                taken[workers] = seconds(Path(folder), workers, options.epochs, options.steps)
            loads.append(round(os.getloadavg()[0], 2))
        pairs.append((taken[2], taken[1]))
    ratios = [two / one for two, one in pairs]
    ratio = statistics.median(ratios)
    store(
        "sweep-workers",
        {
            "ratio": round(ratio, 3),
            "ratios": [round(each, 3) for each in ratios],
            "limit": LIMIT,
            "cells": CELLS,
            "pairs": options.pairs,
            "epochs": options.epochs,
            "steps": options.steps,
            "threads_per_worker": 1,
            "seconds_two_workers": [round(two, 1) for two, _ in pairs],
            "seconds_one_worker": [round(one, 1) for _, one in pairs],
            "load_after_each_run": loads,
        },
        described,
    )
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

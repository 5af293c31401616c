"""Time and memory of large cohorts, by patients: ``python benchmarks/preparation.py``.

Made-up BraTS folders: four modalities of 64 x 64 x 24 voxels, used as eight slices of 128 x 128, so
that the samples are as many and as large as those of real volumes; reading a real volume takes as
much longer as it has voxels more. Four stages, each in a process of its own: `init` reads and
checks everything; `load` reads the samples; `store` prepares them for the workers; `epoch` is what
a worker does with them: one pass over all batches of four parties. Memory is what the process holds
itself (anonymous), sampled; pages mapped from the disk go when others need the room.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from recording import machine, store

MODALITIES = ("t1", "t1ce", "t2", "flair")
SHAPE = (64, 64, 24)
SETTINGS = {"slices_per_patient": 8, "size": 128}
STAGES = ("init", "load", "store", "epoch")


def write(folder: Path, patients: int) -> None:
    """Made-up patients, all different."""
    import nibabel

    where = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    for number in range(patients):
        rng = np.random.default_rng(number)
        axes = rng.uniform(0.6, 0.9, 3)[:, None, None, None]
        head = ((where / axes) ** 2).sum(0) < 1
        spot = ((where - rng.uniform(-0.3, 0.3, 3)[:, None, None, None]) ** 2).sum(0) < 0.05
        texture = rng.normal(size=SHAPE)
        own = folder / f"BraTS2021_{number:05d}"
        own.mkdir(parents=True)
        for name in MODALITIES:
            image = head * (300 + 100 * rng.uniform() * spot + 40 * texture * rng.uniform(0.5, 1))
            nibabel.save(
                nibabel.Nifti1Image(image.astype(np.int16), np.eye(4)),  # type: ignore[no-untyped-call]
                own / f"{own.name}_{name}.nii",
            )
        nibabel.save(
            nibabel.Nifti1Image((spot & head).astype(np.uint8), np.eye(4)),  # type: ignore[no-untyped-call]
            own / f"{own.name}_seg.nii",
        )


@contextmanager
def anonymous_peak() -> Iterator[Callable[[], int]]:
    """The most memory that this process held itself meanwhile, in bytes."""
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.05):
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            held = next(line for line in lines if line.startswith("RssAnon:"))
            peak = max(peak, int(held.split()[1]) * 1024)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: peak
    finally:
        over.set()
        thread.join()


def stage(name: str, folder: Path) -> dict[str, float]:
    """One stage, measured in this process."""
    import torch

    from leakaudit.cohorts.brats import BratsFolders
    from leakaudit.plan.prepared import Store, place_of, read
    from leakaudit.split import PartySpec, SplitSpec
    from leakaudit.training.data import hold

    torch.set_num_threads(1)
    source = BratsFolders.model_validate({"path": str(folder / "data"), **SETTINGS})
    note = folder / "fingerprint"
    with anonymous_peak() as peak:
        cohort = source.load() if name == "store" else None
        started = time.process_time()
        if name == "init":
            source.survey()
        elif name == "load":
            note.write_text(source.load().fingerprint(), encoding="ascii")
        elif cohort is not None:
            Store(folder / "store", cohort, note.read_text(encoding="ascii")).prepared()
        else:
            prepared = read(place_of(note.read_text(encoding="ascii"), folder / "store"))
            split = SplitSpec(
                parties=tuple(PartySpec(name=m, modalities=(m,)) for m in prepared.modalities)
            )
            holdings = hold(prepared, split)
            every = torch.arange(len(prepared.images))
            for batch in holdings.batches(every, 0, 8, torch.Generator().manual_seed(0)):
                assert batch.masks.shape[0] == len(batch.samples)
        seconds = time.process_time() - started
        time.sleep(0.1)
        return {"processor_seconds": round(seconds, 2), "peak_mib": round(peak() / 2**20, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[50, 500, 2000])
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        sys.stdout.write(json.dumps(stage(given.stage, given.folder)))
        return 0
    described = machine("numpy", "nibabel", "scikit-image", "torch")
    measured = []
    for patients in given.patients:
        with tempfile.TemporaryDirectory(prefix="leakaudit-benchmark-") as place:
            folder = Path(place)
            write(folder / "data", patients)
            row: dict[str, object] = {"patients": patients}
            for name in STAGES:
                command = [sys.executable, __file__, "--stage", name, "--folder", place]
                ran = subprocess.run(command, check=True, capture_output=True, text=True)
                row[name] = json.loads(ran.stdout)
            measured.append(row)
    store("preparation", {"settings": SETTINGS, "voxels": SHAPE, "measured": measured}, described)
    return 0


if __name__ == "__main__":
    sys.exit(main())

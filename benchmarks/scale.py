"""What an audit in three dimensions costs: ``python benchmarks/scale.py``.

One training, recorded at its last epoch, and one decoder inversion, of generated volumes. One thing
is changed at a time (side of the cubes, patients, parties, levels), each in a process of its own.
Processor time and peak memory are that process's; the trace is what lies on the disk.
``--page docs/scale.md`` writes the latest result as a table, with what larger audits come to, and
the latest of ``preparation.py``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import FOLDER, machine, store

MODALITIES = ("T1", "T1Gd", "T2", "FLAIR")
USUAL = {"side": 24, "patients": 20, "parties": 2, "levels": 1}
CHANGED = {"side": (16, 32, 48), "patients": (40, 80), "parties": (4,), "levels": (2,)}
EPOCHS = 2
STEPS = 20

WANTED = {"side": 96, "patients": 100, "parties": 4, "levels": 2}
QUANTITIES = {
    "training_seconds": "training, s",
    "attack_seconds": "attack, s",
    "training_peak_mib": "training, MiB",
    "peak_mib": "attack, MiB",
    "trace_mib": "trace, MiB",
}
PAGE = """# Three dimensions, and how far it goes

What one training and one attack cost, of generated volumes, on one thread:

```bash
python benchmarks/scale.py
python benchmarks/scale.py --page docs/scale.md
```

Measured on {date}: {epochs} epochs of training, the last one recorded, with the control of the
messages; one decoder inversion of {steps} steps at every level, before it also looked for what
undoes a code. Half of the patients are trained on and attacked. Times are processor seconds.

{table}

The last row, in italics, was **not measured**. It is the product of what each change alone comes
to, each along the straight line through its two largest measured values (of voxels, for the side).

- **Linear**: the trace, in voxels, patients, and parties; training, in voxels and patients, beyond
  what it takes to start.
- **Less than linear**: the attack in patients, because its steps are as many whatever the patients;
  memory, which holds batches and what is being attacked, but not the cohort, which all processes
  map from the disk.
- **More than linear**: the attack in levels, each attacked alone and all together.
- A run takes seeds x settings trainings, and as many attacks by each adversary; controls are more.
  Epochs and steps multiply their part. `keep_traces = false` under `[engine]` keeps the traces of
  the cells under way alone.
- `training.device = "cuda"` trains and attacks on a GPU; no figures of one are here.

## Patients

Reading and preparing 50, 500 and 2,000 patients of four modalities, eight slices of 128 x 128 each
(from small made-up volumes: reading a real one takes as much longer as it has voxels more):

```bash
python benchmarks/preparation.py
python benchmarks/scale.py --page docs/scale.md
```

{patients}

Time is linear. A worker, which maps the prepared samples, holds the same whatever the number of
patients. The process that reads the cohort does not: labels and masks of everybody are in its
memory.
"""

Setting = dict[str, int]


def configuration(setting: Setting) -> str:
    """The audit as a file would say it."""
    names = MODALITIES[: setting["parties"]]
    parties = ", ".join(f'{{ name = "{name}", modalities = ["{name}"] }}' for name in names)
    return f"""
seeds = [0]
[cohort]
use = "phantom"
patients = {setting["patients"]}
dimensions = 3
size = {setting["side"]}
depth = {setting["side"]}
[split]
parties = [{parties}]
dimensions = 3
channels = [8, 16, 32]
party_levels = {setting["levels"]}
[training]
epochs = {EPOCHS}
batch_size = 2
[judgement]
dependence = false
lpips = "off"
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = {STEPS}
"""


def _nobody(stage: str, done: float) -> None:
    del stage, done


def measure(setting: Setting, folder: Path) -> dict[str, float]:
    """Train, record and attack in this process."""
    import torch

    from leakaudit.cells.attack_cell import run_attack
    from leakaudit.cells.training_cell import TRACE_FOLDER, run_training
    from leakaudit.cohorts.groups import split_patients
    from leakaudit.plan.cells import CohortChoice
    from leakaudit.plan.configuration import read_configuration
    from leakaudit.plan.materials import Materials, load_cohort
    from leakaudit.plan.plan import make_plan

    torch.set_num_threads(1)
    file = folder / "audit.toml"
    file.write_text(configuration(setting), encoding="utf-8")
    asked, _ = read_configuration(file)
    started = time.process_time()
    cohort = load_cohort(asked.cohort.use, asked.cohort.settings)
    choice = CohortChoice(
        cohort=asked.cohort, groups=asked.groups, fingerprint=cohort.fingerprint()
    )
    given = Materials(cohort, split_patients(cohort, asked.groups), cohort.masks())
    plan = make_plan(asked, choice, given, None)
    loaded = time.process_time()
    (training,) = plan.trainings.values()
    (folder / "training").mkdir()
    run_training(training, folder / "training", _nobody)
    trained = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    attack = next(cell for name, cell in plan.attacks.items() if not name.shuffled)
    (folder / "attack").mkdir()
    run_attack(attack, folder / "training" / TRACE_FOLDER, folder / "attack", _nobody)
    attacked = time.process_time()
    trace = sum(each.stat().st_size for each in (folder / "training" / TRACE_FOLDER).iterdir())
    return {
        "data_seconds": round(loaded - started, 1),
        "training_seconds": round(trained - loaded, 1),
        "attack_seconds": round(attacked - trained, 1),
        "training_peak_mib": round(memory / 2**10),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
        "trace_mib": round(trace / 2**20, 1),
    }


def extrapolated(measured: list[dict[str, float]], quantity: str, wanted: Setting) -> float:
    """What a quantity comes to: along each change the line through its two largest, multiplied."""
    usual = next(each for each in measured if all(each[name] == USUAL[name] for name in USUAL))
    found = usual[quantity]
    for what in USUAL:
        alone = [each for each in measured if all(each[o] == USUAL[o] for o in USUAL if o != what)]
        (x1, y1), (x2, y2) = sorted((_size(what, each[what]), each[quantity]) for each in alone)[
            -2:
        ]
        there = y1 + (y2 - y1) / (x2 - x1) * (_size(what, wanted[what]) - x1)
        found *= there / usual[quantity]
    return found


def _size(what: str, value: float) -> float:
    return value**3 if what == "side" else value


def page(result: dict[str, Any]) -> str:
    """The measured rows, and what they come to at :data:`WANTED`."""
    heads = [*USUAL, *QUANTITIES.values()]
    rows = [
        [str(each[name]) for name in USUAL] + [f"{each[name]:,}" for name in QUANTITIES]
        for each in result["measured"]
    ]
    far = [f"{extrapolated(result['measured'], name, WANTED):,.0f}" for name in QUANTITIES]
    rows.append([f"*{WANTED[name]}*" for name in USUAL] + [f"*{value}*" for value in far])
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return PAGE.format(
        patients=_patients(),
        table=table,
        date=result["date"],
        epochs=result["epochs"],
        steps=result["attack_steps"],
    )


def _patients() -> str:
    """The latest result of ``preparation.py``, as a table."""
    latest = json.loads(max(FOLDER.glob("preparation-*.json")).read_text("utf-8"))
    stages = {
        "init": "init",
        "load": "reading for a run",
        "store": "preparing",
        "epoch": "a worker",
    }
    heads = ["patients", *(f"{each}, s" for each in stages.values())]
    heads += [f"{each}, MiB" for each in stages.values()]
    rows = [
        [f"{row['patients']:,}", *(f"{row[name]['processor_seconds']:,}" for name in stages)]
        + [f"{row[name]['peak_mib']:,.0f}" for name in stages]
        for row in latest["measured"]
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--most-side", type=int, default=48, help="leave larger patches out")
    parser.add_argument("--page", type=Path, help="write the latest result there")
    given = parser.parse_args()
    if given.page:
        latest = max(FOLDER.glob("scale-*.json"))
        given.page.write_text(page(json.loads(latest.read_text("utf-8"))), encoding="utf-8")
        return 0
    if given.only is not None:
        with tempfile.TemporaryDirectory(prefix="leakaudit-benchmark-") as place:
            sys.stdout.write(json.dumps(measure(given.only, Path(place))))
        return 0
    described = machine("torch", "monai")
    settings = [USUAL, *(USUAL | {what: to} for what, each in CHANGED.items() for to in each)]
    measured = []
    for setting in settings:
        if setting["side"] > given.most_side:
            continue
        command = [sys.executable, __file__, "--only", json.dumps(setting)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        measured.append(setting | json.loads(ran.stdout))
    store("scale", {"epochs": EPOCHS, "attack_steps": STEPS, "measured": measured}, described)
    return 0


if __name__ == "__main__":
    sys.exit(main())

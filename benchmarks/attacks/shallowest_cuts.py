"""Decoder inversion at the shallowest cut of every network that is ready to be audited.

Run ``python benchmarks/attacks/shallowest_cuts.py``. An undefended audit of generated patients at
one party, once per network, cut after its first, second and deepest stage (where nothing passes
by, after the first alone). Target: an advantage of .8 at the shallowest cut, in SSIM of the
foreground over the blind guess, as verdicts read it. All of these networks keep the image there:
where the attack falls short, the attack is to blame.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "tests"))
from in_process_audit import Trial
from networks_to_cut import NETWORKS, cut
from recording import machine, store

from leakaudit.audit.preflight import fitted
from leakaudit.cells.scores import PRIMARY
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import load_cohort

TARGET = 0.8
REFERENCE = "split-u-net"
FIRST_ALONE = {"UNet", "AttentionUnet"}


def asked(name: str, given: argparse.Namespace) -> AuditConfiguration:
    """The audit of one network."""
    split: dict[str, Any] = {"parties": [{"name": "hospital", "modalities": ["T1"]}]}
    model: Mapping[str, Any] = {}
    if name == REFERENCE:
        split |= {"channels": [8, 12, 16], "party_levels": 3}
    else:
        model = {"model": cut(name, 1 if name in FIRST_ALONE else 3)}
    return AuditConfiguration.model_validate(
        {
            "seeds": list(range(given.seeds)),
            "cohort": {
                "use": "phantom", "patients": given.patients, "slices_per_patient": 2,
                "size": 64 if name == "SwinUNETR" else 32,
            },
            "groups": {"training": 0.5, "auxiliary": 0.4, "validation": 0.1},
            "split": split,
            **model,
            "training": {"epochs": 4, "batch_size": 4},
            "recording": {"epochs": "last"},
            "adversaries": [{"preset": "curious-server"}],
            "attacks": [{"use": "decoder-inversion", "steps": given.steps}],
            "judgement": {"lpips": "off", "dependence": False},
        }
    )  # fmt: skip


def judged(name: str, given: argparse.Namespace) -> dict[str, float]:
    configuration = asked(name, given)
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    busy = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        record = Trial(fitted(configuration, cohort), Path(folder)).record()
    shallowest = record.split.cut_names[:1]
    (found,) = (
        each
        for each in record.findings
        if (each.metric, each.region) == PRIMARY["images"] and each.cuts == shallowest
    )
    assert found.advantage is not None, "its ceiling lies above its blind"
    return {
        "advantage": round(found.advantage.mean, 3),
        "ssim": round(found.estimate.mean, 3),
        "blind_ssim": float("nan") if found.blind is None else round(found.blind.mean, 3),
        "processor_seconds": round(time.process_time() - busy, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", metavar="NETWORK", help="this one alone; nothing is kept")
    given = parser.parse_args()
    torch.set_num_threads(1)
    described = machine("torch", "monai", "dynamic-network-architectures")
    results = {}
    for name in (given.only,) if given.only else (REFERENCE, *NETWORKS):
        results[name] = judged(name, given)
        sys.stderr.write(f"{name}: {results[name]}\n")
    least = min(each["advantage"] for each in results.values())
    if not given.only:
        effort = {key: vars(given)[key] for key in ("seeds", "patients", "steps")}
        store(
            "shallowest-cuts",
            {"target": TARGET, **effort, "least_advantage": least, "results": results},
            described,
        )
    return 0 if least >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

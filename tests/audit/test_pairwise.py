"""Every pair of choices met once: each cell is done, or refused with its reason before training."""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from frugal import frugal
from in_process_audit import Trial

from leakaudit import plugins
from leakaudit.errors import ConfigurationError
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.defending import check_defenses
from leakaudit.plan.plan import AttackId, TrainingId
from leakaudit.plugins import Kind
from leakaudit.threat.knowledge import PRESETS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Orientation, dimensions, who holds the labels. Every second one has every choice in it.
SPLITS = (
    ("vertical", 2, "b"), ("vertical", 3, "b"), ("horizontal", 3, "server"),
    ("horizontal", 2, "server"), ("vertical", 2, "server"), ("vertical", 3, "server"),
)  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "gaussian-noise": {"noise_multiplier": 2.0, "clip_norm": 1.0, "direction": "both"},
    "laplace-noise": {"noise_multiplier": 2.0, "clip_norm": 1.0},
    "gradient-clip-noise": {"noise_multiplier": 2.0, "clip_norm": 1.0},
    "dropout": {"rate": 0.5},
    "skip-withholding": {"cuts": (0,)},
    "distance-correlation": {"weight": 0.5},
    "adversarial-decoder": {"weight": 0.5, "width": 4},
    "quantization": {"bits": 4},
    "bottleneck": {"keep": 0.5},
    "patch-shuffle": {"grid": 2},
    "channel-pruning": {"keep": 0.5},
    "learned-noise": {"weight": 0.1},
    "dp-sgd": {"clip_norm": 1.0, "noise_multiplier": 1.0},
}
STACKS: dict[str, list[dict[str, Any]]] = {
    **{
        name: [{"use": name, **NEEDED.get(name, {})}]
        for name in plugins.names(Kind.DEFENSE)
        if name != "none"
    },
    "none": [],
    "two": [{"use": "keyed-rotation"}, {"use": "gaussian-noise", **NEEDED["gaussian-noise"]}],
}
ATTACKS: dict[str, dict[str, Any]] = {
    name: {"use": name, **frugal(name)} for name in plugins.names(Kind.ATTACK)
}


@dataclass(frozen=True)
class Case:
    """One cell: a split, a stack of defenses, an attack, an adversary."""

    split: tuple[str, int, str]
    stack: str
    attack: str
    adversary: str

    def pairs(self) -> set[tuple[object, object]]:
        orientation, dimensions, labels = self.split
        values = (
            ("orientation", orientation), ("dimensions", dimensions), ("labels", labels),
            ("stack", self.stack), ("attack", self.attack), ("adversary", self.adversary),
        )  # fmt: skip
        return set(itertools.combinations(values, 2))


def covering() -> list[Case]:
    """Cells in which every two choices that exist together stand side by side.

    Every stack meets every attack once; the split and the adversary of that meeting are those that
    bring most pairs not met yet, of few splits for each stack, since each is a training.
    """
    met: set[tuple[object, object]] = set()
    cases = []
    for number, stack in enumerate(STACKS):
        few = SPLITS[number % 2 :: 2]
        for attack in ATTACKS:
            best = max(
                (Case(split, stack, attack, who) for split in few for who in PRESETS),
                key=lambda case: len(case.pairs() - met),
            )
            met |= best.pairs()
            cases.append(best)
    return cases


CASES = covering()


def wanted() -> Iterator[tuple[object, object]]:
    for split, stack, attack, who in itertools.product(SPLITS, STACKS, ATTACKS, PRESETS):
        yield from Case(split, stack, attack, who).pairs()


def test_every_pair_is_met() -> None:
    assert not set(wanted()) - set().union(*(case.pairs() for case in CASES))


def configured(split: tuple[str, int, str], stack: str, cases: list[Case]) -> AuditConfiguration:
    orientation, dimensions, labels = split
    held = (["T1"], ["FLAIR"]) if orientation == "vertical" else (["T1"], ["T1"])
    attacks = {case.attack: {case.adversary} for case in cases}
    return AuditConfiguration.model_validate(
        {
            "seeds": [0],
            "cohort": {
                "use": "phantom", "patients": 13, "slices_per_patient": 2, "size": 16,
                "depth": 12, "dimensions": dimensions,
            },
            "groups": {"training": 6, "auxiliary": 5, "validation": 2},
            "split": {
                "orientation": orientation, "dimensions": dimensions, "labels_at": labels,
                "parties": [
                    {"name": name, "modalities": each}
                    for name, each in zip("ab", held, strict=True)
                ],
                "channels": [4, 8], "party_levels": 2,
            },
            "training": {"epochs": 2, "batch_size": 4},
            "recording": {"epochs": "all", "weight_updates": 2},
            "adversaries": [
                {"preset": name} | ({"members": ["a"]} if name == "curious-party" else {})
                for name in PRESETS
            ],
            "attacks": [
                {**ATTACKS[name], "label": name, "adversaries": sorted(who)}
                for name, who in attacks.items()
            ],
            "defenses": [
                {"label": "none", "stack": []},
                *([{"label": stack, "stack": STACKS[stack]}] if STACKS[stack] else []),
            ],
            "judgement": {"lpips": "off", "dependence": False},
        }
    )  # fmt: skip


GROUPS: dict[tuple[tuple[str, int, str], str], list[Case]] = defaultdict(list)
for each in CASES:
    GROUPS[each.split, each.stack].append(each)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group[1]} {group[0]}")
def test_is_done_or_refused_before_training(
    group: tuple[tuple[str, int, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As frugal as the attacks: what is asked here is how cells end, not how well anything guesses.
    monkeypatch.setattr("leakaudit.cells.blind._STEPS", 2)
    split, stack = group
    configuration = configured(split, stack, GROUPS[group])
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = Trial(configuration, Path(folder))
            check_defenses(configuration.swept, trial.choice, trial.given)
        except ConfigurationError:
            return
        for case in GROUPS[group]:
            identity = AttackId(TrainingId(stack, 0), case.adversary, case.attack)
            result = trial.attack(identity)
            assert result.status in ("done", "not mountable"), (case, result.reason)
            assert bool(result.scores) == (result.status == "done"), case
            assert bool(result.reason) == (result.status == "not mountable"), case

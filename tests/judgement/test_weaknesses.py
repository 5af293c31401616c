"""An audit chosen to find little says so: every way of choosing is a sentence in its record."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audit import small_audit

from leakaudit.cells.finished import Finished
from leakaudit.cells.training_cell import TrainingResult
from leakaudit.cohorts import Cohort
from leakaudit.cohorts.groups import split_patients
from leakaudit.judgement.weaknesses import weaknesses
from leakaudit.plan.materials import Materials, load_cohort
from leakaudit.plan.plan import TrainingId
from leakaudit.plan.tables import Use
from leakaudit.plugins import Kind, names

CLOSE: dict[str, Any] = {
    "cohort.patients": 40, "cohort.slices_per_patient": 2, "groups.training": 16,
    "groups.auxiliary": 16, "groups.validation": 8, "training.epochs": 4,
    "adversaries": [{"preset": "curious-server"}, {"preset": "curious-party", "members": ["a"]}],
    "attacks": [{"use": name} for name in names(Kind.ATTACK)],
}  # fmt: skip


@cache
def drawn(use: str) -> Cohort:
    chosen = Use.model_validate_json(use)
    return load_cohort(chosen.use, chosen.settings)


def told(
    folder: Path,
    changes: dict[str, Any] | None = None,
    losses: tuple[float, ...] = (1.6, 1.0, 0.7, 0.6),
    recorded: tuple[int, ...] = (3,),
    brighter: float = 1.0,
) -> str:
    """All sentences on an audit that looks closely, but for what is changed."""
    configuration, _ = small_audit(folder, changes=CLOSE | (changes or {}))
    cohort = drawn(configuration.cohort.model_dump_json())
    given = Materials(cohort, split_patients(cohort, configuration.groups), cohort.masks())
    if brighter != 1.0:
        images = given.cohort.images.copy()
        other = np.isin(given.cohort.patients, given.groups.patients["auxiliary"])
        images[other] *= brighter
        given = replace(given, cohort=replace(given.cohort, images=images))
    result = TrainingResult.model_construct(losses=losses, recorded_epochs=recorded, utility={})
    done = Finished({TrainingId("none", 0): result}, {}, {}, ())
    return "\n".join(weaknesses(configuration, given, done))


def test_an_audit_that_looks_closely_has_none(tmp_path: Path) -> None:
    assert told(tmp_path) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"victims": 1}, "only 1 of the patients were attacked"),
        ({"victims": 12}, "12 of 16 training patients were attacked"),
        ({"groups.auxiliary": 2}, "has 2 patients of its own"),
        ({"cohort.slices_per_patient": 1}, "is one slice"),
        (
            {"adversaries": [{"name": "x", "position": "server"}]},
            "x knows less than one of its position usually does, lacking queries, auxiliary-images",
        ),
        ({"adversaries": [{"preset": "curious-party", "members": ["a"]}]}, "nobody .* the server"),
        ({"adversaries": [{"preset": "curious-server"}]}, "no party attacks another"),
        ({"attacks": [{"use": "mask-inference"}]}, "curious-server could .* decoder-inversion"),
        (
            {"attacks": [{"use": "decoder-inversion", "steps": 3}]},
            r"hardly tried: steps = 3 \(usually",
        ),
        ({"judgement.threshold": 0.9}, "judgement.threshold is 0.9"),
        ({"judgement.patient_threshold": 0.99}, "judgement.patient_threshold is 0.99"),
    ],
)
def test_each_choice_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    assert re.search(says, told(tmp_path, changes))


def test_a_network_that_learnt_nothing(tmp_path: Path) -> None:
    assert "had learnt nothing" in told(tmp_path, losses=(1.65, 1.65, 1.65, 1.64))
    assert "had learnt nothing" in told(tmp_path, losses=(1.65, float("nan")))


def test_an_epoch_before_anything_was_learnt(tmp_path: Path) -> None:
    assert "of 4 epochs the last was not recorded, the latest being 1" in told(
        tmp_path, recorded=(0,)
    )


def test_auxiliary_patients_unlike_the_victims(tmp_path: Path) -> None:
    assert "unlike the attacked ones (brightness of T1" in told(tmp_path, brighter=0.5)


def test_patients_drawn_alike_are_seldom_told_unlike(tmp_path: Path) -> None:
    found = [told(tmp_path, {"groups.seed": seed}) for seed in range(20)]
    assert sum("unlike" in each for each in found) <= 1

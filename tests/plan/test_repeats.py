"""Seeds are of trainings; an attack's repeats are nested in each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakaudit.cells.attack_cell import AttackResult
from leakaudit.cells.cell_judge import CurveValues, TargetScores
from leakaudit.judgement.gathering import gather
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.materials import load_cohort, materials
from leakaudit.plan.plan import AttackId, Plan, TrainingId, attack_seeds, make_plan
from leakaudit.split import SplitSpec
from tests.small_audit import small_audit

SPLIT = SplitSpec.model_validate({"parties": [{"name": "a", "modalities": ["T1"]}]})


def planned(folder: Path, **changes: Any) -> Plan:
    configuration, _ = small_audit(folder, changes={"seeds": [3, 4], **changes})
    fingerprint = load_cohort("phantom", configuration.cohort.settings).fingerprint()
    choice = CohortChoice(
        cohort=configuration.cohort, groups=configuration.groups, fingerprint=fingerprint
    )
    return make_plan(configuration, choice, materials(choice), None)


def test_repeats_add_attacks_and_no_training_and_leave_the_others_names_alone(
    tmp_path: Path,
) -> None:
    once, thrice = planned(tmp_path), planned(tmp_path, attack_repeats=3)
    assert thrice.trainings == once.trainings
    # Two seeds of an attack, and its control on shuffled pairs once: repeats are the attack's own.
    assert (len(once.attacks), len(thrice.attacks)) == (2 + 1, 2 * 3 + 1)
    shared = {name: cell.key() for name, cell in thrice.attacks.items() if not name.repeat}
    assert shared == {name: cell.key() for name, cell in once.attacks.items()}
    keys = [cell.key() for cell in thrice.attacks.values()]
    assert len(set(keys)) == len(keys)
    later = [cell for name, cell in thrice.attacks.items() if name.repeat]
    assert not any(cell.pictures for cell in later)


def test_every_repeat_has_luck_of_its_own() -> None:
    every = [seed for training in range(50) for seed in attack_seeds(training, 20)]
    assert len(set(every)) == len(every)
    assert attack_seeds(7, 1) == (7,)
    assert attack_seeds(7, 5)[:2] == attack_seeds(7, 2)


def scored(*values: float | None, curve: dict[int, float]) -> AttackResult:
    score = TargetScores(
        victim="a", asset="images", levels=(0,), metric="ssim", region="foreground",
        values=values, blind=(0.2,) * len(values), samples=4, chance=None,
        curve=tuple(
            CurveValues(effort=effort, values=(value,) * len(values))
            for effort, value in curve.items()
        ),
    )  # fmt: skip
    return AttackResult(status="done", patients=("p0", "p1"), scores=(score,))


def of(seed: int, repeat: int) -> AttackId:
    return AttackId(TrainingId("none", seed), "server", "inversion", repeat=repeat)


def test_a_row_is_a_training_and_its_value_the_mean_of_its_repeats() -> None:
    results = {
        of(0, 0): scored(0.2, 0.4, curve={10: 0.1, 20: 0.3}),
        of(1, 0): scored(0.8, 0.8, curve={10: 0.3, 20: 0.5}),
        of(0, 1): scored(0.4, 0.8, curve={10: 0.3, 20: 0.5, 40: 0.9}),
        of(1, 1): scored(0.6, 0.6, curve={10: 0.5, 20: 0.7}),
    }
    (found,) = gather(results.items(), SPLIT).values()
    np.testing.assert_allclose(found.values, [[0.3, 0.6], [0.7, 0.7]])
    np.testing.assert_allclose(found.blind, 0.2)
    # An amount of effort counts where every repeat of every training measured it.
    assert list(found.curve) == [10, 20]
    np.testing.assert_allclose(found.curve[20], [[0.4, 0.4], [0.6, 0.6]])
    assert found.samples == 16


@pytest.mark.parametrize("lacking", [0, 1])
def test_what_one_repeat_lacks_is_missing_and_not_averaged_away(lacking: int) -> None:
    values = [[0.5, 0.5], [0.5, 0.5]]
    values[lacking][1] = None  # type: ignore[call-overload]
    results = {of(0, repeat): scored(*row, curve={}) for repeat, row in enumerate(values)}
    (found,) = gather(results.items(), SPLIT).values()
    assert np.isnan(found.values).tolist() == [[False, True]]

"""One patient among many who leaks a mask, or is picked out every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakaudit.judgement.silence import (
    ADVERSARY,
    SETTING,
    UNDEFENDED,
    VICTIM,
    Design,
    controls_of,
    finding_id,
    silent,
)
from leakaudit.judgement.unfinished import Planned
from leakaudit.judgement.verdicts import controls, verdicts
from leakaudit.record import Asset, Verdict
from leakaudit.record.power import Spread

PLANTED = 3


# A guess that is much the same under every seed, as of an attack that has nothing to read.
STEADY = Spread(patient=0.17, seed=0.01, rest=0.02)


def judged(asset: Asset, seed: int, planted: float | None) -> Verdict:
    design = Design(asset, patients=15, seeds=5)
    series = silent(design, np.random.default_rng(seed), STEADY)
    if planted is not None:
        values = series.values.copy()
        values[:, PLANTED] = planted
        values[:, PLANTED] += 0.01 * np.arange(5) * (asset == "masks")
        series = replace(series, values=values, curve={1: values, 2: values})
    gathered = {finding_id(design, SETTING): series, **controls_of(design)}
    (found,) = verdicts(
        gathered, controls(gathered, UNDEFENDED), [(SETTING, ADVERSARY, VICTIM, asset, "")],
        Planned(5), undefended=UNDEFENDED, threshold=0.5,
    )  # fmt: skip
    return found


def test_the_mask_of_one_patient_is_a_leak_of_one_patient() -> None:
    found = judged("masks", 0, 0.93)
    assert found.verdict == "leak shown"
    assert "1 of 15 patients" in found.reason
    assert found.single is not None
    assert found.single.patient == f"p{PLANTED:05d}"


def test_guesses_that_fit_some_masks_better_name_nobody() -> None:
    """Advantages between patients differ by .17 where nothing leaks."""
    found = [judged("masks", seed, None).single for seed in range(100)]
    assert sum(each is not None and each.leaking > 0 for each in found) <= 2


def test_who_is_picked_out_under_every_seed_keeps_silence_from_counting() -> None:
    found = judged("identity", 0, 1.0)
    assert found.verdict != "none shown"
    assert f"1 patient (p{PLANTED:05d}) picked out under every seed" in found.doubts


def test_luck_picks_nobody_out_every_time() -> None:
    said = [doubt for seed in range(100) for doubt in judged("identity", seed, None).doubts]
    assert not [doubt for doubt in said if "every seed" in doubt]

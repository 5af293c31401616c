"""What power promises is what simulated audits do, and what people type tells them so."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from leakaudit.judgement.foreseen import foresee, measured_spreads
from leakaudit.judgement.power import PROMISE, enough, reach, smallest_of_the_worst
from leakaudit.judgement.silence import (
    ADVERSARY,
    SETTING,
    STATED,
    UNDEFENDED,
    VICTIM,
    Design,
    controls_of,
    finding_id,
    silent,
)
from leakaudit.judgement.simulated import simulate
from leakaudit.judgement.unfinished import Planned
from leakaudit.judgement.verdicts import controls, verdicts
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.sizes import planned_sizes
from leakaudit.record.power import Spread

IMAGES = Design("images", patients=20, seeds=5)
WIDE = Spread(patient=0.15, seed=0.03, rest=0.1)
ANY = 0.999  # of a single patient: what is held against simulation here is the mean


def share_of_none_shown(
    design: Design, threshold: float, *, series: int, spread: Spread | None, audits: int = 80
) -> float:
    """Whole audits of attacks that find nothing, with other luck than power's own."""
    base = controls_of(design)
    named = [
        replace(finding_id(design, SETTING), cuts=(f"level {level}",)) for level in range(series)
    ]
    known = {
        (replace(key, cuts=cuts), kind): control
        for (key, kind), control in controls(base, UNDEFENDED).items()
        for cuts in [name.cuts for name in named]
    }
    question = (SETTING, ADVERSARY, VICTIM, design.asset, "")
    said = []
    for number in range(audits):
        rng = np.random.default_rng([7, number])
        found = {**base, **{key: silent(design, rng, spread) for key in named}}
        (verdict,) = verdicts(
            found, known, [question], Planned(design.seeds), undefended=UNDEFENDED,
            threshold=threshold, patient_threshold=ANY,
        )  # fmt: skip
        said.append(verdict.verdict == "none shown")
    return float(np.mean(said))


@pytest.mark.parametrize(
    ("design", "series", "spread"),
    [
        (IMAGES, 3, WIDE),
        (Design("masks", patients=20, seeds=5), 1, Spread(patient=0.2, seed=0.01, rest=0.15)),
        (Design("identity", patients=20, seeds=5), 2, None),
    ],
    ids=["images", "masks", "identity"],
)
def test_what_would_do_does_and_half_of_it_does_not(
    design: Design, series: int, spread: Spread | None
) -> None:
    found = enough(design, 0.1, series=series, spread=spread, patient_threshold=ANY)
    assert found is not None
    assert found.seeds == 5
    recommended = replace(design, patients=found.patients)
    half = replace(design, patients=found.patients // 2)
    done = share_of_none_shown(recommended, 0.1, series=series, spread=spread)
    missed = share_of_none_shown(half, 0.1, series=series, spread=spread)
    # 80 audits at .8 stray by .045.
    assert done >= PROMISE - 0.12
    assert missed < PROMISE - 0.12


def test_the_smallest_leak_is_the_threshold_that_four_of_five_audits_keep() -> None:
    found = reach(IMAGES, 0.1, series=2, spread=WIDE, patient_threshold=ANY)
    assert found.smallest is not None
    at = share_of_none_shown(IMAGES, found.smallest, series=2, spread=WIDE)
    below = share_of_none_shown(IMAGES, found.smallest / 2, series=2, spread=WIDE)
    assert at >= PROMISE - 0.12
    assert below < 0.5


def test_more_patients_seeds_or_calm_exclude_less_and_more_attacks_more() -> None:
    def smallest(design: Design = IMAGES, series: int = 1, spread: Spread = WIDE) -> float:
        found = reach(design, 0.1, series=series, spread=spread).smallest
        assert found is not None
        return found

    middle = smallest()
    assert smallest(replace(IMAGES, patients=80)) < middle
    assert smallest(spread=Spread(patient=0.05, seed=0.01, rest=0.03)) < middle
    assert smallest(series=6) > middle
    worst = smallest_of_the_worst(IMAGES, spread=WIDE)
    assert worst is not None
    assert worst > middle


@pytest.mark.parametrize(
    ("patients", "seeds", "says"),
    [(20, 1, "1 seed(s)"), (20, 2, "2 seed(s)"), (2, 5, "2 patients"), (9, 5, "9 patients")],
)
def test_too_few_can_exclude_nothing_and_the_reason_is_the_verdicts(
    patients: int, seeds: int, says: str
) -> None:
    found = reach(Design("images", patients, seeds), 0.1)
    assert (found.smallest, found.share) == (None, 0.0)
    assert says in found.why
    needed = enough(Design("images", patients, seeds), 0.1)
    assert needed is not None
    assert needed.patients >= 10
    assert needed.seeds >= 3


def test_a_patient_who_may_leak_more_than_one_may_keeps_silence_from_counting() -> None:
    """More patients do not help: of more, the worst is worse."""
    strict = reach(IMAGES, 0.1, spread=WIDE)
    assert strict.share < reach(IMAGES, 0.1, spread=WIDE, patient_threshold=ANY).share
    assert enough(IMAGES, 0.1, spread=WIDE) is None
    assert enough(IMAGES, 0.1) is not None


def test_no_size_shows_what_seeds_hide() -> None:
    assert enough(IMAGES, 0.01, spread=Spread(patient=0.1, seed=0.3, rest=0.1)) is None


@pytest.mark.parametrize(
    "design",
    [
        Design("images", 30, 5),
        Design("masks", 20, 3),
        Design("identity", 30, 5, ceiling=0.6),
        Design("membership", 25, 3, others=20),
        Design("images", 12, 1),
    ],
    ids=["images", "masks", "identity", "membership", "one seed"],
)
def test_audits_judged_at_once_are_those_judged_one_by_one(design: Design) -> None:
    known = controls(controls_of(design), UNDEFENDED)
    question = (SETTING, ADVERSARY, VICTIM, design.asset, "")
    at_once = simulate(design, 0.15, 0.1, None, 12)
    for number, each in enumerate(at_once.said):
        series = silent(design, np.random.default_rng(number), None)
        (alone,) = verdicts(
            {**controls_of(design), finding_id(design, SETTING): series}, known, [question],
            Planned(design.seeds), undefended=UNDEFENDED, threshold=0.15, patient_threshold=0.1,
        )  # fmt: skip
        assert each.judgement.reason == alone.reason
        assert at_once.doubts == alone.doubts
        assert alone.advantage is not None
        assert each.at_most == pytest.approx(alone.advantage.one_sided_upper, abs=1e-5)


@pytest.mark.parametrize("series", [1, 3])
@pytest.mark.parametrize(
    "spread",
    # As stated, and as an audit of 30 patients and 5 seeds measured it.
    [STATED["masks"], Spread(patient=0.144, seed=0.139, rest=0.191)],
)
def test_44_patients_and_5_seeds_exclude_a_leak_of_masks_of_3_tenths(
    series: int, spread: Spread
) -> None:
    found = reach(Design("masks", 44, 5), 0.3, series=series, spread=spread, audits=400)
    assert found.share >= PROMISE
    assert found.smallest is not None
    assert found.smallest <= 0.3


def test_images_reach_none_shown_with_34_patients_and_identity_with_60() -> None:
    """Of 30, one in ten who leaks everything is unseen in 1 of 20 audits: 64 of 100 say so then."""
    assert reach(Design("images", 34, 5), 0.1, audits=400).share >= PROMISE
    assert reach(Design("identity", 60, 5), 0.1, audits=400).share >= PROMISE


def test_whom_the_truth_does_not_give_away_is_not_excluded() -> None:
    """What a picker of half the people misses hides as much again."""
    everybody, half = (reach(Design("identity", 60, 5, ceiling=c), 0.1) for c in (None, 0.5))
    assert everybody.smallest is not None
    assert half.smallest is not None
    assert half.smallest > 1.8 * everybody.smallest
    nobody = reach(Design("identity", 60, 5, ceiling=0.05), 0.1)
    assert (nobody.smallest, nobody.share) == (None, 0.0)
    assert "cannot tell these people apart" in nobody.why


def test_a_plan_that_cannot_reach_is_told_so_in_seconds() -> None:
    """Half a minute, when audits were judged one by one."""
    configuration = configured(victims=12, judgement={"threshold": 0.06})
    start = time.process_time()
    found = foresee(configuration, planned_sizes(configuration))
    assert time.process_time() - start < 8
    assert not any(each.reachable for each in found)


def configured(**changes: object) -> AuditConfiguration:
    return AuditConfiguration.model_validate(
        {
            "cohort": {"use": "phantom", "patients": 40},
            "split": {
                "channels": [4, 8],
                "party_levels": 2,
                "parties": [
                    {"name": "a", "modalities": ["T1"]},
                    {"name": "b", "modalities": ["T2"]},
                ],
            },
            "adversaries": [
                {"preset": "curious-server"},
                {"preset": "curious-party", "members": ["a"]},
            ],
            "attacks": [
                {"use": "decoder-inversion", "adversaries": ["curious-server"]},
                {"use": "mask-inference", "adversaries": ["curious-party"]},
            ],
            **changes,
        }
    )


def test_a_plan_is_asked_for_every_asset_and_who_attacks_it() -> None:
    configuration = configured(victims=12)
    found = {each.asset: each for each in foresee(configuration, planned_sizes(configuration))}
    assert set(found) == {"images", "identity", "masks"}
    # Two levels apart and both together.
    assert (found["images"].series, found["images"].patients) == (3, 12)
    assert found["images"].adversaries == ("curious-server",)
    assert found["masks"].adversaries == ("curious-party",)
    assert found["identity"].spread is None
    assert not any(each.measured for each in found.values())


def test_each_party_of_a_horizontal_split_has_its_own_patients() -> None:
    split = {
        "orientation": "horizontal",
        "channels": [4, 8],
        "party_levels": 2,
        "parties": [
            {"name": "a", "modalities": ["T1"]},
            {"name": "b", "modalities": ["T1"]},
        ],
    }
    only = {"use": "decoder-inversion", "adversaries": ["curious-server"]}
    configuration = configured(split=split, attacks=[only])
    found = foresee(configuration, planned_sizes(configuration))
    assert {each.patients for each in found} == {10}


def test_after_the_run_its_own_spread_counts() -> None:
    rng = np.random.default_rng(0)
    design = Design("images", patients=40, seeds=5)
    loud, quiet = Spread(patient=0.3, seed=0.1, rest=0.2), Spread(patient=0.05, seed=0.0, rest=0.02)
    gathered = {
        finding_id(design, "none"): silent(design, rng, loud),
        finding_id(design, SETTING): silent(design, rng, quiet),
    }
    found = measured_spreads(gathered, "none")
    assert found["images"].patient == pytest.approx(0.05, abs=0.02)
    assert found["images"].rest == pytest.approx(0.02, abs=0.005)
    assert found["images"].seed < 0.02
    powers = foresee(configured(), planned_sizes(configured()), found)
    images = next(each for each in powers if each.asset == "images")
    assert images.measured
    assert images.spread == found["images"]
    assert images.spread != STATED["images"]


@pytest.mark.parametrize(("patients", "ceiling"), [(2, 0.5), (3, 0.2), (4, 0.25), (8, 0.0)])
def test_a_picker_that_finds_no_more_than_chance_excludes_nothing(
    patients: int, ceiling: float
) -> None:
    assert smallest_of_the_worst(Design("identity", patients, 5, 0, ceiling)) is None
    assert smallest_of_the_worst(Design("identity", 8, 5, 0, 1.0)) is not None

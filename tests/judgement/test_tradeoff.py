"""The Pareto front respects uncertainty; the least defense is the cheapest that surely meets."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from leakaudit.judgement.answer import answer, hopeless
from leakaudit.judgement.findings import FindingId, Series
from leakaudit.judgement.price import change, labelled, segments_nothing
from leakaudit.judgement.standing import Findings, Limit, standing, standings
from leakaudit.judgement.tradeoff import MARGIN, defense_capability, dominated
from leakaudit.judgement.unfinished import Planned
from leakaudit.record import Answer, Control, Estimate, Utility
from leakaudit.statistics import Cells

Doubles = npt.NDArray[np.float64]
PATIENTS = tuple(f"P{k:02d}" for k in range(44))
BASE = np.random.default_rng(3).normal(0, 0.1, size=len(PATIENTS))


def table(mean: float, wobble: float = 0.004, seed: int = 0, seeds: int = 3) -> Doubles:
    """(seeds, patients): patients differ much from each other, and little from run to run."""
    noise = np.random.default_rng(seed).normal(0, wobble, size=(seeds, len(PATIENTS)))
    return mean + BASE + noise


def cells(mean: float, wobble: float = 0.004, seed: int = 0) -> Cells:
    values = table(mean, wobble, seed)
    found = labelled({k: row.tolist() for k, row in enumerate(values)}, PATIENTS)
    assert found is not None
    return found


def test_what_is_surely_worse_in_both_is_dominated() -> None:
    beaten = dominated(
        {"none": (cells(0.8), cells(0.8, seed=1)), "bad": (cells(0.9, seed=2), cells(0.7, seed=3)),
         "good": (cells(0.5, seed=4), cells(0.79, seed=5))}
    )  # fmt: skip
    assert beaten["bad"] == ("none", "good")
    assert beaten["good"] == ()


def test_paired_values_see_what_unpaired_ones_hide() -> None:
    """Patients differ by 0.1, settings by 0.05: their intervals overlap, their difference not."""
    beaten = dominated(
        {"a": (cells(0.55), cells(0.8, seed=1)), "b": (cells(0.60, seed=2), cells(0.8, seed=3))}
    )
    assert beaten == {"a": (), "b": ("a",)}


def test_a_worse_mean_that_may_be_chance_dominates_nothing() -> None:
    beaten = dominated(
        {"a": (cells(0.55, 0.2, 6), cells(0.80, 0.2, 7)),
         "b": (cells(0.57, 0.2, 8), cells(0.79, 0.2, 9))}
    )  # fmt: skip
    assert beaten == {"a": (), "b": ()}


def test_a_price_beyond_the_margin_keeps_a_setting_on_the_front() -> None:
    for price, kept in ((0.1, True), (MARGIN / 10, False)):
        beaten = dominated(
            {"none": (cells(0.8), cells(0.8, 0.002, 1)),
             "noise": (cells(0.4, seed=2), cells(0.8 - price, 0.002, 3))}
        )  # fmt: skip
        assert (beaten["none"] == ()) is kept
        assert beaten["noise"] == ()


def test_equal_settings_and_unmeasured_ones_beat_nothing() -> None:
    same = cells(0.5), cells(0.8)
    assert dominated({"a": same, "b": same, "c": (None, None)}) == {"a": (), "b": (), "c": ()}


def test_identical_dice_does_not_hide_less_leakage() -> None:
    dice = cells(0.8)
    assert dominated({"a": (cells(0.5), dice), "b": (cells(0.7, seed=1), dice)})["b"] == ("a",)


def test_seeds_are_paired_by_name_not_by_place() -> None:
    rows = {seed: row.tolist() for seed, row in enumerate(table(0.5, wobble=0.3))}
    whole, part = labelled(rows, PATIENTS), labelled({2: rows[2], 1: rows[1]}, PATIENTS)
    found = change(part, whole)
    assert found is not None
    assert found.mean == 0
    assert found.seeds == 2


def test_the_capability_score_is_the_published_formula() -> None:
    assert defense_capability(0.0, 0.8, 0.8) == 1.0
    assert defense_capability(1.0, 0.8, 0.8) == pytest.approx(1 / (1 + math.sqrt(0.5)))
    assert defense_capability(0.6, 0.5, 0.9) == pytest.approx(
        1 / (1 + math.sqrt(0.5 * 0.36 + 0.5 * 0.16))
    )
    assert defense_capability(-0.2, 0.8, 0.8) == 1.0


def series(mean: float, seed: int = 0) -> Series:
    blind = np.zeros((3, len(PATIENTS)))
    curve = {1: table(mean, seed=seed), 2: table(mean, seed=seed)}
    return Series(table(mean, seed=seed), blind, PATIENTS, curve, 48, None)


def findings(leaks: dict[str, float], passed: bool = True) -> Findings:
    gathered = {
        FindingId(setting, "server", "inversion", False, "a", "images", ("level 0",), "ssim",
                  "foreground"): series(mean, seed)
        for seed, (setting, mean) in enumerate(leaks.items())
    }  # fmt: skip
    known = {}
    for key in gathered:
        if key.setting == "none":
            for kind in ("open", "shuffled"):
                known[key, kind] = Control(
                    kind="open" if kind == "open" else "shuffled", adversary="server", victim="a",
                    asset="images", attack="inversion", cuts=("level 0",), metric="ssim",
                    advantage=Estimate(mean=0.8, lower=0.7, upper=0.9, patients=16, samples=16,
                                       seeds=3, method=""),
                    passed=passed or kind == "open", reason="",
                )  # fmt: skip
    return Findings(gathered, known, "none", 0.1, Planned(3))


def target(bound: float, **who: str) -> Limit:
    return Limit(
        asset="images", adversary=who.get("adversary"), victim=who.get("victim"), metric="ssim",
        region="foreground", max=bound,
    )  # fmt: skip


def used(dice: dict[str, float]) -> tuple[Utility, ...]:
    return tuple(
        Utility(
            setting=setting, reference=False, region="WT", metric="dice", unit="1",
            estimate=Estimate(mean=mean, lower=mean - 0.05, upper=mean + 0.05, patients=16,
                              samples=16, seeds=3, method=""),
            values=(),
        )
        for setting, mean in dice.items()
    )  # fmt: skip


def answered(
    leaks: dict[str, float], dice: dict[str, float], bound: float, floor: float | None = None
) -> Answer:
    stand = standings(list(leaks), [target(bound)], findings(leaks))
    found = answer(
        list(leaks), [target(bound).summary], stand,
        {name: cells(mean, seed=30 + k) for k, (name, mean) in enumerate(dice.items())},
        used(dice), undefended="none", region="WT", least_dice=floor,
    )  # fmt: skip
    assert found is not None
    return found


def test_the_least_defense_has_the_least_price() -> None:
    found = answered(
        {"none": 0.8, "mild": 0.5, "dear": 0.1, "cheap": 0.15},
        {"none": 0.85, "mild": 0.84, "dear": 0.6, "cheap": 0.8},
        0.3,
    )
    assert found.least == "cheap"
    assert found.nearest is None
    assert found.dice_change is not None
    assert found.dice_change.mean == pytest.approx(-0.05, abs=0.01)
    assert found.dice_change.upper is not None
    assert found.dice_change.upper < 0
    assert found.rivals == ()


def test_an_equal_price_is_told() -> None:
    found = answered({"none": 0.8, "x": 0.1, "y": 0.1}, {"none": 0.85, "x": 0.8, "y": 0.8}, 0.3)
    assert {found.least, *found.rivals} == {"x", "y"}


def test_no_defense_is_the_least_where_none_is_needed() -> None:
    found = answered({"none": 0.2, "x": 0.1}, {"none": 0.8, "x": 0.85}, 0.5)
    assert found.least == "none"
    assert found.dice_change is None


def test_a_bound_above_the_target_does_not_meet_it_though_its_mean_does() -> None:
    found = answered({"none": 0.8, "x": 0.29}, {"none": 0.85, "x": 0.8}, 0.3)
    assert found.least is None
    assert found.nearest == "x"
    assert found.excess is not None
    assert 0 < found.excess < 0.1
    assert "exceeds one by" in found.reason


def test_a_broken_network_meets_nothing() -> None:
    found = answered({"none": 0.8, "x": 0.0}, {"none": 0.85, "x": 0.1}, 0.3, floor=0.5)
    assert found.useless == ("x",)
    assert found.least is None
    assert found.nearest == "none"
    assert "below the floor" in found.reason


def test_a_network_that_draws_nothing_is_never_recommended_even_without_a_floor() -> None:
    found = answered({"none": 0.8, "x": 0.0}, {"none": 0.85, "x": 0.01}, 0.3)
    assert found.useless == ("x",)
    assert found.least is None
    assert answered({"none": 0.8, "x": 0.0}, {"none": 0.85, "x": 0.1}, 0.3).least == "x"


def drawn(mean: float, spread: float, patients: int = 12, seeds: int = 3) -> Cells:
    rng = np.random.default_rng(3)
    values = (mean + spread * rng.standard_normal((seeds, patients))).clip(0, 1)
    rows = {seed: values[seed].tolist() for seed in range(seeds)}
    found = labelled(rows, tuple(f"v{number}" for number in range(patients)))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("mean", "spread", "idle", "nothing"),
    [
        (0.0, 0.0, 0.0, True),
        (0.03, 0.03, 0.0, True),  # a few voxels by chance
        (0.3, 0.25, 0.0, False),
        (0.1, 0.02, 0.1, True),  # marks everything
        (0.03, 0.002, 0.1, True),  # noise, a little of it everywhere
        (0.4, 0.1, 0.1, False),
    ],
)
def test_a_network_that_learnt_nothing_is_told_by_its_bound(
    mean: float, spread: float, idle: float, nothing: bool
) -> None:
    found = segments_nothing(drawn(mean, spread), drawn(idle, 0.0), drawn(0.8, 0.05))
    assert found is nothing


def test_few_patients_who_bound_little_do_not_make_a_network_dead() -> None:
    few = drawn(0.7, 0.2, patients=2, seeds=1), drawn(0.8, 0.05, patients=2, seeds=1)
    assert not segments_nothing(few[0], None, few[1])


def test_what_draws_a_few_voxels_by_chance_is_not_recommended() -> None:
    stand = standings(["none", "x"], [target(0.3)], findings({"none": 0.8, "x": 0.0}))
    dice = {"none": drawn(0.8, 0.05), "x": drawn(0.03, 0.03)}
    found = answer(
        ["none", "x"], [target(0.3).summary], stand, dice, used({"none": 0.8, "x": 0.03}),
        undefended="none", region="WT", least_dice=None,
    )  # fmt: skip
    assert found is not None
    assert (found.useless, found.least) == (("x",), None)


def test_hopeless_needs_to_be_sure() -> None:
    (surely,) = used({"x": 0.40})
    assert hopeless(surely.estimate, 0.5)
    assert not hopeless(surely.estimate, 0.42)
    assert not hopeless(surely.estimate, None)
    assert not hopeless(None, 0.5)


@pytest.mark.parametrize(("mean", "outcome"), [(0.1, "met"), (0.5, "exceeded"), (0.3, "unsettled")])
def test_a_setting_stands_to_a_target(mean: float, outcome: str) -> None:
    found = standing("x", 0, target(0.3), findings({"none": 0.8, "x": mean}))
    assert found.outcome == outcome
    assert found.bound is not None


def test_silence_of_an_attack_that_finds_artefacts_meets_nothing() -> None:
    found = standing("x", 0, target(0.3), findings({"none": 0.8, "x": 0.1}, passed=False))
    assert found.outcome == "not judged"


def test_a_target_nobody_attacked_is_not_met() -> None:
    for who in ({"adversary": "party"}, {"victim": "b"}):
        found = standing("x", 0, target(0.3, **who), findings({"none": 0.8, "x": 0.1}))
        assert found.outcome == "not judged"
        assert found.bound is None

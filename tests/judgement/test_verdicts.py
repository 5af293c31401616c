"""Findings, controls and verdicts from series whose answer is known."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from leakaudit.judgement.findings import (
    FindingId,
    Series,
    advantage_figure,
    converged,
    finding,
)
from leakaudit.judgement.unfinished import Planned, Shortfall
from leakaudit.judgement.verdicts import controls, verdicts

PATIENTS = tuple(f"P{n:02d}" for n in range(44))
IMAGES = FindingId(
    "none", "server", "inversion", False, "a", "images", ("level 0",), "ssim", "foreground"
)
THREE = Planned(3)
CURVE = {10: 0.0, 20: 0.0}


def series_of(level: float, *, seeds: int = 3, blind: float = 0.4, flat: bool = True) -> Series:
    rng = np.random.default_rng(int(level * 1000) + seeds)
    people = 0.03 * rng.standard_normal(len(PATIENTS))
    values = level + people + 0.002 * rng.standard_normal((seeds, len(PATIENTS)))
    floor = np.full_like(values, blind) + people
    before = values if flat else values - 0.2
    return Series(values, floor, PATIENTS, {10: before, 20: values}, 3 * values.size, None)


def answer(
    gathered: dict[FindingId, Series], setting: str = "none", planned: Planned = THREE
) -> tuple[str, str]:
    known = controls(gathered, "none")
    (verdict,) = verdicts(
        gathered, known, [(setting, "server", "a", "images", "nobody tried")], planned,
        undefended="none", threshold=0.1,
    )  # fmt: skip
    return verdict.verdict, verdict.reason


SHUFFLED = replace(IMAGES, shuffled=True)
DEFENDED = replace(IMAGES, setting="defended")
OPEN = {IMAGES: series_of(0.9), SHUFFLED: series_of(0.3, seeds=1)}


def test_advantage_is_on_the_scale_from_blind_to_perfect() -> None:
    figure = advantage_figure(IMAGES, series_of(0.7))
    assert figure is not None
    assert figure.mean == pytest.approx((0.7 - 0.4) / (1 - 0.4), abs=0.02)


def test_an_open_cut_with_both_controls_is_a_leak() -> None:
    assert answer(OPEN)[0] == "leak shown"


def test_a_silent_defended_cut_is_none_shown_when_everything_holds() -> None:
    assert answer(OPEN | {DEFENDED: series_of(0.398)}, "defended")[0] == "none shown"


@pytest.mark.parametrize(
    ("gathered", "verdict", "says"),
    [
        ({IMAGES: OPEN[IMAGES], DEFENDED: series_of(0.398)}, "inconclusive", "shuffled"),
        (OPEN | {DEFENDED: series_of(0.398, seeds=1)}, "inconclusive", "seed"),
        (OPEN | {DEFENDED: series_of(0.398, flat=False)}, "inconclusive", "effort"),
        (OPEN | {SHUFFLED: series_of(0.8, seeds=1), DEFENDED: series_of(0.398)},
         "attack invalid", "shuffled"),
        ({IMAGES: series_of(0.4), SHUFFLED: OPEN[SHUFFLED], DEFENDED: series_of(0.4)},
         "attack invalid", "undefended"),
        (OPEN, "not tested", "nobody tried"),
    ],
)  # fmt: skip
def test_what_keeps_none_shown_from_being_said(
    gathered: dict[FindingId, Series], verdict: str, says: str
) -> None:
    found, reason = answer(gathered, "defended")
    assert found == verdict
    assert says in reason


def with_one_leaking(series: Series, place: int = 3, level: float = 0.99) -> Series:
    values = series.values.copy()
    values[:, place] = level + 0.002 * np.arange(len(values))
    return replace(series, values=values)


@pytest.mark.parametrize("attack", ["inversion", "gan"])
def test_one_patient_in_clear_is_a_leak_by_whichever_attack(attack: str) -> None:
    """Also where another attack has the higher mean."""
    calm = series_of(0.398)
    gathered = WITH_GAN | {
        DEFENDED: series_of(0.41),
        replace(DEFENDED, attack="gan"): calm,
        replace(DEFENDED, attack=attack): with_one_leaking(calm),
    }
    (verdict,) = verdicts(
        gathered, controls(gathered, "none"), [("defended", "server", "a", "images", "")], THREE,
        undefended="none", threshold=0.1,
    )  # fmt: skip
    assert verdict.verdict == "leak shown"
    assert verdict.patients_said == "1 of 44 patients (2%)"
    assert verdict.single is not None
    assert verdict.single.patient == "P03"


def test_a_patient_who_may_leak_keeps_none_shown_from_being_said() -> None:
    calm = series_of(0.398)
    values = calm.values.copy()
    values[:, 3] = [0.3, 0.42, 0.62]
    said, reason = answer(OPEN | {DEFENDED: replace(calm, values=values)}, "defended")
    assert said == "inconclusive"
    assert "single patient" in reason


GAN = replace(IMAGES, attack="gan")
WITH_GAN = OPEN | {GAN: series_of(0.95), replace(GAN, shuffled=True): series_of(0.3, seeds=1)}
SILENT = series_of(0.398)


def lost(attack: str, *, failed: bool = True, setting: str = "defended") -> Planned:
    why = f"{attack} did not finish under 1 of 3 seeds (diverged)" if failed else "no gradient"
    return Planned(3, (Shortfall(setting, "server", attack, ("images", "identity"), failed, why),))


def without(values: np.ndarray, patients: slice) -> np.ndarray:
    found = values.copy()
    found[:, patients] = np.nan
    return found


@pytest.mark.parametrize(
    ("gathered", "planned", "says"),
    [
        (WITH_GAN | {DEFENDED: SILENT}, lost("gan"), "did not finish under 1 of 3"),
        (WITH_GAN | {DEFENDED: SILENT}, lost("gan", failed=False), "mounted here.*no gradient"),
        (WITH_GAN | {DEFENDED: SILENT}, THREE, "gan could not be mounted here"),
        (OPEN | {DEFENDED: SILENT}, lost("gan"), "diverged"),
        (OPEN | {DEFENDED: SILENT, replace(DEFENDED, attack="gan"):
                 replace(SILENT, values=np.full_like(SILENT.values, np.nan))},
         THREE, "gan: 132 of 132 values of ssim are missing"),
        (OPEN | {DEFENDED: series_of(0.398, seeds=2)}, THREE, "2 of 3 seeds finished"),
        (OPEN | {DEFENDED: SILENT}, Planned(3, unexplained={"defended": ("nobody undoes it",)}),
         "nobody undoes it"),
        (OPEN | {DEFENDED: replace(SILENT, values=without(SILENT.values, slice(40, None)))},
         THREE, "12 of 132 values"),
    ],
)  # fmt: skip
def test_what_did_not_finish_is_not_silence(
    gathered: dict[FindingId, Series], planned: Planned, says: str
) -> None:
    found, reason = answer(gathered, "defended", planned)
    assert found == "inconclusive"
    assert re.search(says, reason)


EARLY_TOO = Planned(3, recorded={"defended": frozenset({0, 9}), "none": frozenset({0, 9})})


def test_a_recorded_epoch_that_no_attack_read_keeps_silence_from_counting() -> None:
    late, both = replace(SILENT, looked_at=(9,)), replace(SILENT, looked_at=(0, 9))
    said, reason = answer(OPEN | {DEFENDED: late}, "defended", EARLY_TOO)
    assert said == "inconclusive"
    assert "epoch 0" in reason
    assert answer(OPEN | {DEFENDED: both}, "defended", EARLY_TOO)[0] == "none shown"
    # An attack on the trained network itself reads no messages.
    assert answer(OPEN | {DEFENDED: SILENT}, "defended", EARLY_TOO)[0] == "none shown"


def test_what_may_be_an_artefact_is_no_leak_and_no_silence() -> None:
    found = WITH_GAN | {replace(GAN, shuffled=True): series_of(0.8, seeds=1), DEFENDED: SILENT}
    said, reason = answer(found | {replace(DEFENDED, attack="gan"): series_of(0.8)}, "defended")
    assert said == "inconclusive"
    assert "gan also 'finds' patients in shuffled pairs" in reason
    silent, _ = answer(found | {replace(DEFENDED, attack="gan"): SILENT}, "defended")
    assert silent == "none shown"
    leaks = found | {DEFENDED: series_of(0.8), replace(DEFENDED, attack="gan"): SILENT}
    assert answer(leaks, "defended")[0] == "leak shown"


def test_a_leak_that_was_shown_stands_whatever_did_not_finish() -> None:
    assert answer(WITH_GAN | {DEFENDED: series_of(0.8)}, "defended", lost("gan"))[0] == "leak shown"


def test_attacks_that_nobody_would_have_learnt_from_are_no_doubt() -> None:
    """Refused everywhere, failed elsewhere, or silent even where nothing protects."""
    calm = OPEN | {DEFENDED: SILENT}
    powerless = calm | {GAN: series_of(0.4), replace(GAN, shuffled=True): series_of(0.3, seeds=1)}
    for gathered, planned in (
        (calm, lost("gan", failed=False)),
        (calm, lost("gan", setting="another")),
        (powerless, lost("gan", failed=False)),
    ):
        assert answer(gathered, "defended", planned)[0] == "none shown"


def test_where_nobody_can_say_more_than_the_blind_guess_nothing_is_missing() -> None:
    """A party of a horizontal split holds some of the patients."""
    held = {
        key: replace(
            series,
            values=without(series.values, slice(40, None)),
            blind=without(series.blind, slice(40, None)),
        )
        for key, series in (OPEN | {DEFENDED: SILENT}).items()
    }
    assert answer(held, "defended")[0] == "none shown"


def test_nothing_finished_is_not_tested_and_says_why() -> None:
    assert answer(OPEN, "defended", lost("inversion")) == (
        "not tested",
        "inversion did not finish under 1 of 3 seeds (diverged)",
    )


@pytest.mark.parametrize("curve", [None, {}])
def test_every_attacks_effort_counts_not_that_of_the_strongest_alone(
    curve: dict[int, np.ndarray] | None,
) -> None:
    rising = series_of(0.39, flat=False)
    lower = rising if curve is None else replace(rising, curve=curve)
    for other in (replace(DEFENDED, attack="gan"), replace(DEFENDED, cuts=("level 1",))):
        found, reason = answer(WITH_GAN | {DEFENDED: SILENT, other: lower}, "defended")
        assert found == "inconclusive"
        assert ("effort still helped" if curve is None else "was not measured") in reason


def test_one_patient_never_yields_none_shown() -> None:
    alone = {
        key: Series(
            each.values[:, :1], each.blind[:, :1], PATIENTS[:1],
            {effort: values[:, :1] for effort, values in each.curve.items()}, 3, None,
        )
        for key, each in (OPEN | {DEFENDED: series_of(0.398)}).items()
    }  # fmt: skip
    assert answer(alone, "defended")[0] == "inconclusive"


def test_the_strongest_of_many_decides_and_pays_for_having_been_picked() -> None:
    other = replace(DEFENDED, cuts=("level 1",))
    gathered = OPEN | {
        DEFENDED: series_of(0.398), other: series_of(0.8),
        replace(other, setting="none"): series_of(0.85),
        replace(SHUFFLED, cuts=("level 1",)): series_of(0.3, seeds=1),
    }  # fmt: skip
    (verdict,) = verdicts(
        gathered, controls(gathered, "none"), [("defended", "server", "a", "images", "")], THREE,
        undefended="none", threshold=0.1,
    )  # fmt: skip
    assert verdict.cuts == ("level 1",)
    assert verdict.verdict == "leak shown"
    assert verdict.advantage is not None
    plain = advantage_figure(other, gathered[other])
    assert plain is not None
    assert verdict.advantage.one_sided_lower is not None
    assert plain.at_least is not None
    assert verdict.advantage.one_sided_lower < plain.at_least


def test_the_interval_beside_a_sure_leak_does_not_deny_it() -> None:
    """The strongest attack by its mean may be unsure while another surely leaks."""
    other = replace(DEFENDED, cuts=("level 1",))
    steady = series_of(0.6)
    torn = replace(steady, values=steady.values + np.array([[-0.6], [0.1], [0.8]]))
    gathered = OPEN | {
        DEFENDED: torn, other: steady,
        replace(other, setting="none"): series_of(0.85),
        replace(SHUFFLED, cuts=("level 1",)): series_of(0.3, seeds=1),
    }  # fmt: skip
    (verdict,) = verdicts(
        gathered, controls(gathered, "none"), [("defended", "server", "a", "images", "")], THREE,
        undefended="none", threshold=0.1,
    )  # fmt: skip
    alone = advantage_figure(DEFENDED, torn)
    assert alone is not None
    assert alone.lower is not None
    assert alone.lower < 0
    assert (verdict.verdict, verdict.cuts) == ("leak shown", ("level 0",))
    assert verdict.advantage is not None
    assert verdict.advantage.lower is not None
    assert 0 < verdict.advantage.lower < verdict.advantage.mean


def test_zero_hits_of_all_patients_still_have_an_upper_bound() -> None:
    key = replace(IMAGES, asset="identity", metric="re-identification", region="whole")
    none = np.zeros((2, len(PATIENTS)))
    series = Series(none, none, PATIENTS, {}, 48, 1 / 24)
    entry = finding(key, series)
    assert entry is not None
    assert entry.estimate.mean == 0
    assert entry.estimate.one_sided_upper is not None
    assert 0.05 < entry.estimate.one_sided_upper < 0.2


NAMED = replace(IMAGES, asset="identity", metric="re-identification", region="whole")


def named(hits: int, from_truth: int, people: int = 60) -> Series:
    """So many of the patients were found from what was rebuilt, so many from the true images."""
    patients = tuple(f"P{n:02d}" for n in range(people))
    values = np.tile(np.arange(people) < hits, (3, 1)).astype(float)
    ceiling = (np.arange(people)[None] < from_truth).astype(float)
    return Series(
        values, np.full_like(values, 1 / people), patients, {10: values, 20: values}, values.size,
        1 / people, question="same scan", ceiling=ceiling,
    )  # fmt: skip


def test_a_rate_is_held_against_what_the_same_picker_finds_from_the_truth() -> None:
    entry = finding(NAMED, named(30, 45))
    assert entry is not None
    assert entry.question == "same scan"
    assert entry.ceiling == pytest.approx(0.75)
    assert entry.ceiling_estimate is not None
    assert entry.ceiling_estimate.one_sided_lower is not None
    assert entry.ceiling_estimate.one_sided_upper is not None
    assert entry.ceiling_estimate.one_sided_lower < 0.75 < entry.ceiling_estimate.one_sided_upper
    assert entry.advantage is not None
    assert entry.advantage.mean == pytest.approx((0.5 - 1 / 60) / (0.75 - 1 / 60))


@pytest.mark.parametrize("from_truth", [0, 1, 2, 60])
def test_where_the_truth_names_nobody_silence_says_nothing(from_truth: int) -> None:
    silent = named(0, from_truth)
    gathered = {
        NAMED: named(50, from_truth),
        replace(NAMED, shuffled=True): replace(silent, values=silent.values[:1]),
        replace(NAMED, setting="defended"): silent,
    }
    (verdict,) = verdicts(
        gathered, controls(gathered, "none"), [("defended", "server", "a", "identity", "")], THREE,
        undefended="none", threshold=0.2,
    )  # fmt: skip
    blind = from_truth < 60
    assert any("cannot tell these people apart" in doubt for doubt in verdict.doubts) == blind
    if blind:
        assert verdict.verdict in {"not tested", "inconclusive", "attack invalid"}
    else:
        assert (verdict.verdict, verdict.question) == ("none shown", "same scan")


def test_effort_curves() -> None:
    assert converged(IMAGES, series_of(0.8)) is True
    assert converged(IMAGES, series_of(0.8, flat=False)) is False
    assert converged(IMAGES, replace(series_of(0.8), curve={})) is None


@pytest.mark.parametrize(
    ("curve", "flat"),
    [
        ({10: 0.3, 50: 0.795, 100: 0.8}, True),
        ({10: 0.3, 50: 0.7, 90: 0.8, 100: 0.8}, False),  # little happens between 90 and 100
        ({10: 0.8, 50: 0.8, 100: 0.79}, True),
        ({49: 0.795, 99: 0.7, 100: 0.8}, True),
        ({51: 0.795, 99: 0.7, 100: 0.8}, True),  # half of what whole steps make of 100
        ({80: 0.7, 90: 0.8, 100: 0.8}, False),  # nothing at half: the least there is
    ],
)
def test_flat_means_that_half_the_effort_found_as_much(curve: dict[int, float], flat: bool) -> None:
    series = series_of(0.8)
    tables = {effort: np.full_like(series.values, value) for effort, value in curve.items()}
    assert converged(IMAGES, replace(series, curve=tables)) is flat


def test_missing_values_stay_missing_in_the_record() -> None:
    series = series_of(0.8)
    values = series.values.copy()
    values[0, 3] = np.nan
    entry = finding(IMAGES, replace(series, values=values))
    assert entry is not None
    assert entry.values[0][3] is None
    assert entry.values[1][3] is not None
    empty = replace(series, values=np.full_like(values, np.nan), curve={})
    assert finding(IMAGES, empty) is None


def test_fewer_crossing_levels_are_held_against_the_controls_of_all_levels_together() -> None:
    everything = replace(IMAGES, cuts=("level 0", "level 1", "level 2"))
    gathered = {
        everything: series_of(0.9),
        replace(everything, shuffled=True): series_of(0.3, seeds=1),
        replace(DEFENDED, cuts=("level 1", "level 2")): series_of(0.398),
    }
    assert answer(gathered, "defended")[0] == "none shown"


def test_no_bound_leaves_the_metrics_range() -> None:
    rng = np.random.default_rng(0)
    values = np.clip(
        0.9 + 0.3 * rng.standard_normal((3, len(PATIENTS))) + [[0.0], [-0.6], [0.0]], 0, 1
    )
    series = replace(series_of(0.8), values=values, blind=np.full_like(values, 0.4), curve={})
    entry = finding(IMAGES, series)
    assert entry is not None
    assert entry.advantage is not None
    for estimate in (entry.estimate, entry.advantage):
        assert estimate.lower is not None
        assert estimate.upper is not None
        assert estimate.lower < estimate.mean < estimate.upper <= 1
    assert entry.estimate.lower >= -1

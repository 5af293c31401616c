"""The five verdicts and what each asks for."""

import itertools

import numpy as np
import pytest

from leakaudit.statistics import (
    Controls,
    Direction,
    Verdict,
    cells_of,
    estimate,
    judge,
    patient_bounds,
)
from leakaudit.statistics.verdict import PATIENT_THRESHOLD, Singles

GOOD = Controls(open_leaks=True, shuffled_silent=True, effort_flat=True)


def advantage(mean, n_patients=30, n_seeds=3, spread=0.05):
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(n_patients)]
    values = rng.normal(mean, spread, n_patients * n_seeds)
    seeds = [run for run in range(n_seeds) for _ in names]
    return estimate(values, names * n_seeds, seeds, direction=Direction.HIGHER)


def verdict(figure, controls=GOOD, threshold=0.1):
    return judge(figure, controls, threshold=threshold).verdict


def test_the_five():
    assert verdict(advantage(0.4)) is Verdict.LEAK_SHOWN
    assert verdict(advantage(0.0)) is Verdict.NONE_SHOWN
    assert verdict(advantage(0.0), threshold=0.001) is Verdict.INCONCLUSIVE
    assert verdict(None) is Verdict.NOT_TESTED
    assert verdict(advantage(0.4), Controls(True, False, True)) is Verdict.ATTACK_INVALID


def test_a_leak_needs_the_shuffled_control_and_no_other():
    figure = advantage(0.4)
    assert verdict(figure, Controls(None, True, None)) is Verdict.LEAK_SHOWN
    assert verdict(figure, Controls(True, None, True)) is Verdict.INCONCLUSIVE


def test_silence_counts_only_from_an_attack_that_can_speak():
    assert verdict(advantage(0.0), Controls(False, True, True)) is Verdict.ATTACK_INVALID


@pytest.mark.parametrize(
    ("n_patients", "n_seeds"), [(0, 3), (1, 1), (1, 3), (5, 3), (30, 1), (30, 2), (30, 3)]
)
@pytest.mark.parametrize("mean", [-0.2, 0.0, 0.05, 0.4])
def test_none_shown_needs_everything(mean, n_patients, n_seeds):
    figure = advantage(mean, n_patients, n_seeds)
    for answers in itertools.product([True, False, None], repeat=3):
        for threshold in (0.1, float("nan")):
            controls = Controls(*answers)
            result = judge(figure, controls, threshold=threshold, min_patients=0, min_seeds=0)
            assert result.reason
            if result.verdict is Verdict.NONE_SHOWN:
                assert controls == GOOD
                assert n_patients >= 2
                assert n_seeds >= 3
                assert result.above == figure.at_most <= threshold


def test_too_few_patients_or_seeds_is_said():
    assert "9 patients, 10 are needed" in judge(advantage(0.0, 9), GOOD, threshold=0.1).reason
    assert "2 seed(s), 3 are" in judge(advantage(0.0, n_seeds=2), GOOD, threshold=0.1).reason


def test_a_whisper_above_the_baseline_is_still_a_leak():
    """Within the threshold X, but surely above nothing: it is shown, not excused."""
    figure = advantage(0.05, spread=0.01)
    assert figure.at_least > 0
    assert verdict(figure, threshold=0.1) is Verdict.LEAK_SHOWN
    noisy_control = judge(figure, GOOD, threshold=0.1, no_leak=0.08)
    assert noisy_control.verdict is Verdict.NONE_SHOWN


def test_one_patient_who_surely_leaks_is_a_leak_whatever_the_mean():
    one = Singles(audited=15, leaking=1, at_most=0.95, threshold=0.15)
    found = judge(advantage(0.0), GOOD, threshold=0.1, singles=one)
    assert found.verdict is Verdict.LEAK_SHOWN
    assert "1 of 15 patients (7%)" in found.reason
    assert judge(
        advantage(0.0), Controls(True, None, True), threshold=0.1, singles=one
    ).verdict is (Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("at_most", [None, 0.16, float("nan")])
def test_none_shown_bounds_the_worst_patient_too(at_most):
    calm = Singles(audited=15, leaking=0, at_most=0.14, threshold=0.15)
    assert judge(advantage(0.0), GOOD, threshold=0.1, singles=calm).verdict is Verdict.NONE_SHOWN
    unsure = Singles(audited=15, leaking=0, at_most=at_most, threshold=0.15)
    found = judge(advantage(0.0), GOOD, threshold=0.1, singles=unsure)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "single patient" in found.reason


def test_a_perfect_defense_reaches_the_patient_threshold_and_no_smaller_one():
    """Patients .03 apart for good, seeds .02, and .03 of their own: no kinder than measured.

    Behind noise that left an advantage of .05 the example audit measured .022, .009 and .017.
    """
    rng = np.random.default_rng(0)
    names = [f"p{i:02d}" for i in range(30)]
    worst = []
    for _ in range(400):
        values = (
            0.03 * rng.standard_normal(30)
            + 0.02 * rng.standard_normal((5, 1))
            + 0.03 * rng.standard_normal((5, 30))
        )
        cells = cells_of(values.ravel(), names * 5, np.repeat(np.arange(5), 30).tolist())
        worst.append(patient_bounds(cells, direction=Direction.HIGHER).at_most.max())
    assert np.mean(np.array(worst) <= PATIENT_THRESHOLD) >= 0.8
    assert np.mean(np.array(worst) <= PATIENT_THRESHOLD - 0.05) < 0.8

"""What is known of defenses must come out of an audit of them: small, on generated patients."""

from __future__ import annotations

from itertools import pairwise

import pytest

from leakaudit.audit.run import run_audit
from leakaudit.plan.configuration import read_configuration
from leakaudit.record import Record, TradeOffPoint

CONFIGURATION = """
seeds = [0]
[cohort]
use = "phantom"
patients = 26
slices_per_patient = 1
size = 32
seed = 7
[groups]
training = 10
auxiliary = 12
validation = 4
[split]
channels = [8, 16]
party_levels = 2
parties = [{name = "only", modalities = ["T1", "FLAIR"]}]
[training]
epochs = 12
batch_size = 6
learning_rate = 8e-3
[judgement]
dependence = false
lpips = "off"
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = 60
[[defenses]]
label = "none"
[[defenses]]
label = "dp-sgd"
stack = [{ use = "dp-sgd", noise_multiplier = 0.5, clip_norm = 1.0 }]
[[sweep]]
use = "gaussian-noise"
noise_multiplier = { values = [0.5, 2.0, 8.0] }
[[sweep]]
use = "dropout"
rate = { values = [0.5] }
"""
NOISES = ("none", "gaussian-noise 0.5", "gaussian-noise 2", "gaussian-noise 8")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("shape")
    (folder / "audit.toml").write_text(CONFIGURATION, encoding="utf-8")
    configuration, given = read_configuration(folder / "audit.toml")
    outcome = run_audit(configuration, given, folder / "run", watch=lambda tick: None, command="")
    assert not outcome.failures
    return outcome.record


@pytest.fixture
def points(record: Record) -> dict[str, TradeOffPoint]:
    (images,) = [each for each in record.trade_offs if each.asset == "images"]
    return {point.setting: point for point in images.points}


def test_more_noise_leaks_less_and_costs_dice(points: dict[str, TradeOffPoint]) -> None:
    leaks = [points[name].leakage for name in NOISES]
    for weaker, stronger in pairwise(leaks):
        assert weaker.one_sided_upper is not None
        assert stronger.one_sided_lower is not None
        assert stronger.one_sided_lower <= weaker.one_sided_upper, (
            "leakage surely rose with the noise"
        )
    assert leaks[-1].mean < 0.5 * leaks[0].mean
    dices = [points[name].dice for name in NOISES]
    for better, worse in pairwise(dices):
        assert better is not None
        assert worse is not None
        # Too few are validated for a bound.
        assert worse.mean <= better.mean + 0.1, "Dice rose with the noise"
    assert dices[0] is not None
    assert dices[-1] is not None
    assert dices[-1].mean < dices[0].mean


def test_a_deeper_cut_leaks_less(record: Record) -> None:
    leaks = {
        (each.victim, each.cuts): each.advantage.mean
        for each in record.findings
        if (each.defense, each.metric, each.region) == ("none", "ssim", "foreground")
        and each.advantage is not None
    }
    assert leaks["only", ("level 1",)] < leaks["only", ("level 0",)]


def test_dropout_alone_does_not_stop_an_adaptive_attacker(
    record: Record, points: dict[str, TradeOffPoint]
) -> None:
    dropped = points["dropout 0.5"].leakage
    assert dropped.one_sided_lower is not None
    assert dropped.one_sided_lower > 0.1
    (verdict,) = (
        v for v in record.verdicts if (v.defense, v.asset) == ("dropout 0.5", "images")
    )  # fmt: skip
    assert verdict.verdict == "leak shown"


def test_dp_sgd_leaves_activations_about_as_open_as_they_were(
    points: dict[str, TradeOffPoint],
) -> None:
    plain, private = points["none"], points["dp-sgd"]
    assert abs(private.leakage.mean - plain.leakage.mean) < 0.15
    assert private.dice is not None
    assert plain.dice is not None
    assert private.dice.mean < plain.dice.mean - 0.1, "noise on the weights did not act"

"""Sweeps come to the settings that were meant, and what makes no sense is refused first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_audit import small_audit

from leakaudit.audit.run import run_audit
from leakaudit.audit.runner import Tick
from leakaudit.errors import EXIT_USAGE, ConfigurationError, LeakauditError
from leakaudit.judgement.standing import check_targets
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.strengths import check_strengths
from leakaudit.plan.sweep import Sweep


def read(folder: Path, text: str) -> AuditConfiguration:
    return small_audit(folder, '[[defenses]]\nlabel = "none"\n' + text)[0]


def swept(**written: Any) -> Sweep:
    return Sweep.model_validate({"use": "gaussian-noise", **written})


def labels(sweep: Sweep) -> list[str]:
    return [stack.label for stack in sweep.stacks]


def settings(sweep: Sweep) -> list[dict[str, Any]]:
    return [stack.stack[-1].settings for stack in sweep.stacks]


def test_a_range_comes_to_its_values_ends_included() -> None:
    even = swept(noise_multiplier={"from": 0.5, "to": 2.0, "steps": 4})
    assert labels(even) == [f"gaussian-noise {v}" for v in ("0.5", "1", "1.5", "2")]
    assert settings(even)[2] == {"noise_multiplier": 1.5}


def test_log_spacing_multiplies() -> None:
    log = swept(noise_multiplier={"from": 0.1, "to": 10.0, "steps": 5, "spacing": "log"})
    values = [each["noise_multiplier"] for each in settings(log)]
    assert values == [0.1, 0.3162, 1.0, 3.162, 10.0]


def test_whole_ends_give_whole_numbers_down_as_well() -> None:
    bits = Sweep.model_validate({"use": "quantization", "bits": {"from": 8, "to": 1, "steps": 4}})
    values = [each["bits"] for each in settings(bits)]
    assert values == [8, 6, 3, 1]
    assert all(isinstance(value, int) for value in values)


def test_listed_values_may_be_lists_and_plain_lists_stay_settings() -> None:
    levels = Sweep.model_validate(
        {"use": "skip-withholding", "levels": {"values": [[0], [0, 1]]}, "label": "no skips"}
    )
    assert labels(levels) == ["no skips 0", "no skips 0+1"]
    noise = swept(noise_multiplier={"values": [1.0]}, levels=[0])
    assert settings(noise) == [{"noise_multiplier": 1.0, "levels": [0]}]


def test_several_ranges_are_combined_each_with_each() -> None:
    both = swept(noise_multiplier={"values": [0.5, 1.0]}, clip_norm={"values": [2.0, 4.0]})
    assert len(labels(both)) == 4
    assert labels(both)[1] == "gaussian-noise noise_multiplier 0.5 clip_norm 4"


def test_others_stand_before_and_after() -> None:
    sweep = Sweep.model_validate(
        {"use": "dropout", "rate": {"values": [0.5]}, "before": [{"use": "bottleneck", "keep": 2}],
         "after": [{"use": "quantization", "bits": 4}]}
    )  # fmt: skip
    (stack,) = sweep.stacks
    assert [use.use for use in stack.stack] == ["bottleneck", "dropout", "quantization"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("noise_multiplier = 0.5", "at least one setting a range"),
        ("noise_multiplier = { from = 1.0, to = 1.0, steps = 3 }", "two different values"),
        ("noise_multiplier = { from = 0, to = 4, steps = 3, spacing = 'log' }", "above 0"),
        ("noise_multiplier = { from = 0.1, to = inf, steps = 3 }", "finite"),
        ("noise_multiplier = { from = 0.1, to = 4.0, steps = 1 }", "steps"),
        ("noise_multiplier = { from = 1, to = 3, steps = 5 }", "write 1.0 for 1"),
        ("noise_multiplier = { from = 0.1, to = 4.0, step = 5 }", "step"),
        ("noise_multiplier = { from = 0.1, too = 4.0, steps = 5 }", "too"),
        ("noise_multiplier = { values = [] }", "at least one entry"),
        ("noise_multiplier = { values = [1.0, nan] }", "nan is none"),
        ("noise_multiplier = { values = [true, 0.5] }", "all of one kind"),
        ("noise_multiplier = { values = [1.0, 1.0] }", "all different"),
        ("noise_multiplier = { from = 0.1, to = 4.0, steps = 150 }\n"
         "clip_norm = { from = 0.1, to = 4.0, steps = 150 }", "at most 200 settings"),
        ("noise_multiplier = { values = [1.0] }\nsearch = 'most'", "search"),
    ],
)  # fmt: skip
def test_a_bad_range_is_refused_when_the_file_is_read(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as problem:
        read(tmp_path, f'[[sweep]]\nuse = "gaussian-noise"\n{text}\n')
    assert problem.value.exit_code == EXIT_USAGE
    assert problem.value.remedy


def test_two_settings_may_not_share_a_label(tmp_path: Path) -> None:
    text = '[[defenses]]\nlabel = "dropout 0.5"\nstack = [{ use = "dropout", rate = 0.5 }]\n'
    with pytest.raises(ConfigurationError, match=r"dropout 0\.5 twice"):
        read(tmp_path, text + '[[sweep]]\nuse = "dropout"\nrate = { values = [0.5] }\n')


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        ({"use": "gaussian-noise", "noise_multiplier": {"values": [1.0, 0.5]}}, "goes up"),
        ({"use": "gaussian-noise", "target_epsilon": {"values": [1.0, 9.0]}}, "goes down"),
        ({"use": "quantization", "bits": {"from": 1, "to": 8, "steps": 2}}, "goes down"),
        ({"use": "skip-withholding", "levels": {"values": [[0, 1], [0]]}}, "goes up"),
        ({"use": "skip-withholding", "levels": {"values": [[0], [1]]}}, "goes up"),
        ({"use": "gaussian-noise", "noise_multiplyer": {"values": [1.0]}}, "noise_multiplier"),
        ({"use": "gausian-noise", "noise_multiplier": {"values": [1.0]}}, "gaussian-noise"),
        ({"use": "keyed-rotation", "levels": {"values": [[0], [1]]}, "search": "least"},
         "has none"),
        ({"use": "dropout", "rate": {"values": [0.1]}, "unit": {"values": ["element", "channel"]},
          "search": "least"}, "rate alone"),
        ({"use": "gaussian-noise", "clip_norm": {"values": [1.0]}, "search": "least"},
         "noise_multiplier alone"),
    ],
)  # fmt: skip
def test_strengths_run_from_weak_to_strong(sweep: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        check_strengths(Sweep.model_validate(sweep))


@pytest.mark.parametrize(
    "sweep",
    [
        {"use": "gaussian-noise", "target_epsilon": {"values": [9.0, 1.0]}, "clip_norm": 1.0,
         "search": "least"},
        {"use": "dropout", "rate": {"from": 0.1, "to": 0.9, "steps": 3}, "search": "least"},
        {"use": "skip-withholding", "levels": {"values": [[0], [0, 1]]}, "search": "least"},
        {"use": "bottleneck", "keep": {"values": [3, 2, 1]}},
        {"use": "gaussian-noise", "noise_multiplier": 1.0, "clip_norm": {"values": [4.0, 1.0]}},
    ],
)  # fmt: skip
def test_sensible_sweeps_stand(sweep: dict[str, Any]) -> None:
    check_strengths(Sweep.model_validate(sweep))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('use = "gaussian-noise"\nnoise_multiplier = { values = [0.0, 1.0] }', "greater than"),
        ('use = "gaussian-noise"\nclip_norm = 1.0\nnoise_multiplier = { values = [1e-300] }',
         "greater than"),
        ('use = "dp-sgd"\nclip_norm = 1.0\nnoise_multiplier = { values = [1e-300] }',
         "greater than"),
        ('use = "gaussian-noise"\nnoise_multiplier = { values = [1.0, 1e39] }', "less than"),
        ('use = "gaussian-noise"\nclip_norm = 1e-300\nnoise_multiplier = { values = [1.0] }',
         "clip_norm"),
        ('use = "gaussian-noise"\nclip_norm = 1.0\ntarget_epsilon = { values = [1e12] }',
         "less than"),
        ('use = "dp-sgd"\nclip_norm = 1.0\nnoise_multiplier = { values = [1e-8] }',
         "epsilon of a claim"),
        ('use = "laplace-noise"\nclip_norm = 1.0\nnoise_multiplier = { values = [1e-9] }',
         "epsilon of a claim"),
        ('use = "gaussian-noise"\nnoise_multiplier = { values = [1.0, inf] }', "finite"),
        ('use = "gaussian-noise"\nclip_norm = 1.0\ndelta = 1e-9\n'
         "target_epsilon = { values = [1e-9] }",
         "epsilon"),
        ('use = "gaussian-noise"\nclip_norm = 1.0\ndelta = 0.5\nnoise_multiplier = {values=[1.0]}',
         "delta"),
        ('use = "dropout"\nrate = { values = [0.5] }\nlevels = [7]', "known: level 0, level 1"),
        ('use = "dropout"\nrate = { values = [0.5] }\nparties = ["c"]', "unknown party"),
        ('use = "quantization"\nbits = { values = [8] }\n'
         'after = [{ use = "gaussian-noise", noise_multiplier = 1.0 }]', "after noise"),
        ('use = "skip-withholding"\nlevels = { values = [[1]] }', "deepest"),
    ],
)  # fmt: skip
def test_what_no_training_could_start_with_is_refused_before_any_does(
    tmp_path: Path, text: str, says: str
) -> None:
    configuration = read(tmp_path, f"[[sweep]]\n{text}\n")

    def untouched(tick: Tick) -> None:
        raise AssertionError(tick)

    with pytest.raises(ConfigurationError, match=says) as problem:
        run_audit(configuration, {}, tmp_path / "run", watch=untouched, command="")
    assert problem.value.exit_code == EXIT_USAGE
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max = 1.5", "max"),
        ("max = -0.1", "max"),
        ('max = 0.1\nadversary = "curios-server"', "curious-server"),
        ('max = 0.1\nvictim = "c"', "unknown victim"),
        ('max = 0.1\nasset = "hair"', "asset"),
        ('max = 0.1\nmetric = "ssmi"', "ssim"),
    ],
)
def test_bad_targets_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(LeakauditError, match=says) as problem:
        check_targets(read(tmp_path, f"[[targets]]\n{text}\n").targets)
    assert problem.value.exit_code == EXIT_USAGE


def test_a_target_in_a_metric_without_a_ceiling_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leakaudit.judgement.standing.ceiling_of", lambda *_: None)
    with pytest.raises(LeakauditError, match="has none"):
        check_targets(read(tmp_path, '[[targets]]\nmax = 0.1\nmetric = "ssim"\n').targets)

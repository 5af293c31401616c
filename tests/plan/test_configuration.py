"""Configurations are refused whole, with the rule, the value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.plan.configuration import read_configuration

GOOD = """
[cohort]
use = "phantom"
patients = 12
[split]
parties = [{name = "a", modalities = ["T1"]}, {name = "b", modalities = ["FLAIR"]}]
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
[[defenses]]
label = "none"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "audit.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_presets_and_defaults(tmp_path: Path) -> None:
    configuration, given = read_configuration(written(tmp_path, GOOD))
    assert configuration.adversaries[0].position == "server"
    assert "queries" in configuration.adversaries[0].grants
    assert configuration.undefended == "none"
    assert configuration.seeds == (0, 1, 2, 3, 4)
    assert configuration.attack_repeats == 1
    assert given["adversaries"] == [{"preset": "curious-server"}]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (("title", "titel"), None, None),
        (('preset = "curious-server"', 'preset = "curious-sever"'), UnknownNameError,
         "did you mean 'curious-server'"),
        (('preset = "curious-server"', 'preset = ["curious-server"]'), UnknownNameError, "preset"),
        (('preset = "curious-server"', 'preset = {a = 1}'), UnknownNameError, "preset"),
        (("[split]", "[split]\nchannels = [1_000_000_000, 16]"), ConfigurationError, "4096"),
        (("[split]", f"[split]\nchannels = {[1] * 40}"), ConfigurationError, "16"),
        (('label = "none"', 'label = "none"\nstak = []'), ConfigurationError, "stak"),
        (('label = "none"', 'label = "x"\nstack = [{use = "dropout"}]'), ConfigurationError,
         "positive control"),
        (("[split]", "[split]\nparty_levels = 9"), ConfigurationError, "party_levels is 9"),
        (("[split]", "[split]\nskips = [5]"), ConfigurationError, "skip 5"),
        (("[split]", '[split]\nlabels_at = "nobody"'), ConfigurationError, "nobody"),
        (('name = "b"', 'name = "a"'), ConfigurationError, "share a name"),
        (('use = "decoder-inversion"', 'use = "x"\nadversaries = ["curios-server"]'),
         UnknownNameError, "curious-server"),
        (("[cohort]", "attack_repeats = 0\n[cohort]"), ConfigurationError, "attack_repeats"),
        (("[cohort]", "seeds = [1, 1]\n[cohort]"), ConfigurationError,
         "seeds must differ.*1 twice.*name each"),
        (("[cohort]", f"seeds = [{1 << 63}]\n[cohort]"), ConfigurationError, "seeds.0"),
        (("[split]", "[recording]\nepochs = [99]\n[split]"), ConfigurationError, "99"),
        (("[split]", "[training]\nlearning_rate = -1\n[split]"), ConfigurationError,
         "learning_rate"),
        (("[cohort]", "[cohort"), ConfigurationError, "valid TOML"),
        (("[split]", '[governance]\nretantion = "a day"\n[split]'), ConfigurationError,
         "retantion"),
    ],
)  # fmt: skip
def test_refusals(
    tmp_path: Path, change: tuple[str, str], error: type[Exception] | None, says: str | None
) -> None:
    file = written(tmp_path, GOOD.replace(*change, 1))
    if error is None:
        read_configuration(file)
        return
    with pytest.raises(error, match=says):
        read_configuration(file)


def test_environment_variables_and_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace('use = "phantom"\npatients = 12', 'use = "npz"\npath = "${WHERE}/x.npz"')
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match="WHERE"):
        read_configuration(file)
    monkeypatch.setenv("WHERE", "data")
    configuration, _ = read_configuration(file)
    assert configuration.cohort.settings["path"] == str(tmp_path / "data" / "x.npz")


def test_overrides(tmp_path: Path) -> None:
    configuration, _ = read_configuration(
        written(tmp_path, GOOD), {"training.epochs": 3, "cohort.patients": 5}
    )
    assert configuration.training.epochs == 3
    assert configuration.cohort.settings["patients"] == 5


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="leakaudit init"):
        read_configuration(tmp_path / "nothing.toml")


@pytest.mark.parametrize("path", ["a\\u0000b", "~nobody-has-this-home/data"])
def test_a_path_that_can_be_none_is_refused(tmp_path: Path, path: str) -> None:
    file = written(tmp_path, GOOD.replace("patients = 12", f'patients = 12\npath = "{path}"'))
    with pytest.raises(ConfigurationError, match="`path` must be a path on this machine"):
        read_configuration(file)


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be valid TOML"):
        read_configuration(written(tmp_path, f"a = {'[' * 5000}{']' * 5000}\n{GOOD}"))


@pytest.mark.parametrize("setting", ["workers", "threads"])
def test_a_machine_is_not_asked_for_a_thousand_million(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigurationError, match=f"engine.{setting}: .* less than or equal"):
        read_configuration(written(tmp_path, GOOD), {f"engine.{setting}": 10**9})


@pytest.mark.parametrize(
    "given",
    [
        ('label = "none"', 'label = "{0}"'),
        ('name = "b"', 'name = "{0}"'),
        ('preset = "curious-server"', 'preset = "curious-server"\nname = "{0}"'),
        ('use = "decoder-inversion"', 'use = "decoder-inversion"\nlabel = "{0}"'),
        ('label = "none"', 'label = "none"\n[[sweep]]\nuse = "gaussian-noise"\nlabel = "{0}"'),
    ],
)
def test_names_fit_into_a_table(tmp_path: Path, given: tuple[str, str]) -> None:
    text = GOOD.replace(given[0], given[1].format("x" * 201))
    with pytest.raises(ConfigurationError, match="at most 200 characters"):
        read_configuration(written(tmp_path, text))


def test_what_a_sweep_adds_to_its_label_counts_too(tmp_path: Path) -> None:
    sweep = '\n[[sweep]]\nuse = "dropout"\nrate = {{values = [0.25]}}\nlabel = "{}"'
    fits = written(tmp_path, GOOD + sweep.format("x" * 195))
    assert len(read_configuration(fits)[0].sweep[0].stacks[0].label) == 200
    with pytest.raises(ConfigurationError, match="a shorter `label`"):
        read_configuration(written(tmp_path, GOOD + sweep.format("x" * 196)))

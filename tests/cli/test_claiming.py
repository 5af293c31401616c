"""`leakaudit claim`: figures, whether a stated one can be true, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Typed

HOSPITAL = """
# clips at 1.0, declares a sensitivity of 1e-4, adds noise for epsilon 10
kind = "gaussian"
clip = 1.0
sensitivity = 1e-4
noise_for = 10
delta = 1e-5
"""


def figures(out: str) -> list[float]:
    return [float(found) for found in re.findall(r"reaches ([\d.e+]+)\.\n", out)]


def test_a_declared_sensitivity_that_clipping_does_not_ensure(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "hospital.toml"
    file.write_text(HOSPITAL, encoding="utf-8")
    said = typed("claim", str(file))
    assert said.code == 1
    assert len(figures(said.out)) == 2
    assert min(figures(said.out)) > 1e8
    assert "clipped to 1 can differ by 1, 1e+04 times as much" in said.out
    assert said.out.count("cannot be true") == 2


def test_the_same_deployment_with_its_own_sensitivity_keeps_its_word(typed: Typed) -> None:
    options = "--kind gaussian --clip 1 --sensitivity 1 --noise-for 10 --delta 1e-5"
    said = typed("claim", *options.split(), "--neighbouring", "zero-out")
    assert said.code == 0
    assert "can be true; the mechanism keeps to 10." in said.out


@pytest.mark.parametrize(
    ("options", "epsilon"),
    [
        # Balle, Wang 2018: sigma 1 at sensitivity 1; and the same loss from a hundred releases.
        ("--kind gaussian --clip 1 --sigma 1 --delta 1e-5", "4.3772"),
        ("--kind gaussian --clip 3 --multiplier 10 --releases 100 --delta 1e-5", "4.3772"),
        # Dwork, Roth 2014: basic composition.
        ("--kind laplace --clip 1 --sigma 10 --releases 90", "9"),
    ],
)
def test_known_figures(typed: Typed, options: str, epsilon: str) -> None:
    said = typed("claim", *options.split(), "--neighbouring", "zero-out")
    assert said.code == 0
    assert re.search(rf"zero-out.* {re.escape(epsilon)} ", said.out)


@pytest.mark.parametrize(
    ("stated", "neighbouring", "code"),
    [("4.4", "zero-out", 0), ("4.4", "replace", 1), ("4.4", None, 2), ("3", None, 1),
     ("12", None, 0), ("4.38", "zero-out", 0), ("4.35", "zero-out", 1)],
)  # fmt: skip
def test_whether_a_stated_epsilon_can_be_true(
    typed: Typed, stated: str, neighbouring: str | None, code: int
) -> None:
    options = ["--kind", "gaussian", "--clip", "1", "--sigma", "1", "--delta", "1e-5", "--epsilon"]
    relation = [] if neighbouring is None else ["--neighbouring", neighbouring]
    assert typed("claim", *options, stated, *relation).code == code


@pytest.mark.parametrize(("stated", "code"), [("1", 1), ("1.6", 0)])
def test_random_batches(typed: Typed, stated: str, code: int) -> None:
    options = "--kind gaussian --clip 1 --multiplier 1.1 --rate 0.01 --releases 1000 --delta 1e-5"
    said = typed("claim", *options.split(), "--epsilon", stated)
    assert said.code == code
    assert "PRV accountant" in said.out


def test_options_stand_before_the_file(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "claim.toml"
    file.write_text('kind = "gaussian"\nclip = 1.0\nsigma = 1.0\ndelta = 1e-5\n', encoding="utf-8")
    assert "4.3772" in typed("claim", str(file)).out
    assert "4.3772" in typed("claim", str(file), "--clip", "2", "--sigma", "2").out
    assert "9.9973" in typed("claim", str(file), "--clip", "2").out


REFUSED = {
    "--epsilon 10": "only with its mechanism",
    "--kind gaussian --clip 1 --epsilon 10 --delta 1e-5": "no sigma, multiplier or noise_for",
    "--kind gaussian --sigma 1 --delta 1e-5": "no clip",
    "--kind gaussian --clip 1 --sigma 0 --delta 1e-5": "without noise nothing is bounded",
    "--kind gaussian --clip 1 --multiplier 0 --delta 1e-5": "without noise nothing is bounded",
    "--kind gaussian --clip nan --sigma 1 --delta 1e-5": "finite number",
    "--kind gaussian --clip inf --sigma 1 --delta 1e-5": "finite number",
    "--kind gaussian --clip 1 --sigma inf --delta 1e-5": "finite number",
    "--kind gaussian --clip 1 --sigma -1 --delta 1e-5": "greater than 0",
    "--kind gaussian --clip 1 --sigma 1": "only at a delta above 0",
    "--kind gaussian --clip 1 --sigma 1 --delta 0": "only at a delta above 0",
    "--kind gaussian --clip 1 --sigma 1 --delta 1": "less than 1",
    "--kind gaussian --clip 1 --sigma 1 --multiplier 1 --delta 1e-5": "in one way",
    "--kind gaussian --clip 1 --noise-for 10 --delta 1e-5": "needs the sensitivity",
    "--kind gaussian --clip 1 --sigma 1 --delta 1e-5 --releases 0": "greater than or equal to 1",
    "--kind gaussian --clip 1 --sigma 1 --delta 1e-5 --rate 0.1 --neighbouring replace": "nobody",
    "--kind laplace --clip 1 --sigma 1 --rate 0.1": "gaussian noise alone",
    "--kind gaussian --clip 1 --sigma 1e-200 --delta 1e-5": "is a number",
    "--kind laplace --clip 1 --sigma 1e-308 --releases 1000": "is a number",
    "--kind cauchy --clip 1 --sigma 1": "'cauchy' is not one of",
    "missing.toml": "must be a TOML file",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_is_no_mechanism_gets_one_message_and_no_number(typed: Typed, options: str) -> None:
    said = typed("claim", *options.split())
    assert said.code == 4
    assert REFUSED[options] in said.err
    assert said.err.count("error:") == 1
    assert not said.out


def test_a_misspelt_setting_of_a_file(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "claim.toml"
    file.write_text('kind = "gaussian"\nclipp = 1.0\nclip = 1\nsigma = 1.0\n', encoding="utf-8")
    said = typed("claim", str(file))
    assert said.code == 4
    assert "did you mean 'clip'" in said.err
    file.write_text("kind = gaussian", encoding="utf-8")
    assert "must be valid TOML" in typed("claim", str(file)).err


def test_the_settings_are_explained(typed: Typed) -> None:
    said = typed("explain", "claim")
    assert said.code == 0
    assert "noise_for" in said.out


def test_a_deployed_filter_is_taken_by_its_own_settings(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "filter.toml"
    file.write_text(
        'filter = "flower-local-dp"\nclipping_norm = 1.0\nsensitivity = 1.0\nepsilon = 0.5\n'
        "delta = 1e-5\n",
        encoding="utf-8",
    )
    said = typed("claim", file)
    # 1 * sqrt(2 ln(1.25 / 1e-5)) / 0.5; two clipped updates can be 2 apart, not 1.
    assert "standard deviation 9.69 per value" in said.out
    assert "Sensitivity: declared 1" in said.out
    assert "whole client, not of a patient" in said.out
    assert said.code == 2
    one = typed("claim", file, "--neighbouring", "replace")
    assert one.code == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('filter = "nvflare-percentile-privacy"', "no differential privacy at any epsilon"),
        ('filter = "nvflare-svt-privacy"\nepsilon = 0.1', "nothing about a patient"),
        ('filter = "flower-local"', "did you mean 'flower-local-dp'"),
        ('filter = "flower-central-dp"\nclipping_norm = 1.0\ndelta = 1e-5', "noise_multiplier"),
        ('filter = "flower-local-dp"\nclipping_norm = 1\nsensitivity = 1\nepsilon = 0\n'
         "delta = 1e-5", "epsilon = 0"),
    ],
)  # fmt: skip
def test_what_a_filter_is_not_worth(typed: Typed, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "filter.toml"
    file.write_text(text, encoding="utf-8")
    said = typed("claim", file)
    assert said.code == 4
    assert words in said.err

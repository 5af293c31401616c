"""What the pages say is true: links lead somewhere, examples run, the reference is current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import write_npz
from fenced import ROOT, blocks
from shell import Shell, typed_page

from leakaudit.audit.preflight import fitted
from leakaudit.cells.scores import PRIMARY
from leakaudit.cli.reference import reference
from leakaudit.cohorts.groups import split_patients
from leakaudit.judgement.standing import check_targets
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import read_configuration
from leakaudit.plan.defending import check_defenses
from leakaudit.plan.materials import Materials, load_cohort
from leakaudit.plan.plan import make_plan
from leakaudit.record import read_record

README = ROOT / "README.md"
ADD_AN_ATTACK = ROOT / "docs" / "add-an-attack.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MINE = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ADD_AN_ATTACK]

# Small enough for a test, and nothing of what is tested is left out.
SMALL = (
    "seeds=[0]",
    "victims=2",
    "training.epochs=1",
    "training.references=[]",
    "split.channels=[2, 4]",
    "split.party_levels=2",
    "judgement.dependence=false",
    "judgement.lpips=off",
)
QUICK_ATTACKS = (
    "attacks.0.steps=2",
    "attacks.0.channels=2",
    "attacks.1.steps=1",
    "attacks.1.reader_steps=1",
    "attacks.1.stand_in_steps=1",
    "attacks.1.channels=2",
    "cohort.size=32",
)


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_command_line_reference_is_current() -> None:
    page = ROOT / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == reference(), "run `make docs`"


@pytest.mark.parametrize("page", MINE, ids=_named)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    """`text` shows what a program prints; everything else is run by a test on this page."""
    for block in blocks(page):
        assert block.language in ("bash", "python", "toml", "text")
        if block.language == "text":
            assert not re.search(r"^(leakaudit|make|pip|python3?) ", block.text, re.MULTILINE)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=_named)
def test_examples_are_laid_out(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything up to the first training; generated patients stand in for real ones."""
    monkeypatch.setenv("LEAKAUDIT_REAL_DATA", str(tmp_path))
    asked, _ = read_configuration(path)
    use, settings = asked.cohort.use, asked.cohort.settings
    if use != "phantom":
        volumes = {"dimensions": 3, "depth": 16, "size": 48, "patients": 1}
        slices = {"slices_per_patient": 1, "size": 64, "patients": 63}
        use, settings = "phantom", volumes if asked.split.dimensions == 3 else slices
    elif isinstance(asked.groups.training, float):
        settings = settings | {"patients": 10}
    cohort = load_cohort(use, settings)
    groups = split_patients(cohort, asked.groups)
    choice = CohortChoice(
        cohort=asked.cohort, groups=asked.groups, fingerprint=cohort.fingerprint()
    )
    loaded = Materials(cohort, groups, cohort.masks())
    fits = fitted(asked, cohort)
    check_defenses(fits.swept, choice, loaded)
    check_targets(fits.targets)
    plan = make_plan(fits, choice, loaded, None)
    assert {cell.setting for cell in plan.trainings} >= {"none"}
    assert plan.attacks


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "slices.npz", patients=10)
    shell = Shell(tmp_path)

    def prepared(command: str) -> str:
        if "TRACE" in command:
            trace = next((tmp_path / "runs" / "first" / "cells").glob("*/trace"))
            command = command.replace("TRACE", str(trace))
        if command.startswith(("leakaudit run", "leakaudit attack")):
            changes = " ".join(f"--set '{change}'" for change in (*SMALL, *QUICK_ATTACKS))
            command = f"{command} {changes}"
            if "runs/second" in command:
                command += """ --set 'defenses=[{label="none"}]'"""
        return command.replace("DATA_DIR", str(data))

    typed_page(README, shell, prepared)
    for run in ("first", "second", "recorded"):
        for name in ("audit.json", "report.html", "report.pdf", "summary.md"):
            assert (tmp_path / "runs" / run / name).is_file()
    assert any(command.startswith("leakaudit attack") for command in shell.said)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_strangers_attack_is_audited(tmp_path: Path) -> None:
    """Everything on the page, from the files to the finding."""
    package = tmp_path / "nearest"
    package.mkdir()
    packaging, use = blocks(ADD_AN_ATTACK, "toml")
    attack, trial = blocks(ADD_AN_ATTACK, "python")
    (package / "pyproject.toml").write_text(packaging.text, encoding="utf-8")
    (package / "nearest.py").write_text(attack.text, encoding="utf-8")
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--target", site, package],
        check=True, capture_output=True,
    )  # fmt: skip

    tried = subprocess.run(
        [sys.executable, "-c", trial.text], check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    assert "victim='south'" in tried.stdout

    shell = Shell(tmp_path, site)
    typed_page(ADD_AN_ATTACK, shell, lambda command: command)
    assert "Guess the mean of the auxiliary images" in shell.type("leakaudit list attacks")

    base = tomllib.loads((ROOT / "examples" / "quickstart.toml").read_text(encoding="utf-8"))
    parties = base["split"]["parties"][:2]
    (tmp_path / "audit.toml").write_text(
        "\n".join(
            [
                'adversaries = [{ preset = "curious-server" }, { preset = "wire-tap" }]',
                "[cohort]", 'use = "phantom"', "patients = 10", "slices_per_patient = 1",
                "size = 32", f"modalities = {[p['name'] for p in parties]}",
                "[split]", "channels = [4, 8]", "party_levels = 2", "parties = [",
                *(f'{{ name = "{p["name"]}", modalities = ["{p["name"]}"] }},' for p in parties),
                "]", use.text,
            ]
        ),
        encoding="utf-8",
    )  # fmt: skip
    changes = " ".join(f"--set '{change}'" for change in SMALL)
    shell.type(f"leakaudit run audit.toml --out run --quiet {changes}")
    record = read_record(tmp_path / "run")
    assert "nearest neighbour" in {attack.source for attack in record.attacks}
    found = [
        each
        for each in record.findings
        if each.attack == "nearest-message" and (each.metric, each.region) == PRIMARY["images"]
    ]
    # With a curve it can come to "none shown"; without one it never could.
    assert found
    assert all(each.converged is not None for each in found)

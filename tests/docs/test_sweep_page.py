"""The page on sweeps: what it shows builds, and is the example; every key it names exists."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fenced import ROOT, blocks
from shell import Shell, typed_page

from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plan.strengths import check_strengths
from leakaudit.plan.sweep import Range, Sweep
from leakaudit.plan.tables import DefenseStack
from leakaudit.record import read_record

PAGE = ROOT / "docs" / "sweep.md"
EXAMPLE = ROOT / "examples" / "sweep.toml"
LGG = ROOT / "examples" / "lgg-sweep.toml"


def test_every_key_in_the_table_exists() -> None:
    known = {"from" if name == "start" else name for name in Range.model_fields}
    known |= {"values", *Sweep.model_fields}
    text = PAGE.read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    keys = {key for row in rows for key in row.split("|")[1].replace("`", "").split(", ")}
    keys = {key.strip() for key in keys}
    assert keys == known - {"use"}


def test_what_the_page_shows_builds() -> None:
    _, _, sweeps, targets, policy = (tomllib.loads(b.text) for b in blocks(PAGE, "toml"))
    base = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    configuration = AuditConfiguration.model_validate({**base, **sweeps, **targets})
    for sweep in configuration.sweep:
        check_strengths(sweep)
    assert base["targets"] == targets["targets"]
    base.pop("targets")
    AuditConfiguration.model_validate({**base, **policy})
    assert base["sweep"][:2] == sweeps["sweep"][:2]
    assert base["judgement"]["least_dice"] == targets["judgement"]["least_dice"]


def test_the_lgg_sweep_asks_for_eight_defenses_and_three_strengths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEAKAUDIT_REAL_DATA", str(tmp_path))
    configuration, _ = read_configuration(LGG)
    assert len(configuration.seeds) == 3
    assert sum(len(sweep.stacks) >= 3 for sweep in configuration.sweep) >= 8
    for sweep in configuration.sweep:
        check_strengths(sweep)
    assert all(isinstance(stack, DefenseStack) for stack in configuration.swept.defenses)


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    """Ten minutes with the page: its two files, its command, and an answer as it shows it."""
    configuration, policy = blocks(PAGE, "toml")[:2]
    (tmp_path / "sweep.toml").write_text(configuration.text, encoding="utf-8")
    (tmp_path / "leakage-policy.toml").write_text(policy.text, encoding="utf-8")
    shell = Shell(tmp_path)
    typed_page(PAGE, shell, lambda command: command)
    assert len(shell.said) == 1
    record = read_record(tmp_path / "runs" / "sweep")
    assert not record.failures
    answer = record.answer
    assert answer is not None
    assert [target.rule for target in answer.targets] == ["images against the server"]
    (searched,) = record.searches
    assert len(searched.tried) < len(searched.strengths) == 5
    (printed,) = blocks(PAGE, "text")
    assert "images against the server" in printed.text
    assert (answer.least or "No setting meets") in printed.text

"""The page on sweeps: what it shows builds, and is the example; every key it names exists."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fenced import ROOT, blocks

from leakaudit.audit.configuration import AuditConfiguration, read_configuration
from leakaudit.audit.strengths import check_strengths
from leakaudit.audit.sweep import Range, Sweep
from leakaudit.audit.tables import DefenseStack

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
    sweeps, targets, policy = (tomllib.loads(block.text) for block in blocks(PAGE, "toml"))
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

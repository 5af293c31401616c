"""`list` and `explain`: everything that is registered can be found and understood."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_line import Typed

from leakaudit.cli.docstrings import summary
from leakaudit.errors import EXIT_USAGE
from leakaudit.plugins import Kind, entries, load, names
from leakaudit.threat.knowledge import PRESETS

REGISTERED = [(kind, name) for kind in Kind for name in names(kind)]
TABLES = ("configuration", "cohort", "groups", "split", "training", "recording", "adversaries",
          "attacks", "defenses", "judgement", "engine")  # fmt: skip


def test_list_shows_everything(typed: Typed) -> None:
    said = typed("list")
    assert said.code == 0
    for _, name in REGISTERED:
        assert f" {name} " in said.out
    for name in PRESETS:
        assert f" {name} " in said.out


@pytest.mark.parametrize("kind", ["attacks", "defenses", "metrics", "cohorts", "reports"])
def test_list_shows_one_kind(typed: Typed, kind: str) -> None:
    said = typed("list", kind)
    others = {name for other, name in REGISTERED if other.value != f"leakaudit.{kind}"}
    mine = {name for other, name in REGISTERED if other.value == f"leakaudit.{kind}"}
    listed = {
        line.split()[0] for line in said.out.splitlines() if line.startswith(" ") and line.split()
    }
    assert mine <= listed
    assert not (others - mine) & listed


@pytest.mark.parametrize(("kind", "name"), REGISTERED, ids=str)
def test_summary_from_the_source_is_that_of_the_class(kind: Kind, name: str) -> None:
    assert summary(entries(kind)[name]) == load(kind, name).summary()


def test_summary_of_what_is_not_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torn.py").write_text("class Torn(:\n")
    (tmp_path / "plain.py").write_text("from torn import Torn as Mended\nValue = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for value in ("nowhere.at.all:X", "torn:Torn", "plain:Value", "plain:Mended", "sys:path"):
        assert summary(EntryPoint("x", value, "leakaudit.attacks")) is None
    assert "torn" not in sys.modules


@pytest.mark.parametrize("name", sorted({name for _, name in REGISTERED}))
def test_explain_says_what_a_plugin_does_and_takes(typed: Typed, name: str) -> None:
    said = typed("explain", name)
    assert said.code == 0, said.err
    for kind, other in REGISTERED:
        if other == name:
            plugin = load(kind, name)
            assert f"({kind.noun}, " in said.out
            assert plugin.summary().split()[0] in said.out
            for setting in plugin.model_fields:
                assert f"\n {setting} " in said.out


def test_explain_a_metric_says_how_to_read_it(typed: Typed) -> None:
    out = typed("explain", "ssim").out
    for label in ("Range:", "Leak is:", "Chance:", "Ceiling:", "Meaning:", "Remedy:", "Source:"):
        assert label in out
    assert "-1 to 1" in out
    assert "higher" in out


def test_explain_shows_ranges_and_defaults(typed: Typed) -> None:
    out = typed("explain", "phantom").out
    line = next(line for line in out.splitlines() if line.startswith(" patients "))
    assert "whole number >= 1, <= 100000" in line
    assert "60" in line


@pytest.mark.parametrize("name", [*TABLES, *PRESETS])
def test_explain_knows_tables_and_adversaries(typed: Typed, name: str) -> None:
    assert typed("explain", name).code == 0


def test_an_unknown_name_suggests_the_nearest(typed: Typed) -> None:
    said = typed("explain", "gausian-noise")
    assert said.code == EXIT_USAGE
    assert "did you mean 'gaussian-noise'?" in said.err

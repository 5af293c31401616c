"""Audits from images to record of the other shapes a split can have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from pypdf import PdfReader

from leakaudit.audit.run import Outcome, attack_trace, run_audit
from leakaudit.cli.rendering import render
from leakaudit.metrics.perceptual import WEIGHTS_VARIABLE
from leakaudit.plan.configuration import read_configuration
from leakaudit.record import Record

CONFIGURATION = """
seeds = [0]
[cohort]
use = "phantom"
patients = 9
slices_per_patient = 2
size = 16
depth = 12
[groups]
training = 4
auxiliary = 3
validation = 2
[split]
channels = [4, 8, 8]
party_levels = 2
parties = [{name = "a", modalities = ["T1"]}, {name = "b", modalities = ["T2", "FLAIR"]}]
[training]
epochs = 1
batch_size = 2
[judgement]
lpips = "auto"
[[adversaries]]
preset = "curious-server"
[[attacks]]
use = "decoder-inversion"
steps = 5
"""
U_SHAPED = {"split.labels_at": "b"}
VOLUMES = {"split.dimensions": 3, "cohort.dimensions": 3}
WITHHELD = {"split.skips": []}
REFERENCES = {"training.references": ["pooled", "alone"]}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Workers in this process: nothing is imported anew."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster.scheduler_address


def audited(
    folder: Path, changes: dict[str, Any], scheduler: str, trace: Path | None = None
) -> Outcome:
    folder.mkdir(exist_ok=True)
    file = folder / "audit.toml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    configuration, given = read_configuration(file, changes)
    rest: dict[str, Any] = {
        "scheduler": scheduler, "watch": lambda tick: None, "command": "leakaudit"
    }  # fmt: skip
    if trace is None:
        return run_audit(configuration, given, folder / "run", **rest)
    return attack_trace(trace, configuration, given, folder / "run", **rest)


def recovered(record: Record) -> dict[tuple[str, tuple[str, ...]], object]:
    """The attack's SSIM per patient, by victim and cuts."""
    return {
        (f.victim, f.cuts): f.values
        for f in record.findings
        if (f.metric, f.region) == ("ssim", "foreground")
    }


@pytest.fixture(autouse=True)
def no_backbone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)


APART = {("level 0",), ("level 1",)}


@pytest.mark.parametrize(
    ("changes", "cuts"),
    [
        (U_SHAPED, {*APART, ("level 0", "level 1")}),
        (VOLUMES | WITHHELD, {("level 1",)}),
        (U_SHAPED | VOLUMES | REFERENCES, {*APART, ("level 0", "level 1")}),
    ],
    ids=["u-shaped", "volumes, skips withheld", "u-shaped volumes, references"],
)
def test_from_images_to_record(
    tmp_path: Path, scheduler: str, changes: dict[str, Any], cuts: set[tuple[str, ...]]
) -> None:
    outcome = audited(tmp_path / "first", changes, scheduler)
    record = outcome.record
    assert not outcome.failures
    assert outcome.refusal is None
    assert record.split.dimensions == (3 if "split.dimensions" in changes else 2)
    at_head = {(r.sender, r.receiver) for r in record.costs[0].routes if r.cut == "head"}
    assert at_head == (
        {("server", "b"), ("b", "server")} if "split.labels_at" in changes else set()
    )
    assert set(recovered(record)) == {(victim, each) for victim in "ab" for each in cuts}
    settings = {entry.setting for entry in record.utility}
    assert settings == {"none"} | (
        {"pooled", "alone: a", "alone: b"} if "training.references" in changes else set()
    )
    # With the labels at a party, the server has their mask to learn as well.
    masks = {v.victim for v in record.verdicts if v.asset == "masks"}
    assert masks == ({"b"} if "split.labels_at" in changes else set())

    trace = next((tmp_path / "first" / "run" / "cells").glob("*/trace"))
    again = audited(tmp_path / "again", changes, scheduler, trace)
    assert not again.failures
    assert recovered(again.record) == recovered(record)


@pytest.mark.realdata
def test_without_a_backbone_lpips_is_not_available_and_nothing_else_changes(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Path(os.environ.get("LEAKAUDIT_REAL_WEIGHTS", "")) / "lpips"
    if not weights.is_dir():
        pytest.skip("no LPIPS backbones (LEAKAUDIT_REAL_WEIGHTS)")
    without = audited(tmp_path / "without", {}, scheduler)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(weights))
    with_one = audited(tmp_path / "with", {}, scheduler)
    assert with_one.record.not_available == {}
    assert "to get it" in without.record.not_available["lpips"]
    measured = [f for f in with_one.record.findings if f.metric == "lpips"]
    assert measured
    assert all(f.estimate.mean > 0 for f in measured)
    others = tuple(f for f in with_one.record.findings if f.metric != "lpips")
    assert others == without.record.findings
    assert with_one.record.verdicts == without.record.verdicts
    assert with_one.record.controls == without.record.controls
    assert with_one.record.utility == without.record.utility
    assert with_one.record.costs == without.record.costs
    rendered = render(without.record, without.folder)
    assert rendered.exit_code == 0
    for name in ("report.html", "summary.md"):
        text = (without.folder / name).read_text(encoding="utf-8")
        assert "Not available" in text, name
    pages = PdfReader(without.folder / "report.pdf").pages
    assert "Notavailable" in "".join("".join(page.extract_text().split()) for page in pages)

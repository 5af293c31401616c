"""`leakaudit check` as it is typed: exit codes, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Typed
from gate_records import NONE, budget, gate_record, policy_file

from leakaudit.record import Record, canonical, write_record


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


@pytest.fixture
def run(tmp_path: Path, record: Record) -> Path:
    write_record(record, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (budget(), 0, "Policy kept: 1 rule, 1 kept."),
        (budget(NONE), 1, "Policy violated: 1 rule, 1 violated."),
        (budget(metric="lpips", on="value", max=None, min=0.4), 2, "No valid verdict"),
        (budget(source=None), 4, "names who set it"),
        ("setting = 'none'", 5, "at least one rule"),
    ],
)
def test_exit_codes(typed: Typed, run: Path, text: str, code: int, said: str) -> None:
    got = typed("check", run, "--policy", policy_file(run, text))
    assert got.code == code
    assert said in got.out + got.err
    assert "Traceback" not in got.err


def test_a_violation_names_line_actor_figures_remedy_and_source(typed: Typed, run: Path) -> None:
    policy = policy_file(run, budget(NONE))
    out = typed("check", run, "--policy", policy).out
    for part in (
        f"FAIL: budget 1 ({policy}:2)",
        "curious server on images of",
        "at most 0.50 is allowed",
        "do: Withhold level 0",
        "set by: the committee",
    ):
        assert part in out


def edited(run: Path, **fields: object) -> None:
    raw = json.loads((run / "audit.json").read_text("utf-8"))
    (run / "audit.json").write_text(canonical({**raw, **fields}), "utf-8")


def test_a_record_that_cannot_be_trusted_is_refused(typed: Typed, run: Path) -> None:
    policy = policy_file(run, budget())
    whole = (run / "audit.json").read_text("utf-8")
    edited(run, title="A better one")
    got = typed("check", run, "--policy", policy)
    assert (got.code, "content_sha256" in got.err) == (4, True)
    edited(run, schema_version="9.0")
    got = typed("check", run, "--policy", policy)
    assert (got.code, "schema" in got.err) == (4, True)
    (run / "audit.json").write_text(whole[:1000], "utf-8")
    got = typed("check", run, "--policy", policy)
    assert (got.code, "whole JSON" in got.err) == (4, True)
    (run / "audit.json").unlink()
    got = typed("check", run, "--policy", policy)
    assert (got.code, "run `leakaudit run` first" in got.err) == (4, True)


# Files.


def test_files_are_written_and_the_summary_is_added_to(
    typed: Typed, tmp_path: Path, record: Record
) -> None:
    write_record(record, tmp_path)
    policy = policy_file(tmp_path, budget())
    out = tmp_path / "new" / "folder"
    summary = tmp_path / "summary.md"
    summary.write_text("# Earlier step\n", encoding="utf-8")
    got = typed(
        "check", tmp_path, "--policy", policy, "--junit", out / "junit.xml",
        "--sarif", out / "leakage.sarif", "--summary", summary,
    )  # fmt: skip
    assert got.code == 0
    assert "<testcase" in (out / "junit.xml").read_text("utf-8")
    assert json.loads((out / "leakage.sarif").read_text("utf-8"))["runs"][0]["results"] == []
    assert summary.read_text("utf-8").startswith("# Earlier step\n## Leakage policy: Policy kept")


def test_a_green_file_never_outlives_a_check_that_stops(
    typed: Typed, tmp_path: Path, record: Record
) -> None:
    write_record(record, tmp_path)
    policy = policy_file(tmp_path, budget())
    outputs = ("--junit", tmp_path / "junit.xml", "--sarif", tmp_path / "x.sarif")
    assert typed("check", tmp_path, "--policy", policy, *outputs).code == 0
    policy_file(tmp_path, budget(source=None))
    assert typed("check", tmp_path, "--policy", policy, *outputs).code == 4
    assert not (tmp_path / "junit.xml").exists()
    assert not (tmp_path / "x.sarif").exists()


@pytest.mark.parametrize("option", ["--junit", "--sarif", "--summary"])
@pytest.mark.parametrize("name", ["leakage-policy.toml", "audit.json", "b.json", "link"])
def test_what_is_read_is_never_written_over(
    typed: Typed, run: Path, option: str, name: str
) -> None:
    policy = policy_file(run, budget())
    (run / "b.json").write_text("{}", encoding="utf-8")
    (run / "link").symlink_to(run / "audit.json")
    before = (run / name).read_bytes()
    got = typed(
        "check", run, "--policy", policy, "--baseline", run / "b.json", option, run / name
    )  # fmt: skip
    assert (got.code, "a file of its own" in got.err) == (4, True)
    assert (run / name).read_bytes() == before


def test_no_baseline_over_its_record(typed: Typed, run: Path) -> None:
    before = (run / "audit.json").read_bytes()
    assert typed("baseline", run, "--out", run / "audit.json").code == 4
    assert (run / "audit.json").read_bytes() == before


def test_two_outputs_never_share_a_file(typed: Typed, run: Path) -> None:
    policy = policy_file(run, budget())
    got = typed("check", run, "--policy", policy, "--junit", run / "x", "--sarif", run / "." / "x")
    assert (got.code, "--sarif and --junit are both" in got.err) == (4, True)


def test_a_link_is_written_through_and_stays(typed: Typed, run: Path) -> None:
    """As /dev/stdout is one."""
    policy = policy_file(run, budget())
    (run / "real.xml").write_text("", encoding="utf-8")
    (run / "link.xml").symlink_to(run / "real.xml")
    assert typed("check", run, "--policy", policy, "--junit", run / "link.xml").code == 0
    assert (run / "link.xml").is_symlink()
    assert "<testcase" in (run / "real.xml").read_text("utf-8")


@pytest.mark.parametrize("option", ["--junit", "--sarif", "--summary", "--baseline"])
def test_a_self_test_takes_nothing_it_would_not_use(typed: Typed, run: Path, option: str) -> None:
    policy = policy_file(run, budget())
    got = typed("check", run, "--policy", policy, "--selftest", option, run / "x")
    assert (got.code, f"--selftest with {option}" in got.err) == (4, True)
    assert not (run / "x").exists()


def test_a_place_that_cannot_be_written_is_no_pass(
    typed: Typed, tmp_path: Path, record: Record
) -> None:
    write_record(record, tmp_path)
    policy = policy_file(tmp_path, budget())
    (tmp_path / "file").write_text("", encoding="utf-8")
    got = typed("check", tmp_path, "--policy", policy, "--junit", tmp_path / "file" / "junit.xml")
    assert got.code == 4
    assert "Traceback" not in got.err

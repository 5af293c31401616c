"""A record of every schema version ever written still loads, whole and unaltered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leakaudit.errors import RecordError
from leakaudit.policy import read_policy
from leakaudit.policy.evidence import Evidence
from leakaudit.record import (
    SCHEMA_VERSION,
    Governance,
    Record,
    canonical,
    content_sha256,
    read_record,
    record_text,
    sealed,
    write_record,
)
from leakaudit.record.changes import Shift, changes
from leakaudit.record.cuts import cuts_text

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = sorted(folder.name for folder in GOLDEN.iterdir())
FORMER = [name for name in FOLDERS if name.startswith("1.")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_loads_and_is_printed_again_as_it_was(folder: str) -> None:
    text = (GOLDEN / folder / "audit.json").read_text(encoding="utf-8")
    record = read_record(GOLDEN / folder)
    assert json.loads(text)["schema_version"] == record.schema_version == folder.partition("-")[0]
    assert record.findings
    assert record_text(record) == text


def test_every_version_is_kept() -> None:
    former = {f"1.{minor}" for minor in range(5)}
    major, minor = map(int, SCHEMA_VERSION.split("."))
    assert former | {f"{major}.{each}" for each in range(minor + 1)} <= set(FOLDERS)


def test_older_records_hold_no_answer() -> None:
    assert read_record(GOLDEN / "1.0").answer is None
    assert read_record(GOLDEN / "1.1").trade_offs == ()


def test_older_records_state_nothing_of_governance() -> None:
    assert read_record(GOLDEN / "1.3").governance == Governance()


@pytest.mark.parametrize("folder", FORMER)
def test_levels_of_a_former_record_become_the_names_of_its_cuts(folder: str) -> None:
    raw = json.loads((GOLDEN / folder / "audit.json").read_text(encoding="utf-8"))
    record = read_record(GOLDEN / folder)
    cuts = raw["split"].get("cuts") or []
    names = [cut["name"] for cut in cuts] or [f"level {number}" for number in range(9)]
    for kind in ("findings", "controls", "verdicts"):
        then = [tuple(names[level] for level in each["levels"]) for each in raw[kind]]
        assert [each.cuts for each in getattr(record, kind)] == then
    assert [each.cut for each in record.dependence] == [
        names[each["level"]] for each in raw.get("dependence", [])
    ]
    routes = [route for cost in raw["costs"] for route in cost["routes"]]
    assert [route.cut for cost in record.costs for route in cost.routes] == [
        names[each["level"]] if each["cut"] == "encoder" else "head" for each in routes
    ]
    crossing = [names[level] for level in raw["split"]["skips"]]
    assert [cut.name for cut in record.split.cuts] == crossing


def test_the_shapes_of_split_u_net_follow_from_its_levels() -> None:
    record = read_record(GOLDEN / "1.4")
    assert [set(cut.shapes.values()) for cut in record.split.cuts] == [
        {(4, 16, 16)}, {(8, 8, 8)}, {(8, 4, 4)},
    ]  # fmt: skip
    assert read_record(GOLDEN / "1.4-segresnet").split.cut_names == (
        "down_layers.0", "down_layers.1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "deep"), [("1.4", "level 1"), ("1.4-segresnet", "down_layers.1")]
)
def test_a_policy_written_for_levels_speaks_of_the_same_findings(
    folder: str, deep: str, tmp_path: Path
) -> None:
    evidence = Evidence(read_record(GOLDEN / folder))
    found = []
    for chosen in ("levels = [1]", "cuts = [1]", f'cuts = ["{deep}"]'):
        (tmp_path / "policy.toml").write_text(
            f'setting = "none"\n[[budget]]\nsource = "x"\nmax = 0.5\n{chosen}\n', "utf-8"
        )
        (placed,) = read_policy(tmp_path / "policy.toml").rules
        assert placed.kind == "budget"
        found.append(evidence.selected(placed.rule, "none"))  # type: ignore[arg-type]
    assert found[0] == found[1] == found[2] != []
    assert {finding.cuts for finding in found[0]} == {(deep,)}


def as_of_now(record: Record) -> Record:
    """The same audit, as this version writes it."""
    return sealed(record.model_copy(update={"schema_version": SCHEMA_VERSION}))


@pytest.mark.parametrize("folder", FORMER)
def test_a_former_record_is_compared_with_one_of_now(folder: str, tmp_path: Path) -> None:
    before = read_record(GOLDEN / folder)
    now = as_of_now(before)
    write_record(now, tmp_path)
    again = read_record(tmp_path)
    assert again.former is None
    assert again.content_sha256 == content_sha256(again) != before.content_sha256
    found = changes(before, again)
    assert len(found.findings) == len(before.findings)
    assert found.count(Shift.NEW) == found.count(Shift.GONE) == 0


def test_a_former_record_that_was_edited_is_refused(tmp_path: Path) -> None:
    raw = json.loads((GOLDEN / "1.4" / "audit.json").read_text(encoding="utf-8"))

    def refused(**changed: Any) -> str:
        (tmp_path / "audit.json").write_text(canonical(raw | changed), "utf-8")
        with pytest.raises(RecordError) as told:
            read_record(tmp_path)
        return str(told.value)

    (first, *_) = raw["findings"]
    assert "content_sha256" in refused(title="another")
    assert "content_sha256" in refused(findings=[{**first, "levels": [2]}])
    for levels in ([99, -1], ["level 0"], [True], None, "0"):
        assert "findings.0" in refused(findings=[{**first, "levels": levels}])
    assert "split" in refused(split=7)
    assert "split" in refused(split={**raw["split"], "channels": None})
    assert "1.999" in refused(schema_version="1.999")


def test_cuts_in_a_sentence() -> None:
    assert cuts_text(["level 0"]) == "level 0"
    assert cuts_text(["level 0", "level 1", "level 2"]) == "levels 0 to 2"
    assert cuts_text(["level 0", "level 2"]) == "levels 0, 2"
    assert cuts_text(["down_layers.1"]) == "cut down_layers.1"
    assert cuts_text(["level 0", "down_layers.1"]) == "cuts level 0, down_layers.1"
    assert cuts_text([]) == "no cut"

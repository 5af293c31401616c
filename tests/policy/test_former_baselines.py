"""A baseline of every schema version is held against a record of any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gate_records import TODAY

from leakaudit.errors import RecordError
from leakaudit.policy import Evaluation, Status, evaluate, read_baseline, read_policy
from leakaudit.record import SCHEMA_VERSION, Record, canonical, read_record, sealed

GOLDEN = Path(__file__).parent / "golden"
RECORDS = Path(__file__).parents[1] / "record" / "golden"
BASELINES = sorted(folder.name for folder in GOLDEN.iterdir())
OF = {"1.0": "1.4", "1.0-segresnet": "1.4-segresnet"}
"""Which golden record a baseline was taken from; of later versions they are called the same."""
RULE = 'setting = "none"\n[[regression]]\nsource = "x"\nmargin = 0.5\nmetric = "ssim"\n'


def held(folder: Path, record: Record, name: str, rule: str = RULE) -> Evaluation:
    (folder / "policy.toml").write_text(rule, "utf-8")
    baseline = read_baseline(GOLDEN / name / "privacy-baseline.json")
    return evaluate(read_policy(folder / "policy.toml"), record, baseline=baseline, today=TODAY)


@pytest.mark.parametrize("name", BASELINES)
def test_it_loads_and_is_compared_with_what_it_was_taken_from(name: str, tmp_path: Path) -> None:
    former = read_record(RECORDS / OF.get(name, name))
    now = sealed(former.model_copy(update={"schema_version": SCHEMA_VERSION}))
    for record in (former, now):
        (result,) = held(tmp_path, record, name).results
        assert "has no counterpart" not in " ".join((result.reason, *result.notes))
        assert "no such finding" not in " ".join((result.reason, *result.notes))
        assert result.measured is None or result.measured.value == 0
        assert result.status is not Status.FAIL


@pytest.mark.parametrize("name", BASELINES)
def test_growth_at_one_cut_is_found_whichever_name_it_had(name: str, tmp_path: Path) -> None:
    record = read_record(RECORDS / OF.get(name, name))
    deep = record.split.cut_names[1]
    rule = RULE.replace("0.5", "0.1") + f'cuts = ["{deep}"]\non = "value"\n'
    (quiet,) = held(tmp_path, record, name, rule).results
    grown = tuple(
        f.model_copy(update={"values": tuple(tuple((v or 0) + 0.3 for v in r) for r in f.values)})
        if f.cuts == (deep,)
        else f
        for f in record.findings
    )
    (loud,) = held(tmp_path, record.model_copy(update={"findings": grown}), name, rule).results
    assert quiet.measured is not None
    assert loud.measured is not None
    assert (quiet.measured.value, loud.measured.value) == (0, pytest.approx(0.3))


def test_one_that_was_edited_is_refused(tmp_path: Path) -> None:
    raw = json.loads((GOLDEN / "1.0" / "privacy-baseline.json").read_text(encoding="utf-8"))
    (first, *_) = raw["findings"]
    for edited, said in (
        ({"title": "another"}, "content_sha256"),
        ({"findings": [{**first, "levels": [2, 1]}]}, "content_sha256"),
        ({"findings": [{**first, "levels": ["level 0"]}]}, "findings"),
        ({"findings": None}, "findings"),
        ({"schema_version": "1.1"}, "schema_version"),
    ):
        (tmp_path / "b.json").write_text(canonical(raw | edited), "utf-8")
        with pytest.raises(RecordError, match=said):
            read_baseline(tmp_path / "b.json")

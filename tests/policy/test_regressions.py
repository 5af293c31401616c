"""Today against a baseline: the same patients, the same seeds, the same way of looking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Typed
from gate_records import (
    NONE,
    WITHHELD,
    budget,
    controls_of,
    findings_of,
    gate_record,
    held,
    only,
    policy_file,
)

from leakaudit.errors import (
    EXIT_NO_VALID_VERDICT,
    EXIT_NOTHING_TO_EVALUATE,
    EXIT_USAGE,
    ConfigurationError,
    NoValidVerdictError,
    RecordError,
)
from leakaudit.policy import Result, Status, baseline_of, read_baseline, write_baseline
from leakaudit.record import Record, canonical, sealed, write_record


def rule(setting: str = WITHHELD, margin: float = 0.02, more: str = "") -> str:
    return (
        f'setting = "{setting}"\n[[regression]]\nmetric = "ssim"\nmargin = {margin}\n'
        f'source = "engineering"\n{more}'
    )


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


def grown(record: Record, by: float, setting: str = WITHHELD, noise: float = 0.01) -> Record:
    """The same system, leaking more by this advantage under one setting."""
    rng = np.random.default_rng(5)
    findings = []
    for f in record.findings:
        if f.metric != "ssim":
            continue
        advantage = (np.array(f.values) - 0.4) / 0.6 + noise * rng.standard_normal(
            (len(f.values), len(f.values[0]))
        )
        more = by if f.defense == setting else 0.0
        findings += findings_of(f.defense, f.victim, f.cuts, advantage + more)
    return changed(record, findings=tuple(findings))


def changed(record: Record, **fields: Any) -> Record:
    return sealed(record.model_copy(update=fields))


def sending(record: Record, *cuts: str) -> Record:
    """The same, with only these cuts."""
    costs = (
        c.model_copy(update={"routes": tuple(r for r in c.routes if r.cut in cuts)})
        for c in record.costs
    )
    return changed(record, costs=tuple(costs))


def compared(folder: Path, then: Record, now: Record, text: str) -> Result:
    return only(folder, now, text, baseline=baseline_of(then))


def test_nothing_changed_is_kept_at_any_margin(tmp_path: Path, record: Record) -> None:
    assert compared(tmp_path, record, record, rule(margin=0.0)).status is Status.PASS


def test_an_unchanged_but_noisy_system_is_kept(tmp_path: Path, record: Record) -> None:
    result = compared(tmp_path, record, grown(record, 0.0), rule())
    assert result.status is Status.PASS
    assert result.measured is not None
    assert abs(result.measured.value) < 0.02


def test_growth_beyond_the_margin_fails_with_figures(tmp_path: Path, record: Record) -> None:
    result = compared(tmp_path, record, grown(record, 0.05), rule())
    assert result.status is Status.FAIL
    assert "growth of advantage in ssim in the foreground" in result.reason
    assert "at most 0.02 is allowed" in result.reason
    assert "curious server on images of" in result.subject


def test_growth_about_the_margin_is_inconclusive(tmp_path: Path, record: Record) -> None:
    assert compared(tmp_path, record, grown(record, 0.02), rule()).status is Status.INCONCLUSIVE


def test_a_smaller_leak_is_kept(tmp_path: Path, record: Record) -> None:
    assert compared(tmp_path, record, grown(record, -0.1), rule(margin=0.0)).status is Status.PASS


def test_for_a_metric_that_leaks_downwards_growth_is_a_fall(tmp_path: Path, record: Record) -> None:
    text = rule().replace('"ssim"', '"mse"\non = "value"').replace("0.02", "0.002")
    assert compared(tmp_path, record, grown(record, 0.1), text).status is Status.FAIL
    assert compared(tmp_path, record, grown(record, -0.1), text).status is Status.PASS


def test_all_that_crosses_is_compared_with_all_that_crossed(tmp_path: Path, record: Record) -> None:
    """One more skip crosses: the deployed setting sends levels 0 and 1, and sent 1 alone."""
    findings = [f for f in record.findings if f.defense == NONE]
    before = sending(
        changed(
            record, findings=tuple(f for f in findings if f.cuts == ("level 1",)),
            controls=tuple(controls_of(findings)),
        ),
        "level 1",
    )  # fmt: skip
    result = compared(tmp_path, before, record, rule(NONE))
    assert result.status is Status.FAIL
    assert "levels 0 to 1 (level 1 then)" in result.reason
    assert any("level 0 has no counterpart" in note for note in result.notes)
    back = compared(tmp_path, record, before, rule(NONE))
    assert back.status is Status.PASS, "and one that no longer crosses is no growth"


def test_a_new_attack_has_no_counterpart_and_never_passes(tmp_path: Path, record: Record) -> None:
    more = tuple(
        f.model_copy(update={"attack": "gradient-matching"})
        for f in record.findings
        if f.victim == "T1"
    )
    now = changed(
        record, findings=(*record.findings, *more),
        controls=tuple(controls_of((*record.findings, *more))),
    )  # fmt: skip
    result = compared(tmp_path, record, now, rule())
    assert result.status is Status.INVALID
    assert "no counterpart in the baseline" in result.reason
    assert "record the baseline again" in result.remedy


@pytest.mark.parametrize("field", ["attack", "adversary", "victim", "metric", "asset"])
def test_what_the_baseline_found_and_today_did_not_look_for_never_passes(
    tmp_path: Path, record: Record, field: str
) -> None:
    """Taking the stronger attack out of the configuration is no way through."""
    gone = {"metric": "lpips", "asset": "masks"}.get(field, "another")
    more = tuple(f.model_copy(update={field: gone}) for f in record.findings if f.metric == "ssim")
    before = changed(record, findings=(*record.findings, *more))
    text = rule().replace('metric = "ssim"\n', "")
    result = compared(tmp_path, before, record, text)
    assert result.status is Status.INVALID
    assert "is in the baseline, and today's audit has no such finding" in result.reason
    assert "look again as the baseline's audit did" in result.remedy


def test_what_a_rule_does_not_speak_of_is_not_owed(tmp_path: Path, record: Record) -> None:
    today = changed(record, findings=tuple(f for f in record.findings if f.asset != "identity"))
    assert compared(tmp_path, record, today, rule()).status is Status.PASS


def test_what_levels_gave_together_is_owed_for_those_still_sent(
    tmp_path: Path, record: Record
) -> None:
    """Level 0 is withheld, and with it the attack on what is left went away."""
    today = [f for f in record.findings if f.defense == NONE and f.cuts == ("level 1",)]
    then = [
        *(f for f in record.findings if f.defense == NONE),
        *(
            f.model_copy(update={"attack": "g"})
            for f in record.findings
            if f.cuts == ("level 0", "level 1")
        ),
    ]
    before = changed(record, findings=tuple(then))
    after = sending(changed(record, findings=tuple(today)), "level 1")
    result = compared(tmp_path, before, after, rule(NONE))
    assert result.status is Status.INVALID
    assert "by g, levels 0 to 1" in result.reason
    assert "by decoder-inversion" not in result.reason


def test_growth_of_a_level_shows_though_all_levels_together_gave_more(tmp_path: Path) -> None:
    """Then 0, 1 and both; today level 1 alone, from which twice as much is read."""
    alone, both = {(NONE, (1,)): 0.3}, {(NONE, (1,)): 0.6}
    then, now = gate_record(leaks=alone), gate_record(leaks=both, seed=2)
    today = changed(now, findings=tuple(f for f in now.findings if f.cuts == ("level 1",)))
    result = compared(tmp_path, then, sending(today, "level 1"), rule(NONE))
    assert result.status is Status.FAIL
    assert "level 1, the most of" in result.reason
    assert "then)" not in result.reason


def test_one_level_never_stands_for_another(tmp_path: Path) -> None:
    """Levels attacked one by one, never together: there is no whole to compare."""
    then, now = gate_record(), gate_record(leaks={(NONE, (1,)): 0.6}, seed=2)
    single = [changed(r, findings=tuple(f for f in r.findings if len(f.cuts) == 1))
              for r in (then, now)]  # fmt: skip
    today = changed(
        single[1], findings=tuple(f for f in single[1].findings if f.cuts == ("level 1",))
    )
    result = compared(tmp_path, single[0], sending(today, "level 1"), rule(NONE))
    assert result.status is Status.FAIL
    assert "(level 0 then)" not in result.reason


def test_a_failed_control_is_invalid_here_too(tmp_path: Path, record: Record) -> None:
    broken = changed(record, controls=tuple(controls_of(record.findings, open=True)))
    assert compared(tmp_path, record, broken, rule()).status is Status.INVALID


def test_a_setting_the_baseline_does_not_have_is_invalid(tmp_path: Path, record: Record) -> None:
    before = changed(record, findings=tuple(f for f in record.findings if f.defense == NONE))
    result = compared(tmp_path, before, record, rule())
    assert result.status is Status.INVALID
    assert f"no setting `{WITHHELD}`" in result.reason


@pytest.mark.parametrize(
    ("part", "update", "said"),
    [
        ("environment", {"python": "3.12.1"}, "python: 3.11.9 then, 3.12.1 now"),
        ("environment", {"device": "cuda"}, "device"),
        ("environment", {"packages": {"torch": "2.15.0"}}, "torch: 2.14.0 then, 2.15.0 now"),
        ("cohort", {"fingerprint": "cd" * 32}, "cohort fingerprint"),
        ("cohort", {"victims": tuple(f"Q{k}" for k in range(20))}, "attacked patients"),
    ],
)
def test_other_conditions_are_refused(
    tmp_path: Path, record: Record, part: str, update: dict[str, Any], said: str
) -> None:
    now = changed(record, **{part: getattr(record, part).model_copy(update=update)})
    with pytest.raises(NoValidVerdictError) as told:
        held(tmp_path, now, rule(), baseline=baseline_of(record))
    assert said in str(told.value)
    assert told.value.exit_code == EXIT_NO_VALID_VERDICT


def test_other_seeds_attacks_and_knowledge_are_refused(tmp_path: Path, record: Record) -> None:
    weaker = record.attacks[0].model_copy(update={"settings": {"steps": 10, "channels": 32}})
    blind = record.adversaries[0].model_copy(update={"knowledge": ("messages",)})
    for fields, said in (
        ({"seeds": (7, 8, 9)}, "seeds: (0, 1, 2) then, (7, 8, 9) now"),
        ({"attacks": (weaker, record.attacks[1])}, "attack decoder-inversion: steps: 1600 then"),
        ({"adversaries": (blind, record.adversaries[1])}, "adversary curious server: knowledge"),
    ):
        with pytest.raises(NoValidVerdictError) as told:
            held(tmp_path, changed(record, **fields), rule(), baseline=baseline_of(record))
        assert said in str(told.value)


def test_a_commit_or_a_split_may_differ(tmp_path: Path, record: Record) -> None:
    now = changed(
        record,
        environment=record.environment.model_copy(update={"git_commit": "f" * 40}),
        split=record.split.model_copy(update={"skips": (1, 2)}),
    )
    assert compared(tmp_path, record, now, rule()).status is Status.PASS


def test_rules_and_baseline_go_together(tmp_path: Path, record: Record) -> None:
    with pytest.raises(ConfigurationError, match="pass --baseline"):
        held(tmp_path, record, rule())
    with pytest.raises(ConfigurationError, match="regression"):
        held(tmp_path, record, budget(NONE), baseline=baseline_of(record))


# The file.


def test_round_trip(tmp_path: Path, record: Record) -> None:
    path = write_baseline(record, tmp_path / "privacy-baseline.json")
    assert read_baseline(path) == baseline_of(record)
    assert path.read_text("utf-8") == write_baseline(record, path).read_text("utf-8")


def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, record: Record) -> None:
    path = write_baseline(record, tmp_path / "b.json")
    whole = path.read_text("utf-8")
    raw = json.loads(whole)
    raw["findings"][0]["values"][0][0] = 0.999
    for text, said in (
        (whole[:500], "whole JSON"),
        (canonical(raw), "content_sha256"),
        (canonical({**raw, "schema_version": "3.0"}), "schema_version"),
        (whole.replace('"title": "', '"title": "\\ud800', 1), "that can be written"),
        (whole.replace('"channels": 32', '"channels": 1e999', 1), "can be written"),
        ("[]", "no baseline"),
        (record.model_dump_json(), "no baseline"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(RecordError, match=said) as told:
            read_baseline(path)
        assert told.value.exit_code == EXIT_USAGE
    with pytest.raises(RecordError, match="must be a file"):
        read_baseline(tmp_path / "none.json")


def test_as_it_is_typed(typed: Typed, tmp_path: Path, record: Record) -> None:
    write_record(record, tmp_path)
    kept = tmp_path / "privacy-baseline.json"
    assert typed("baseline", tmp_path, "-o", kept).code == 0
    policy = policy_file(tmp_path, rule())
    assert typed("check", tmp_path, "--policy", policy, "--baseline", kept).code == 0
    write_record(grown(record, 0.05), tmp_path)
    got = typed("check", tmp_path, "--policy", policy, "--baseline", kept)
    assert (got.code, "growth of advantage" in got.out) == (1, True)
    elsewhere = record.environment.model_copy(update={"platform": "Darwin arm64"})
    write_record(changed(record, environment=elsewhere), tmp_path)
    got = typed("check", tmp_path, "--policy", policy, "--baseline", kept)
    assert (got.code, "platform" in got.err) == (2, True)


def test_no_baseline_of_what_can_never_be_compared(typed: Typed, tmp_path: Path) -> None:
    write_record(gate_record(seeds=1), tmp_path)
    assert typed("baseline", tmp_path, "-o", tmp_path / "b").code == EXIT_NO_VALID_VERDICT
    write_record(gate_record(changes={"findings": ()}), tmp_path)
    assert typed("baseline", tmp_path, "-o", tmp_path / "b").code == EXIT_NOTHING_TO_EVALUATE
    assert not (tmp_path / "b").exists()

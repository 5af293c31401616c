"""A budget passes only where the audit looked, saw, and is sure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_records import (
    NONE,
    WITHHELD,
    budget,
    controls_of,
    gate_record,
    held,
    only,
    with_finding,
    without_value,
)

from leakaudit import record as m
from leakaudit.errors import (
    EXIT_NO_VALID_VERDICT,
    EXIT_OK,
    EXIT_POLICY_VIOLATED,
    ConfigurationError,
    NothingToEvaluateError,
)
from leakaudit.policy import Status
from leakaudit.record import Record, sealed


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


def changed(record: Record, **fields: Any) -> Record:
    return sealed(record.model_copy(update=fields))


def test_within_is_a_pass(tmp_path: Path, record: Record) -> None:
    evaluation = held(tmp_path, record, budget(max=0.5))
    (result,) = evaluation.results
    assert result.status is Status.PASS
    assert evaluation.exit_code == EXIT_OK
    assert result.measured is not None
    assert result.measured.at_most is not None
    assert result.measured.value < result.measured.at_most <= 0.5


def test_surely_over_fails_and_says_who_where_how_much_and_what_to_do(
    tmp_path: Path, record: Record
) -> None:
    evaluation = held(tmp_path, record, budget(NONE, max=0.5))
    (result,) = evaluation.results
    assert result.status is Status.FAIL
    assert evaluation.exit_code == EXIT_POLICY_VIOLATED
    assert "curious server on images of" in result.reason
    assert "level" in result.reason
    assert "at most 0.50 is allowed" in result.reason
    assert "strongest of 6 findings" in result.reason
    assert "Withhold level 0" in result.remedy
    assert f"`{WITHHELD}`" in result.remedy, "the setting that this audit measured to keep it"


def test_neither_is_inconclusive_and_the_policy_says_what_that_means(
    tmp_path: Path, record: Record
) -> None:
    near = budget(max=0.31)
    warned = held(tmp_path, record, near)
    assert warned.results[0].status is Status.INCONCLUSIVE
    assert warned.exit_code == EXIT_OK
    assert warned.results[0].remedy
    strict = held(tmp_path, record, 'inconclusive = "error"\n' + near)
    assert strict.exit_code == EXIT_POLICY_VIOLATED


def test_a_metric_that_leaks_downwards_is_bounded_from_below(
    tmp_path: Path, record: Record
) -> None:
    # advantages of 0.3 and 0.7 are errors of 0.07 and 0.03
    low = budget(metric="mse", on="value", max=None, min=0.05)
    assert only(tmp_path, record, low).status is Status.PASS
    assert only(tmp_path, record, low.replace(WITHHELD, NONE)).status is Status.FAIL


def test_rates_are_held_as_rates(tmp_path: Path, record: Record) -> None:
    hits = budget(metric="re-identification", on="value", max=0.2)
    assert only(tmp_path, record, hits).status is Status.PASS
    tight = only(tmp_path, record, hits.replace("0.2", "0.05"))
    assert tight.status is Status.INCONCLUSIVE, "0 of 20 says at most 14 %"
    assert only(tmp_path, record, hits.replace(WITHHELD, NONE)).status is Status.FAIL


def test_a_budget_on_identity_speaks_of_the_question_it_names(
    tmp_path: Path, record: Record
) -> None:
    """Old records ask about the same scan without saying so."""
    same = budget(metric="re-identification", on="value", max=0.2, question="same scan")
    assert only(tmp_path, record, same).status is Status.PASS
    study = same.replace("same scan", "another study")
    assert only(tmp_path, record, study).status is not Status.PASS
    asked = tuple(
        f.model_copy(update={"question": "another study"}) if f.asset == "identity" else f
        for f in record.findings
    )
    assert only(tmp_path, changed(record, findings=asked), study).status is Status.PASS
    assert only(tmp_path, changed(record, findings=asked), same).status is not Status.PASS
    with pytest.raises(ConfigurationError, match="asset identity, not masks"):
        only(tmp_path, record, budget(asset="masks", max=0.2, question="same scan"))


def test_the_strongest_of_what_a_rule_leaves_open_decides(tmp_path: Path) -> None:
    one_leaks = gate_record(leaks={(NONE, (1,)): 0.8})
    result = only(tmp_path, one_leaks, budget(NONE, max=0.75))
    assert result.status is Status.FAIL
    assert "level 1" in result.subject
    for chosen in ({"levels": (0,)}, {"cuts": (0,)}, {"cuts": ("level 0",)}):
        assert only(tmp_path, one_leaks, budget(NONE, max=0.75, **chosen)).status is Status.PASS
        other = {key: ("level 1",) if "level 0" in cuts else (1,) for key, cuts in chosen.items()}
        assert only(tmp_path, one_leaks, budget(NONE, max=0.75, **other)).status is Status.FAIL


def test_bounds_are_corrected_for_the_choice(tmp_path: Path, record: Record) -> None:
    wide = only(tmp_path, record, budget(NONE, max=0.9))
    named = only(tmp_path, record, budget(NONE, max=0.9, levels=(0,), victim="T1"))
    assert wide.measured is not None
    assert named.measured is not None
    spread = (wide.measured.value - (wide.measured.at_least or 0)) / (
        named.measured.value - (named.measured.at_least or 0)
    )
    assert spread > 1.2


@pytest.mark.parametrize("tail", ["p95", "worst"])
def test_tails_are_stricter_than_the_mean(tmp_path: Path, tail: str) -> None:
    many = gate_record(patients=80, seeds=5)
    assert only(tmp_path, many, budget(max=0.35)).status is Status.PASS
    assert only(tmp_path, many, budget(max=0.35, tail=tail)).status is Status.FAIL
    assert only(tmp_path, many, budget(max=0.6, tail=tail)).status is Status.PASS


def test_a_percentile_of_few_patients_is_never_passed(tmp_path: Path, record: Record) -> None:
    result = only(tmp_path, record, budget(max=0.6, tail="p95"))
    assert result.status is Status.INCONCLUSIVE
    assert "takes 59" in result.reason


# What keeps a rule that is otherwise kept from a pass.


def test_one_seed_never_passes(tmp_path: Path) -> None:
    for tail in ("mean", "p95", "worst"):
        evaluation = held(tmp_path, gate_record(seeds=1, patients=80), budget(tail=tail))
        assert evaluation.results[0].status is Status.INVALID
        assert evaluation.exit_code == EXIT_NO_VALID_VERDICT


def test_one_patient_never_passes(tmp_path: Path) -> None:
    record = gate_record(patients=1)
    for tail in ("mean", "p95", "worst"):
        assert only(tmp_path, record, budget(tail=tail)).status is Status.INVALID


def test_a_few_patients_are_inconclusive(tmp_path: Path) -> None:
    result = only(tmp_path, gate_record(patients=9), budget(max=0.6))
    assert result.status is Status.INCONCLUSIVE
    assert "10 are needed" in result.reason


@pytest.mark.parametrize(
    ("kind", "said"), [("open", "positive control"), ("shuffled", "negative control")]
)
def test_a_failed_control_is_invalid(tmp_path: Path, record: Record, kind: str, said: str) -> None:
    broken = changed(record, controls=tuple(controls_of(record.findings, **{kind: True})))
    result = only(tmp_path, broken, budget())
    assert result.status is Status.INVALID
    assert said in result.reason


@pytest.mark.parametrize("kind", ["open", "shuffled"])
def test_a_control_that_was_not_run_is_invalid(tmp_path: Path, record: Record, kind: str) -> None:
    kept = tuple(control for control in record.controls if control.kind != kind)
    assert only(tmp_path, changed(record, controls=kept), budget()).status is Status.INVALID


def test_a_leak_is_its_own_positive_control(tmp_path: Path, record: Record) -> None:
    broken = changed(record, controls=tuple(controls_of(record.findings, open=True)))
    assert only(tmp_path, broken, budget(NONE)).status is Status.FAIL


def test_but_an_artefact_is_no_leak(tmp_path: Path, record: Record) -> None:
    broken = changed(record, controls=tuple(controls_of(record.findings, shuffled=True)))
    assert only(tmp_path, broken, budget(NONE)).status is Status.INVALID


def test_missing_values_are_invalid(tmp_path: Path, record: Record) -> None:
    index = next(i for i, f in enumerate(record.findings) if f.defense == WITHHELD)
    holed = with_finding(record, index, values=without_value(record.findings[index]))
    result = only(tmp_path, holed, budget())
    assert result.status is Status.INVALID
    assert "1 of 60 values of ssim are missing" in result.reason


def test_a_patient_without_lesion_is_not_missing(tmp_path: Path, record: Record) -> None:
    index = next(i for i, f in enumerate(record.findings) if f.defense == WITHHELD)
    finding = record.findings[index]
    holes = tuple((None, *row[1:]) for row in finding.values)
    cohort = record.cohort.model_copy(
        update={"lesion_fraction": (0.0, *record.cohort.lesion_fraction[1:])}
    )
    holed = with_finding(record, index, values=holes, region="lesion")
    assert only(tmp_path, holed, budget()).status is Status.INVALID
    healthy = changed(holed, cohort=cohort)
    assert only(tmp_path, healthy, budget()).status is Status.PASS


def test_a_patient_of_another_party_is_not_missing(tmp_path: Path, record: Record) -> None:
    """In a horizontal split a party's own patients have values, and a blind guess."""
    index = next(i for i, f in enumerate(record.findings) if f.defense == WITHHELD)
    finding = record.findings[index]
    holes = tuple((None, *row[1:]) for row in finding.values)
    assert finding.blind_values is not None
    floor = tuple((None, *row[1:]) for row in finding.blind_values)
    holed = with_finding(record, index, values=holes)
    assert only(tmp_path, holed, budget()).status is Status.INVALID
    elsewhere = with_finding(record, index, values=holes, blind_values=floor)
    assert only(tmp_path, elsewhere, budget()).status is Status.PASS


def test_silence_under_what_no_attack_undoes_is_inconclusive(
    tmp_path: Path, record: Record
) -> None:
    defenses = tuple(
        d.model_copy(update={"unattacked": "nobody puts it back in order"} if d.stack else {})
        for d in record.defenses
    )
    puzzling = changed(record, defenses=defenses)
    result = only(tmp_path, puzzling, budget())
    assert result.status is Status.INCONCLUSIVE
    assert "nobody puts it back in order" in result.reason
    assert only(tmp_path, puzzling, budget(max=0.01)).status is Status.FAIL


def test_a_doubt_of_any_kind_about_a_question_passes_no_rule_that_asks_it(
    tmp_path: Path, record: Record
) -> None:
    """The gate knows no doubts: it reads what the audit says."""
    doubtful = changed(
        record,
        verdicts=tuple(
            v.model_copy(update={"doubts": ("the moon was full",)} if v.victim == "T1" else {})
            for v in record.verdicts
        ),
    )
    result = only(tmp_path, doubtful, budget(victim="T1"))
    assert result.status is Status.INCONCLUSIVE
    assert "the moon was full" in result.reason
    assert only(tmp_path, doubtful, budget(victim="T1", max=0.01)).status is Status.FAIL
    others = {v.victim for v in record.verdicts} - {"T1"}
    assert others
    for victim in others:
        assert only(tmp_path, doubtful, budget(victim=victim)).status is Status.PASS


def test_what_messages_carry_is_against_budgets_as_strict_as_none_shown(tmp_path: Path) -> None:
    """A looser one says how much may be read, and is held against what the attacks got."""
    quiet = gate_record(patients=60, leaks={(WITHHELD, (1,)): 0.0}, spread=0.005)
    carrying = changed(
        quiet,
        verdicts=tuple(
            v.model_copy(update={"carries": ("the messages carry the image",)})
            for v in quiet.verdicts
        ),
    )
    threshold = quiet.verdicts[0].threshold
    for bound, kept in ((threshold, False), (0.5, True)):
        assert only(tmp_path, quiet, budget(max=bound)).status is Status.PASS
        result = only(tmp_path, carrying, budget(max=bound))
        assert (result.status is Status.PASS) is kept
        assert ("the messages carry the image" in result.reason) is not kept


def test_one_patient_in_clear_passes_no_mean(tmp_path: Path) -> None:
    """Of records that say how much a single patient may leak."""
    record = gate_record(leaks={(WITHHELD, (1,)): 0.0}, spread=0.02, seeds=5)
    index = next(i for i, f in enumerate(record.findings) if f.defense == WITHHELD)
    finding = record.findings[index]
    values = tuple((0.98 + seed / 1000, *row[1:]) for seed, row in enumerate(finding.values))
    leaking = with_finding(record, index, values=values)
    single = m.SinglePatients(
        threshold=0.15, audited=20, leaking=1, worst=0.9, patient="P00", at_least=0.8, at_most=0.95
    )
    knowing = changed(
        leaking,
        verdicts=tuple(
            v.model_copy(update={"single": single} if v.asset == "images" else {})
            for v in leaking.verdicts
        ),
    )
    for on, bound in (("advantage", 0.4), ("value", 0.8)):
        rule = budget(victim=finding.victim, on=on, max=bound)
        kept = only(tmp_path, leaking, rule)
        assert kept.status is Status.PASS, kept.reason
        result = only(tmp_path, knowing, rule)
        assert result.status is Status.INCONCLUSIVE
        assert f"1 of {len(record.cohort.victims)} patients" in result.reason
    strict = only(tmp_path, knowing, budget(victim=finding.victim, tail="worst"))
    assert strict.status is Status.FAIL


def test_another_metric_does_not_answer_for_the_one_verdicts_are_read_from(
    tmp_path: Path, record: Record
) -> None:
    verdicts = tuple(
        v.model_copy(update={"metric": {"images": "ssim"}.get(v.asset)}) for v in record.verdicts
    )
    left = tuple(f for f in record.findings if (f.metric, f.victim) != ("ssim", "T1"))
    rule = budget(asset="images", metric=None)
    assert only(tmp_path, changed(record, verdicts=verdicts), rule).status is Status.PASS
    result = only(tmp_path, changed(record, verdicts=verdicts, findings=left), rule)
    assert result.status is Status.INVALID
    assert "curious server on images of T1 has no finding in ssim" in result.reason


def test_a_seed_that_did_not_finish_is_invalid(tmp_path: Path, record: Record) -> None:
    index = next(i for i, f in enumerate(record.findings) if f.defense == WITHHELD)
    short = with_finding(record, index, values=record.findings[index].values[:2])
    result = only(tmp_path, short, budget())
    assert result.status is Status.INVALID
    assert "2 of 3 seeds" in result.reason


def test_a_victim_nobody_attacked_is_invalid(tmp_path: Path, record: Record) -> None:
    findings = tuple(f for f in record.findings if f.victim != "T1")
    result = only(tmp_path, changed(record, findings=findings), budget())
    assert result.status is Status.INVALID
    assert "T1" in result.reason


def test_not_tested_is_invalid(tmp_path: Path, record: Record) -> None:
    asked = m.Verdict(
        defense=WITHHELD, adversary="curious party T1", victim="FLAIR", asset="images",
        attack=None, verdict="not tested", threshold=0.1, reason="no attack goes for it",
    )  # fmt: skip
    open_question = changed(record, verdicts=(*record.verdicts, asked))
    result = only(tmp_path, open_question, budget())
    assert result.status is Status.INVALID
    assert "curious party T1 on images of FLAIR was not tested" in result.reason
    named = budget(adversary="curious server")
    assert only(tmp_path, open_question, named).status is Status.PASS


@pytest.mark.parametrize(
    ("where", "status"),
    [
        (f"decoder-inversion by curious server on {WITHHELD}, seed 1", Status.INVALID),
        (f"{WITHHELD}, seed 0", Status.INVALID),
        (f"decoder-inversion by curious server on {NONE}, seed 0", Status.INVALID),
        (f"gradient-matching by curious party T1 on {WITHHELD}, seed 1", Status.PASS),
        ("somewhere nobody can place", Status.INVALID),
    ],
)
def test_what_did_not_finish_counts_against_its_rules(
    tmp_path: Path, record: Record, where: str, status: Status
) -> None:
    failure = m.Failure(stage="attack", where=where, kind="error", reason="out of memory")
    broken = changed(record, failures=(failure,))
    assert only(tmp_path, broken, budget(adversary="curious server")).status is status


def test_a_metric_that_was_not_available_is_invalid_and_says_how(
    tmp_path: Path, record: Record
) -> None:
    result = only(tmp_path, record, budget(metric="lpips", on="value", max=None, min=0.4))
    assert result.status is Status.INVALID
    assert "LEAKAUDIT_LPIPS_WEIGHTS" in result.reason


@pytest.mark.parametrize(("flat", "said"), [(False, "still helped"), (None, "not measured")])
def test_an_attack_that_was_still_learning_is_inconclusive(
    tmp_path: Path, record: Record, flat: bool | None, said: str
) -> None:
    findings = tuple(f.model_copy(update={"converged": flat}) for f in record.findings)
    result = only(tmp_path, changed(record, findings=findings), budget())
    assert result.status is Status.INCONCLUSIVE
    assert said in result.reason


def test_a_weaker_attack_that_was_still_learning_is_inconclusive_too(
    tmp_path: Path, record: Record
) -> None:
    asked = budget(NONE, victim="T1", max=0.95)
    assert only(tmp_path, record, asked).status is Status.PASS
    weaker = next(
        index
        for index, f in enumerate(record.findings)
        if (f.defense, f.victim, f.metric, f.cuts) == (NONE, "T1", "ssim", ("level 1",))
    )
    result = only(tmp_path, with_finding(record, weaker, converged=False), asked)
    assert result.status is Status.INCONCLUSIVE
    assert "level 1: more effort still helped" in result.reason


def test_replicates_that_are_copies_say_nothing_of_the_worst_patient(tmp_path: Path) -> None:
    copied = gate_record(noise=0.0)
    result = only(tmp_path, copied, budget(max=0.6, tail="worst"))
    assert result.status is Status.INCONCLUSIVE
    assert "every seed gave the same values" in result.reason


def test_a_record_without_findings_is_nothing_to_evaluate(tmp_path: Path, record: Record) -> None:
    with pytest.raises(NothingToEvaluateError):
        held(tmp_path, changed(record, findings=()), budget())
    with pytest.raises(NothingToEvaluateError):
        held(tmp_path, record, 'setting = "none"\n')

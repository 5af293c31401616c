"""A policy as the targets of an audit: settings stand to it as they would stand before the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_records import NONE, TODAY, WITHHELD, gate_record, policy_file
from small_audit import small_audit

from leakaudit.audit.bisection import Tried
from leakaudit.audit.run import run_audit
from leakaudit.audit.runner import Tick
from leakaudit.audit.searching import came_to
from leakaudit.errors import EXIT_USAGE, LeakauditError
from leakaudit.judgement.answer import answer
from leakaudit.judgement.rules import rule_targets, standings_to_rules
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.policy import Status, evaluate, read_policy
from leakaudit.record import Answer, Record, Standing

POLICY = """
title = "The committee's"
setting = "none"
[[budget]]
name = "images"
adversary = "curious server"
metric = "ssim"
max = 0.5
source = "the committee"
[[budget]]
name = "the worst patient"
metric = "ssim"
max = 0.8
tail = "worst"
source = "the committee"
[[budget]]
name = "error"
metric = "mse"
on = "value"
min = 0.2
source = "the committee"
[[utility]]
name = "useful"
min = 0.3
source = "the clinic"
[[regression]]
margin = 0.02
source = "engineering"
[[waiver]]
rule = "images"
reason = "let go"
expires = 2027-12-31
"""
_AS_THE_GATE_SAYS = {
    Status.PASS: "met", Status.FAIL: "exceeded", Status.INCONCLUSIVE: "unsettled",
    Status.INVALID: "not judged",
}  # fmt: skip


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


def stand(folder: Path, record: Record, text: str) -> dict[str, list[Standing]]:
    file = read_policy(policy_file(folder, text))
    found = standings_to_rules(file, record, [NONE, WITHHELD])
    return {label: [s for s in found if s.setting == label] for label in (NONE, WITHHELD)}


def test_every_setting_stands_to_every_rule_as_before_the_gate(
    tmp_path: Path, record: Record
) -> None:
    found = stand(tmp_path, record, POLICY)
    alone = POLICY[: POLICY.index("[[regression]]")]
    for label, standings in found.items():
        text = alone.replace('setting = "none"', f'setting = "{label}"')
        held = evaluate(read_policy(policy_file(tmp_path, text)), record, today=TODAY)
        assert [s.outcome for s in standings] == [_AS_THE_GATE_SAYS[r.status] for r in held.results]
        assert [s.reason for s in standings] == [r.reason for r in held.results]
    assert [s.outcome for s in found[NONE]][:2] == ["exceeded", "unsettled"]
    assert found[WITHHELD][0].outcome == "met"


def test_targets_name_the_rules_and_say_what_they_bound(tmp_path: Path) -> None:
    targets = rule_targets(read_policy(policy_file(tmp_path, POLICY)), CUTS)
    assert [t.rule for t in targets] == ["images", "the worst patient", "error", "useful"]
    assert [t.kind for t in targets] == ["leakage", "leakage", "leakage", "utility"]
    assert targets[0].says == "advantage in ssim by curious server, mean, at most 0.50"
    assert "worst patient" in (targets[1].says or "")
    assert [t.tail for t in targets[:2]] == ["mean", "worst"]
    assert [t.measure for t in targets] == ["advantage", "advantage", "value", "value"]
    assert (targets[2].max, targets[2].min) == (None, 0.2)
    assert targets[3].says == "Dice of every region, mean, at least 0.30"
    assert targets[3].source == "the clinic"


def answered(folder: Path, record: Record, text: str) -> Answer:
    file = read_policy(policy_file(folder, text))
    settings = [NONE, WITHHELD]
    found = answer(
        settings, rule_targets(file, CUTS), standings_to_rules(file, record, settings), {},
        record.utility, undefended=NONE, region="WT", least_dice=None, policy=file,
    )  # fmt: skip
    assert found is not None
    return found


def test_the_answer_is_the_setting_that_the_gate_would_pass(tmp_path: Path, record: Record) -> None:
    found = answered(tmp_path, record, POLICY[: POLICY.index("[[budget]]", 90)])
    assert found.least == WITHHELD
    assert found.policy == "The committee's"
    assert found.policy_sha256


def test_where_nothing_meets_the_policy_the_rule_is_named(tmp_path: Path, record: Record) -> None:
    strict = POLICY.replace("max = 0.5", "max = 0.05")[: POLICY.index("[[budget]]", 90)]
    found = answered(tmp_path, record, strict)
    assert found.least is None
    assert found.nearest == WITHHELD
    assert found.excess is not None
    # A leak of 0.3; of 20 patients, whatever their shape, up to 0.41.
    assert found.excess == pytest.approx(0.36, abs=0.03)
    assert "misses 'images' by" in found.reason


def test_a_broken_floor_is_named_in_its_own_unit(tmp_path: Path, record: Record) -> None:
    floor = POLICY[: POLICY.index("[[budget]]", 90)]
    floor += '[[utility]]\nname = "useful"\nmin = 0.99\nsource = "the clinic"\n'
    found = answered(tmp_path, record, floor)
    assert found.least is None
    assert "misses 'useful' by" in found.reason
    (dice,) = [s for s in found.standings if (s.setting, s.target) == (found.nearest, 1)]
    assert dice.bound is not None
    assert found.excess == pytest.approx(0.99 - dice.bound)


def came(leak: str, dice: str, folder: Path) -> Tried:
    targets = [t for t in rule_targets(read_policy(policy_file(folder, POLICY)), CUTS)
               if t.rule in ("images", "useful")]  # fmt: skip
    standings = [
        Standing(setting="x", target=n, outcome=outcome, bound=None, reason="")  # type: ignore[arg-type]
        for n, outcome in enumerate((leak, dice))
    ]
    return came_to(standings, targets, useless=False)


@pytest.mark.parametrize(
    ("leak", "dice", "tried"),
    [
        ("met", "met", Tried(meets=True)),
        # Weaker strengths leak too much and stronger ones have no more Dice: nothing was found.
        ("met", "unsettled", Tried(meets=True, hopeless=True)),
        ("exceeded", "unsettled", Tried(meets=False)),
        ("unsettled", "exceeded", Tried(meets=False, hopeless=True)),
    ],
)
def test_a_search_minds_the_floors_of_the_policy(
    leak: str, dice: str, tried: Tried, tmp_path: Path
) -> None:
    assert came(leak, dice, tmp_path) == tried


CUTS = ("level 0", "level 1", "level 2")
RULE = 'setting = "none"\n[[budget]]\nsource = "me"\n'


def configured(folder: Path, more: str = "") -> AuditConfiguration:
    return small_audit(folder, more, {"policy": "leakage-policy.toml"})[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "must be a TOML file"),
        ("setting = ", "valid TOML"),
        ('setting = "none"', r"at least one \[\[budget\]\]"),
        ('setting = "none"\n[[regression]]\nmargin = 0.1\nsource = "me"', "at least one"),
        ('setting = "none"\n[[budget]]\nmax = 0.1', "who set it"),
        (RULE + 'max = 0.1\nadversary = "curios-server"', "curious-server"),
        (RULE + 'max = 0.1\nvictim = "c"', "victim"),
        (RULE + 'max = 0.1\nattack = "decoder"', "decoder-inversion"),
        (RULE + 'max = 0.1\nmetric = "ssmi"', "ssim"),
        (RULE + "max = 0.1\nlevels = [7]", "known: level 0, level 1"),
        (RULE + 'max = 0.1\ncuts = ["levl 1"]', "did you mean 'level 1'"),
        (RULE + 'min = 0.1\nmetric = "ssim"\non = "value"', "its budget is a `max`"),
        (RULE + 'max = 1.0\nmetric = "ssim"\non = "value"', "can be broken"),
        (RULE + 'max = 0.1\n[[utility]]\nmin = 0.5\nregion = "WTT"\nsource = "me"', "WT"),
    ],
)
def test_a_bad_policy_is_refused_before_anything_runs(
    text: str | None, says: str, tmp_path: Path
) -> None:
    configuration = configured(tmp_path)
    if text is not None:
        policy_file(tmp_path, text)

    def untouched(tick: Tick) -> None:
        raise AssertionError(tick)

    with pytest.raises(LeakauditError, match=says) as problem:
        run_audit(configuration, {}, tmp_path / "run", watch=untouched, command="")
    assert problem.value.exit_code == EXIT_USAGE
    assert problem.value.remedy or "one of" in str(problem.value)
    assert not (tmp_path / "run").exists()


def test_targets_come_from_one_place(tmp_path: Path) -> None:
    with pytest.raises(LeakauditError, match="not from both"):
        configured(tmp_path, "[[targets]]\nmax = 0.3\n")

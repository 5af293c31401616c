"""A policy is whole and unambiguous, or one message that names the line."""

from __future__ import annotations

import datetime
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from gate_records import NONE, TODAY, budget, gate_record, held, only, policy_file
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.errors import EXIT_USAGE, ConfigurationError, NothingToEvaluateError
from leakaudit.policy import Result, Status, evaluate, junit, markdown, read_policy, sarif
from leakaudit.policy.positions import table_lines
from leakaudit.record import Record

TWO = """
[[budget]]
name = "second"
metric = "ssim"
max = 0.4
source = "someone else"
"""
WAIVER = """
[[waiver]]
rule = "first"
reason = "until the next release"
expires = {}
"""


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


def refused(folder: Path, record: Record, text: str) -> str:
    with pytest.raises(ConfigurationError) as told:
        held(folder, record, text)
    assert told.value.exit_code == EXIT_USAGE
    assert told.value.remedy
    return str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("setting = 'none'\n[[budget]\n", "must be valid TOML"),
        (budget(source=None), "leakage-policy.toml:2: every budget names who set it"),
        (budget(source="  "), "names who set it"),
        ("bugdet = []\n" + budget(), "did you mean 'budget'"),
        (budget(adversery="x"), "did you mean 'adversary'"),
        (budget(adversary="curious sever"), "did you mean 'curious server'"),
        (budget(victim="Flair"), "did you mean 'FLAIR'"),
        (budget(attack="decoder-inversoin"), "did you mean 'decoder-inversion'"),
        (budget(metric="sim"), "did you mean 'ssim'"),
        (budget(levels=(7,)), "known: level 0, level 1, level 2"),
        (budget("skip-witholding 0"), "did you mean 'skip-withholding 0'"),
        (budget(region="brain"), "'whole', 'foreground' or 'lesion'"),
        (budget(asset="pictures"), "asset"),
        (budget(tail="max"), "'mean', 'p95' or 'worst'"),
        (budget(max=None), "either `max` or `min`"),
        (budget(min=0.1), "either `max` or `min`"),
        (budget(max=1.5), "[0, 1)"),
        (budget(max=float("nan")), "finite"),
        (budget(max=float("inf")), "finite"),
        (budget(max=None, min=0.2), "an advantage leaks upwards"),
        (budget(max=None, min=0.2, on="value"), "its budget is a `max`"),
        (budget(metric="mse", on="value"), "mse leaks where it is lower, so its budget is a `min`"),
        (budget(metric="mse", on="value", max=None, min=0.0), "one that can be broken"),
        (budget(on="value", max=1.0), "one that can be broken"),
        (budget(metric=None, on="value"), "needs a metric"),
        (budget().replace("[[budget]]", "[budget]"), "headed [[budget]]"),
        (budget().partition("\n")[2], "setting"),
        (budget() + TWO, "must not contradict each other"),
        (budget(name="second") + TWO.replace("ssim", "mse"), "a name of its own"),
        (budget() + WAIVER.format("2027-01-31"), "unknown rule of the waiver"),
        (budget(name="first") + WAIVER.format("2026-09-13"), "expired on 2026-09-13"),
        (budget(name="first") + WAIVER.format("true"), "expires"),
        (budget(name="first") + 2 * WAIVER.format("2027-01-31"), "at most one waiver"),
        (budget(name="first") + "[[utility]]\nmin = 75\nsource = 'x'", "less than 1"),
        (budget(name="first") + "[[utility]]\nregion = 'WTT'\nmin = 0.7\nsource = 'x'", "'WT'"),
    ],
)
def test_refused_with_one_message(tmp_path: Path, record: Record, text: str, said: str) -> None:
    assert said in refused(tmp_path, record, text)


def test_contradicting_budgets_name_both_lines(tmp_path: Path, record: Record) -> None:
    told = refused(tmp_path, record, budget(name="first") + TWO)
    assert "leakage-policy.toml:8" in told
    assert "'second' (max = 0.4)" in told
    assert "'first' on line 2 (max = 0.5)" in told


def test_different_tails_do_not_contradict(tmp_path: Path, record: Record) -> None:
    text = budget() + TWO.replace("max = 0.4", 'max = 0.6\ntail = "worst"')
    assert [r.status for r in held(tmp_path, record, text).results] == [Status.PASS] * 2


def test_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigurationError, match="must be a TOML file"):
            read_policy(path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="valid TOML"):
        read_policy(tmp_path / "binary.toml")


def test_what_init_writes_is_valid_and_never_a_pass(tmp_path: Path, record: Record) -> None:
    text = files("leakaudit.cli").joinpath("_templates", "leakage-policy.toml").read_text("utf-8")
    with pytest.raises(NothingToEvaluateError):
        held(tmp_path, record, text)


def test_its_examples_are_valid_too(tmp_path: Path) -> None:
    text = files("leakaudit.cli").joinpath("_templates", "leakage-policy.toml").read_text("utf-8")
    shown = "\n".join(
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith(("[", "# [")) or " = " in line
    )
    policy = read_policy(policy_file(tmp_path, shown)).policy
    assert policy.audit
    assert policy.budget
    assert policy.utility
    assert policy.regression
    assert policy.waiver


# Waivers.


def test_a_waiver_lets_a_violation_go_until_its_day(tmp_path: Path, record: Record) -> None:
    text = budget("none", name="first", max=0.2) + WAIVER.format(TODAY.isoformat())
    result = only(tmp_path, record, text)
    assert result.status is Status.WAIVED
    assert "until 2026-09-14: until the next release" in result.waived
    assert "0.70" in result.reason, "and what it lets go is still said"
    with pytest.raises(ConfigurationError, match="expired"):
        evaluate(
            read_policy(policy_file(tmp_path, text)),
            record,
            today=TODAY + datetime.timedelta(days=1),
        )


def test_a_waiver_never_lets_go_what_was_not_judged(tmp_path: Path) -> None:
    text = budget(name="first") + WAIVER.format("2027-01-31")
    result = only(tmp_path, gate_record(seeds=1), text)
    assert result.status is Status.INVALID
    assert "what was not judged cannot be waived" in result.notes[0]


def test_a_waiver_ends_within_two_years(tmp_path: Path, record: Record) -> None:
    text = budget(name="first") + WAIVER
    assert only(tmp_path, record, text.format("2028-09-14")).status is Status.PASS
    said = refused(tmp_path, record, text.format("9999-12-31"))
    assert "a waiver ends within two years" in said


def test_a_byte_order_mark_is_no_part_of_the_policy(tmp_path: Path) -> None:
    path = policy_file(tmp_path, budget())
    plain = read_policy(path).rules
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_policy(path).rules == plain


def test_a_waiver_without_need_is_said(tmp_path: Path, record: Record) -> None:
    result = only(tmp_path, record, budget(name="first") + WAIVER.format("2027-01-31"))
    assert result.status is Status.PASS
    waived, floor = result.notes
    assert waived == "the waiver on line 8 is not needed"
    assert floor.startswith("no [[utility]] floor")


# Utility floors.

FLOOR = budget() + "[[utility]]\nsetting = 'none'\nsource = 'clinical lead'\nmin = {}\n"


def floor(folder: Path, record: Record, text: str) -> Result:
    """How the floor came out, of a policy that has a budget too: without one it is none."""
    results = held(folder, record, text).results
    return next(each for each in results if each.placed.kind == "utility")


@pytest.mark.parametrize(
    ("least", "region", "status"),
    [
        (0.65, "WT", Status.PASS),
        (0.95, "WT", Status.FAIL),
        (0.8, "ET", Status.FAIL),
        (0.5, None, Status.PASS),
        (0.75, None, Status.FAIL),  # ET is about 0.62
        (0.82, "WT", Status.INCONCLUSIVE),
    ],
)
def test_a_floor_is_kept_in_every_region(
    tmp_path: Path, record: Record, least: float, region: str | None, status: Status
) -> None:
    text = FLOOR.format(least) + (f'region = "{region}"\n' if region else "")
    assert floor(tmp_path, record, text).status is status


def test_a_floor_is_never_passed_from_one_seed(tmp_path: Path) -> None:
    assert floor(tmp_path, gate_record(seeds=1), FLOOR.format(0.1)).status is Status.INVALID


def test_a_setting_without_utility_is_invalid(tmp_path: Path, record: Record) -> None:
    bare = record.model_copy(update={"utility": ()})
    assert floor(tmp_path, bare, FLOOR.format(0.1)).status is Status.INVALID


def test_a_region_that_was_not_measured_is_no_pass(tmp_path: Path, record: Record) -> None:
    less = tuple(u for u in record.utility if (u.region, u.metric) != ("ET", "dice"))
    result = floor(tmp_path, record.model_copy(update={"utility": less}), FLOOR.format(0.1))
    assert result.status is Status.INVALID
    assert "dice of ET was not measured under `none`" in result.reason


@pytest.mark.parametrize("waived", [False, True])
def test_a_floor_alone_is_no_policy_on_leakage(
    tmp_path: Path, record: Record, waived: bool
) -> None:
    text = "setting = 'none'\n[[utility]]\nname = 'f'\nsource = 'x'\nmin = 0.99\n"
    if waived:
        text += "[[waiver]]\nrule = 'f'\nreason = 'until June'\nexpires = 2027-01-01\n"
    with pytest.raises(NothingToEvaluateError, match="at least one rule on leakage"):
        held(tmp_path, record, text)


def test_a_setting_that_no_floor_speaks_of_is_told_with_its_dice(
    tmp_path: Path, record: Record
) -> None:
    """Breaking the model protects well, and no budget notices."""
    bare = held(tmp_path, record, budget() + budget(metric="mse", max=0.6).partition("\n")[2])
    told = [result for result in bare.results if result.notes]
    assert len(told) == 1, "once for a setting"
    assert "WT 0.799 (undefended 0.816)" in told[0].notes[0]
    for text in (markdown(bare), junit(bare), sarif(bare)):
        assert "floor speaks of" in text
    floor = "[[utility]]\nmin = 0.5\nsource = 'x'\n"
    assert not any(result.notes for result in held(tmp_path, record, budget() + floor).results)
    assert only(tmp_path, record, budget(NONE)).notes == (), "nothing protects, nothing breaks"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (budget(), "Policy kept: 1 rule, 1 kept."),
        (
            budget(tail="worst", max=0.41),
            "Not violated, and not shown to be kept: 1 rule, 1 inconclusive.",
        ),
        (
            budget(NONE, name="first") + WAIVER.format("2027-01-31"),
            "Nothing judged on leakage, for it is all waived: 1 rule, 1 waived.",
        ),
        (
            budget(NONE, name="first", max=0.2)
            + TWO.replace("max = 0.4", 'max = 0.9\nvictim = "T1"')
            + WAIVER.format("2027-01-31"),
            "Policy kept but for what is waived: 2 rules, 1 waived, 1 kept.",
        ),
    ],
)
def test_kept_is_said_only_of_what_was_shown(
    tmp_path: Path, record: Record, text: str, said: str
) -> None:
    assert held(tmp_path, record, text).headline == said


# Lines.


def test_each_rule_keeps_its_line(tmp_path: Path) -> None:
    text = (
        '# [[budget]] in a comment\nsetting = "[[budget]]"\ntitle = """\n[[budget]]\n"""\n'
        + budget().partition("\n")[2]
        + "  [[ 'budget' ]] # here\nmetric = 'mse'\nmax = 0.1\nsource = '''\n[[budget]]\n'''\n"
    )
    rules = read_policy(policy_file(tmp_path, text)).rules
    lines = text.splitlines()
    assert [lines[placed.line - 1].strip()[:4] for placed in rules] == ["[[bu", "[[ '"]
    assert [placed.line for placed in rules] == [6, 10]


def test_rules_written_inline_stand_where_their_list_does(tmp_path: Path) -> None:
    rules = "{metric='ssim', max=0.1, source='x'},\n{max=0.1, source='x'}"
    text = f"setting = 'none'\n\nbudget = [{rules}]\n"
    assert [placed.line for placed in read_policy(policy_file(tmp_path, text)).rules] == [3, 3]


PARTS = ["[[budget]]\n", "# x\n", "a{} = 'b'\n", 'c{} = """\n[[budget]]"""\n']


@given(st.lists(st.sampled_from(PARTS)))
def test_lines_agree_with_a_parser(parts: list[str]) -> None:
    text = ""
    lines = []
    for index, part in enumerate(parts):
        if part.startswith("[["):
            lines.append(text.count("\n") + 1)
        text += part.format(index)
    assert len(tomllib.loads(text).get("budget", [])) == len(lines)
    assert table_lines(text, "budget", len(lines)) == tuple(lines)


def test_the_fingerprint_stays_when_bound_name_and_place_change(tmp_path: Path) -> None:
    def fingerprint(text: str) -> str:
        return read_policy(policy_file(tmp_path, text)).rules[0].fingerprint

    one = fingerprint(budget())
    assert fingerprint("# moved\n\n" + budget(max=0.1, name="x", source="y")) == one
    assert fingerprint(budget(levels=(0,))) != one
    assert fingerprint(budget("none")) != one

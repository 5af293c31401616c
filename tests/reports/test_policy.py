"""A policy in the reports: every rule drawn and told, from the record and the policy alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import Typed
from gate_records import NONE, TODAY, WITHHELD, budget, gate_record, held, policy_file
from leakaudit.reports import HtmlReport, MarkdownReport, PdfReport
from leakaudit.reports._content import document
from leakaudit.reports._content.blocks import Figure, Table, words
from leakaudit.reports._figures.forest import LEFT, RIGHT, Bar, Panel, forest
from pypdf import PdfReader

from leakaudit.policy import printed
from leakaudit.record import Record, write_record
from leakaudit.record.held import HeldPolicy

MANY = f"""setting = "{WITHHELD}"
title = "What the committee allows"
{budget(max=0.5, name="kept").partition(chr(10))[2]}
{budget(max=0.1, name="violated").replace("metric", 'victim = "T1"' + chr(10) + "metric").partition(chr(10))[2]}
{budget(max=0.35, name="tail", tail="p95").partition(chr(10))[2]}
[[budget]]
name = "never asked"
adversary = "curious party T1"
metric = "ssim"
max = 0.3
source = "the committee"

[[budget]]
name = "itself"
metric = "mse"
on = "value"
min = 0.05
source = "the committee"

[[utility]]
name = "useful"
min = 0.3
source = "the radiologists"
"""  # noqa: E501


@pytest.fixture(scope="module")
def audit() -> Record:
    return gate_record()


def shown(folder: Path, record: Record, text: str) -> HeldPolicy:
    return printed(held(folder, record, text), TODAY)


def test_every_rule_is_drawn_and_told(audit: Record, tmp_path: Path) -> None:
    policy = shown(tmp_path, audit, MANY)
    content = document(audit, tmp_path, policy=policy)
    (table,) = (b for b in content.blocks() if isinstance(b, Table) and b.key == "policy-rules")
    outcomes = {words(row[0].text).split(" (line")[0]: words(row[1].text) for row in table.rows}
    assert outcomes == {
        "violated": "\u25b2 violated",
        "never asked": "\u2715 no valid verdict",
        "tail": "\u25d0 inconclusive",
        "kept": "\u25cb kept",
        "itself": "\u25cb kept",
        "useful": "\u25cb kept",
    }
    assert [words(row[1].text)[2:] for row in table.rows[:3]] == [
        "violated", "no valid verdict", "inconclusive"
    ]  # fmt: skip
    drawn = [b for b in content.blocks() if isinstance(b, Figure) and "forest" in b.key]
    svg = "".join(figure.svg for figure in drawn)
    for rule in policy.rules:
        assert f">{rule.name}<" in svg
        assert rule.source in " ".join(words(row[4].text) for row in table.rows)
    # Advantage, squared error and Dice are no common scale: each has its own axis.
    assert svg.count("outcome, and the 95 % bounds") == 3


def test_without_a_policy_nothing_of_it(audit: Record, tmp_path: Path) -> None:
    keys = {getattr(block, "key", "") for block in document(audit, tmp_path).blocks()}
    assert not any(key.startswith("policy") for key in keys)


def test_html_paper_and_summary_say_the_same(audit: Record, tmp_path: Path) -> None:
    policy = shown(tmp_path, audit, MANY)
    page = HtmlReport().render(audit, tmp_path, policy=policy).read_text("utf-8")
    pdf = PdfReport().render(audit, tmp_path, policy=policy)
    summary = MarkdownReport().render(audit, tmp_path, policy=policy).read_text("utf-8")
    paper = re.sub(r"\s+", " ", " ".join(p.extract_text() for p in PdfReader(pdf).pages))
    for rule in policy.rules:
        if rule.value is not None:
            figure = f"{rule.value:.3f}"
            assert figure in page
            assert figure in paper
            assert figure in summary
    assert policy.headline.rstrip(".") in page
    assert policy.headline.rstrip(".") in paper
    assert policy.sha256[:16] in page
    assert pdf.read_bytes() == PdfReport().render(audit, tmp_path, policy=policy).read_bytes()


def bar(**changes: object) -> Bar:
    given = {
        "label": "rule", "about": "", "value": 0.4, "low": 0.3, "high": 0.5, "bound": 0.6,
        "higher_is_worse": True, "symbol": "none shown", "word": "kept", "told": "",
    }  # fmt: skip
    return Bar(**{**given, **changes})  # type: ignore[arg-type]


def squares(svg: str) -> list[float]:
    """Left edges of the markers that carry a hint, in order."""
    return [float(x) for x in re.findall(r'<path d="M([\d.]+) [^"]*" class="f-\w+ s-paper"', svg)]


def brackets(svg: str) -> list[list[float]]:
    """Across positions of each bracket's corners."""
    found = re.findall(r'<path d="M([^"]+)" class="s-ink"', svg)
    return [[float(pair.split()[0]) for pair in data.split("L")] for data in found]


def test_the_drawing_is_to_scale_and_the_bracket_closes_what_is_allowed() -> None:
    svg = forest("t", [Panel("advantage", [bar(value=0.0), bar(value=1.0)], from_zero=True)])
    (allowed, _) = brackets(svg)
    zero, one = squares(svg)
    assert (allowed[1] - zero) / (one - zero) == pytest.approx(0.6, abs=0.02)
    assert allowed[0] < allowed[1]  # the arms point to what is below
    (other,) = brackets(forest("t", [Panel("Dice", [bar(higher_is_worse=False)], False)]))
    assert other[0] > other[1]


def test_an_open_bound_is_an_arrow_at_the_frame() -> None:
    closed = forest("t", [Panel("advantage", [bar()], from_zero=True)])
    opened = forest("t", [Panel("advantage", [bar(high=None)], from_zero=True)])
    assert f'x2="{RIGHT:g}"' in opened.partition("s-none range")[0].rpartition("<line")[2]
    assert f'x2="{RIGHT:g}"' not in closed.partition("s-none range")[0].rpartition("<line")[2]
    nothing = forest("t", [Panel("advantage", [bar(value=None, low=None, high=None)], True)])
    assert squares(nothing) == []
    assert len(brackets(nothing)) == 1


def test_one_interval_far_longer_than_the_others_does_not_hide_them() -> None:
    bars = [bar(), bar(value=0.41, low=0.31, high=0.51), bar(value=0.3, low=-50.0, high=50.0)]
    svg = forest("t", [Panel("advantage", bars, from_zero=True)])
    zero, bound = LEFT, brackets(svg)[0][1]
    assert bound - zero > 0.3 * (RIGHT - LEFT)


def test_a_hundred_rules_are_drawn_on_several_sheets(audit: Record, tmp_path: Path) -> None:
    rules = "".join(
        f'[[budget]]\nname = "rule {k}"\nmetric = "ssim"\nmax = 0.{k + 100}\nsource = "x"\n'
        f'setting = "{NONE if k % 2 else WITHHELD}"\nvictim = "{("T1", "FLAIR")[k // 2 % 2]}"\n'
        f'tail = "{("mean", "worst", "p95")[k // 4 % 3]}"\nlevels = [{k // 12 % 2}]\n'
        for k in range(24)
    )
    policy = shown(tmp_path, audit, rules)
    content = document(audit, tmp_path, policy=policy)
    drawn = [b for b in content.blocks() if isinstance(b, Figure) and "forest" in b.key]
    assert len(drawn) == 2
    svg = "".join(figure.svg for figure in drawn)
    assert all(f">rule {k}<" in svg for k in range(24))
    assert PdfReport().render(audit, tmp_path, policy=policy).is_file()


def test_hostile_names_are_only_text(audit: Record, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> #set `x` \u202e " + "long" * 2500
    text = budget(name=hostile, source=hostile, max=0.1)
    policy = shown(tmp_path, audit, text)
    page = HtmlReport().render(audit, tmp_path, policy=policy).read_text("utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "\u202e" not in page
    assert "long" * 600 not in page
    assert PdfReport().render(audit, tmp_path, policy=policy).is_file()
    summary = MarkdownReport().render(audit, tmp_path, policy=policy).read_text("utf-8")
    assert "<script>" not in summary


def test_as_a_user_types_it(typed: Typed, audit: Record, tmp_path: Path) -> None:
    write_record(audit, tmp_path)
    policy = policy_file(tmp_path, MANY)
    said = typed("report", tmp_path, "--only", "html", "--policy", policy)
    assert said.code == 0
    assert "Policy violated: 6 rules" in said.out
    assert "policy-forest-0" in (tmp_path / "report.html").read_text("utf-8")
    typed("report", tmp_path, "--only", "html")
    assert "policy-forest-0" not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "more", "code", "told"),
    [
        (MANY.replace('"mse"', '"msee"'), (), 4, "did you mean 'mse'"),
        ("", (), 5, "at least one rule"),
        (
            budget(name="a") + '[[waiver]]\nrule = "a"\nreason = "x"\nexpires = 2020-01-01\n',
            (),
            4,
            "expired on 2020-01-01",
        ),
        (None, ("--baseline", "b.json"), 4, "--baseline without --policy"),
    ],
)
def test_a_policy_that_is_wrong_prints_no_report(
    typed: Typed,
    audit: Record,
    tmp_path: Path,
    text: str | None,
    more: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    write_record(audit, tmp_path)
    given = () if text is None else ("--policy", policy_file(tmp_path, text))
    said = typed("report", tmp_path, *given, *more)
    assert (said.code, said.err.count("error:")) == (code, 1)
    assert told in said.err
    assert not (tmp_path / "report.html").exists()


def test_a_report_of_an_older_package_is_not_handed_a_policy(
    typed: Typed, audit: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, object]] = []

    def render(self: object, record: Record, folder: Path, **given: object) -> Path:
        calls.append(given)
        return folder

    monkeypatch.setattr(MarkdownReport, "render", render)
    write_record(audit, tmp_path)
    assert typed("report", tmp_path, "--only", "markdown").code == 0
    assert list(calls[0]) == ["before"]
    assert json.loads((tmp_path / "audit.json").read_text("utf-8"))["audit_id"]

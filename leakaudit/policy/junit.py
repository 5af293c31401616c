"""An evaluation as JUnit XML: one case for each rule, for whatever shows test results."""

from __future__ import annotations

from xml.etree import ElementTree

from leakaudit.escaping import clipped, printable
from leakaudit.policy.result import Evaluation, Result, Status

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_NAME = 200
_TEXT = 4000


def junit(evaluation: Evaluation) -> str:
    """The XML, as Jenkins' `junit-10.xsd` wants it.

    A violated rule is a failure; one that could not be judged is an error; an inconclusive one is
    skipped, or a failure where the policy asks for conclusive evidence; a waived one is skipped.
    """
    cases = [(result, _outcome(evaluation, result)) for result in evaluation.results]
    counts = {
        kind: str(sum(outcome == kind for _, outcome in cases))
        for kind in ("failure", "error", "skipped")
    }
    whole = ElementTree.Element("testsuites", name="leakaudit")
    suite = ElementTree.SubElement(
        whole,
        "testsuite",
        name=f"leakaudit check {_text(evaluation.file.path.name, _NAME)}",
        tests=str(len(cases)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
        time="0.000",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("audit", evaluation.audit_id),
        ("record_sha256", evaluation.record_sha256),
        ("policy_sha256", evaluation.file.sha256),
        ("baseline_sha256", evaluation.baseline_sha256),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_text(value, _NAME))
    for result, outcome in cases:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"leakage-policy.{result.placed.kind}",
            name=_text(result.placed.name, _NAME),
            time="0.000",
        )
        if outcome:
            told = ElementTree.SubElement(
                case, outcome, type=result.status.value, message=_text(result.reason, _TEXT)
            )
            told.text = _told(evaluation, result)
        elif result.measured is not None:
            said = [result.reason, *(f"also: {note}" for note in result.notes)]
            ElementTree.SubElement(case, "system-out").text = "\n".join(
                _text(each, _TEXT) for each in said
            )
    ElementTree.indent(whole, " ")
    return f"{_DECLARATION}{ElementTree.tostring(whole, encoding='unicode')}\n"


def _outcome(evaluation: Evaluation, result: Result) -> str:
    """The element of a case; empty for a pass."""
    undecided = "failure" if evaluation.strict else "skipped"
    return {
        Status.PASS: "",
        Status.FAIL: "failure",
        Status.INCONCLUSIVE: undecided,
        Status.INVALID: "error",
        Status.WAIVED: "skipped",
    }[result.status]


def _told(evaluation: Evaluation, result: Result) -> str:
    lines = [
        f"{_text(str(evaluation.file.path), _NAME)}:{result.placed.line}",
        _text(result.reason, _TEXT),
        *(f"also: {_text(note, _TEXT)}" for note in result.notes),
        f"waived {_text(result.waived, _TEXT)}" if result.waived else "",
        f"do: {_text(result.remedy, _TEXT)}" if result.remedy else "",
        f"set by: {_text(result.placed.rule.source, _TEXT)}",
    ]
    return "\n".join(line for line in lines if line)


def _text(text: str, most: int) -> str:
    """XML knows no control characters, not even escaped: they are written out."""
    return clipped(printable(text), most)

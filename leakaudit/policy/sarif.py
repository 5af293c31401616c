"""An evaluation as SARIF 2.1.0: each rule that is not kept, at its line of the policy file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import leakaudit
from leakaudit.escaping import clipped, printable
from leakaudit.policy.result import Evaluation, Result, Status

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_TEXT = 4000
_NAME = 200
_PLACEHOLDER = re.compile(r"\{(?=\d+\})")

_RULES = {
    "budget": (
        "LeakageBudget",
        "More leaks than the policy allows, or nobody can tell.",
        "Hold one-sided 95 % bounds over patients and seeds within the budget: send less, protect "
        "it, or have another budget decided.",
    ),
    "regression": (
        "LeakageRegression",
        "More leaks than in the baseline, or nobody can tell.",
        "Take the change back, protect what it added, or accept it and record the baseline again.",
    ),
    "utility": (
        "UtilityFloor",
        "The segmentation is worse than the policy allows, or nobody can tell.",
        "Protect less, train longer, or choose another setting.",
    ),
}


def sarif(evaluation: Evaluation) -> str:
    """The log as JSON.

    Kept rules are no results, for code scanning opens an alert for each result and closes it when
    it is gone. Fingerprints follow what a rule selects, not its line, bound or name.
    """
    kinds = list(_RULES)
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "leakaudit",
                        "semanticVersion": leakaudit.__version__,
                        "rules": [_rule(kind) for kind in kinds],
                    }
                },
                "automationDetails": {"id": "leakaudit/check/"},
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(evaluation, result, kinds.index(result.placed.kind))
                    for result in evaluation.results
                    if result.status is not Status.PASS
                ],
                "properties": {
                    "audit": _text(evaluation.audit_id, _NAME),
                    "recordSha256": evaluation.record_sha256,
                    "policySha256": evaluation.file.sha256,
                    "headline": evaluation.headline,
                    "notes": [
                        _text(f"{result.placed.name}: {note}", _TEXT)
                        for result in evaluation.of(Status.PASS)
                        for note in result.notes
                    ],
                },
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(kind: str) -> dict[str, Any]:
    name, short, remedy = _RULES[kind]
    return {
        "id": f"leakage-policy/{kind}",
        "name": name,
        "shortDescription": {"text": short},
        "help": {"text": remedy},
        "defaultConfiguration": {"level": "error"},
    }


def _result(evaluation: Evaluation, result: Result, index: int) -> dict[str, Any]:
    placed = result.placed
    parts = [
        f"{placed.name}: {result.status.value}. {result.reason}.",
        *(f"Also: {note}." for note in result.notes),
        f"Do: {result.remedy}" if result.remedy else "",
        f"Set by: {placed.rule.source}",
    ]
    message = _message(" ".join(part for part in parts if part))
    found: dict[str, Any] = {
        "ruleId": f"leakage-policy/{placed.kind}",
        "ruleIndex": index,
        "level": _level(evaluation, result.status),
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _location(evaluation.file.path),
                    "region": {"startLine": placed.line},
                }
            }
        ],
        "partialFingerprints": {"leakageRule/v1": placed.fingerprint},
        "properties": {"status": result.status.value, "rule": _text(placed.name, _NAME)},
    }
    if result.status is Status.WAIVED:
        found["suppressions"] = [
            {"kind": "inSource", "justification": _message(f"waived {result.waived}")}
        ]
    return found


def _level(evaluation: Evaluation, status: Status) -> str:
    if status is Status.INCONCLUSIVE and not evaluation.strict:
        return "warning"
    return "note" if status is Status.WAIVED else "error"


def _location(path: Path) -> dict[str, str]:
    """Relative to the folder the check was started in, where the file lies inside it."""
    absolute, here = path.absolute(), Path.cwd()
    if absolute.is_relative_to(here):
        inside = absolute.relative_to(here).as_posix()
        return {"uri": _quoted(inside), "uriBaseId": "%SRCROOT%"}
    return {"uri": "file://" + _quoted(absolute.as_posix())}


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))


def _text(text: str, most: int) -> str:
    return clipped(printable(text), most)


def _message(text: str) -> str:
    """No link and no placeholder is read from it."""
    plain = _text(text, _TEXT).replace("[", "\\[").replace("]", "\\]")
    return _PLACEHOLDER.sub("{{", plain)

"""`leakaudit schema`: JSON Schemas for editors, checkers and other languages."""

from __future__ import annotations

import json

from pydantic import BaseModel

from leakaudit.cli.terminal import say


def print_schema(what: str) -> None:
    """Print a file's schema.

    Args:
        what: ``config``, ``record``, ``policy``, ``baseline``, or ``trace`` (its `trace.json`).
    """
    say(json.dumps(_model(what).model_json_schema(), indent=2, sort_keys=True))


def _model(what: str) -> type[BaseModel]:
    if what == "config":
        from leakaudit.plan.configuration import AuditConfiguration

        return AuditConfiguration
    if what == "record":
        from leakaudit.record import Record

        return Record
    if what == "policy":
        from leakaudit.policy import Policy

        return Policy
    if what == "baseline":
        from leakaudit.policy import Baseline

        return Baseline
    from leakaudit.trace import TraceDescription

    return TraceDescription

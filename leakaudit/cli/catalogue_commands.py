"""The commands that tell what is installed; each loads what it needs when it is called."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Listed(StrEnum):
    """What `list` knows."""

    ATTACKS = "attacks"
    DEFENSES = "defenses"
    METRICS = "metrics"
    COHORTS = "cohorts"
    MODELS = "models"
    REPORTS = "reports"
    ADVERSARIES = "adversaries"


class Schema(StrEnum):
    """What `schema` knows."""

    BASELINE = "baseline"
    CONFIG = "config"
    POLICY = "policy"
    RECORD = "record"
    TRACE = "trace"


def list_command(
    kind: Annotated[
        Listed | None,
        typer.Argument(
            metavar="KIND",
            help="attacks, defenses, metrics, cohorts, models, reports, adversaries; else all.",
        ),
    ] = None,
) -> None:
    """List what is installed."""
    from leakaudit.cli.listing import show_list

    show_list(None if kind is None else kind.value)


def explain_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="An attack, defense, metric, cohort, report or adversary, or a table of the "
            "configuration such as training.",
        ),
    ],
) -> None:
    """Explain one thing.

    What it does, its settings with ranges and defaults, what it needs or claims, and how to read
    its numbers.
    """
    from leakaudit.cli.explaining import explain

    explain(name)


def schema_command(
    what: Annotated[
        Schema, typer.Argument(metavar="FILE", help="config, record, policy, baseline or trace.")
    ],
) -> None:
    """Print the JSON Schema of a file."""
    from leakaudit.cli.schemas import print_schema

    print_schema(what.value)

"""The commands that look at a plan without running it; each loads what it needs when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def power_command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The audit's TOML file.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Overrides cohort.path of the configuration."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Overrides one setting, such as seeds=[0,1,2]; may be repeated.",
        ),
    ] = None,
) -> int:
    """Say what an audit could answer, before it runs.

    The smallest leak that the plan can exclude, by asset and adversary, and how many patients and
    seeds would exclude the threshold. Nothing is trained.
    """
    from leakaudit.cli.foreseeing import power
    from leakaudit.cli.running import Request

    request = Request(config=config, out=Path(), data=data, changes=tuple(changes or ()))
    return power(config, request.overrides())

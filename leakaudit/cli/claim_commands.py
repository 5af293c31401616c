"""The command on stated privacy claims, and its options; it loads what it needs when called."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class NoiseKind(StrEnum):
    """What `claim` accounts for."""

    GAUSSIAN = "gaussian"
    LAPLACE = "laplace"


class Neighbours(StrEnum):
    """What `claim` compares a patient with."""

    REPLACE = "replace"
    ZERO_OUT = "zero-out"


def claim_command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="TOML file with the settings below as keys; or with `filter` and the settings of "
            "flower-local-dp or flower-central-dp as deployed.",
        ),
    ] = None,
    kind: Annotated[NoiseKind | None, typer.Option(help="Distribution of the noise.")] = None,
    clip: Annotated[
        float | None, typer.Option(help="Largest norm that one message keeps (L2; laplace: L1).")
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(help="Noise per value: standard deviation; of Laplace noise its scale."),
    ] = None,
    multiplier: Annotated[
        float | None, typer.Option(help="Instead of --sigma: the same over clip.")
    ] = None,
    noise_for: Annotated[
        float | None,
        typer.Option(
            metavar="EPSILON",
            help="Instead of --sigma: the epsilon that the noise was computed for, with the "
            "declared sensitivity.",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None, typer.Option(help="The sensitivity that somebody declares.")
    ] = None,
    releases: Annotated[
        int | None,
        typer.Option(
            help="Messages of one patient that leave: epochs x samples x cuts x parties; "
            "otherwise 1."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Probability of taking part in a release (random batches); otherwise 1."),
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Failure probability; laplace may leave it out.")
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="The epsilon that is stated.")] = None,
    neighbouring: Annotated[
        Neighbours | None,
        typer.Option(
            help="What stands in a patient's place: any other data (replace) or nothing "
            "(zero-out); otherwise both are answered."
        ),
    ] = None,
) -> int:
    """Tell what a mechanism is worth, and whether a stated epsilon can be true.

    Nothing is run: clipping, noise and releases are described. Exits with 1 where the stated
    epsilon cannot be true, with 2 where the description does not settle it.
    """
    from leakaudit.cli.claiming import claim

    given: dict[str, object] = {
        "kind": None if kind is None else kind.value,
        "clip": clip,
        "sigma": sigma,
        "multiplier": multiplier,
        "noise_for": noise_for,
        "sensitivity": sensitivity,
        "releases": releases,
        "rate": rate,
        "delta": delta,
        "epsilon": epsilon,
        "neighbouring": None if neighbouring is None else neighbouring.value,
    }
    return claim(file, {name: value for name, value in given.items() if value is not None})

"""A mechanism that somebody describes: what is clipped, what is added, how often."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leakaudit.accounting.deployed import as_mechanism
from leakaudit.errors import ConfigurationError
from leakaudit.plugins import validated

Kind = Literal["gaussian", "laplace"]
Neighbouring = Literal["replace", "zero-out"]

SENSITIVITY: Mapping[Neighbouring, float] = {"replace": 2.0, "zero-out": 1.0}
"""How far two clipped messages can be apart, in units of the clipping norm."""

_MOST_RELEASES = 10**9


class Mechanism(BaseModel):
    """Noise on clipped messages, as somebody describes it.

    Noise is given in one of three ways: sigma, multiplier, or noise_for with a sensitivity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Kind = Field(description="gaussian (L2 norm is clipped) or laplace (L1 norm)")
    clip: float = Field(gt=0, description="largest norm that one message keeps")
    sigma: float | None = Field(
        default=None,
        gt=0,
        description="noise per value: standard deviation of a Gaussian, scale b of a Laplace",
    )
    multiplier: float | None = Field(
        default=None, gt=0, description="instead of sigma: the same over clip"
    )
    noise_for: float | None = Field(
        default=None,
        gt=0,
        description="instead of sigma: the epsilon that the noise was computed for, with the "
        "declared sensitivity",
    )
    sensitivity: float | None = Field(
        default=None, gt=0, description="sensitivity that somebody declares"
    )
    releases: int = Field(
        default=1,
        ge=1,
        le=_MOST_RELEASES,
        description="messages of one patient that leave: epochs x samples x levels x parties",
    )
    rate: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="probability that a patient takes part in a release, independently drawn; "
        "1: always",
    )
    delta: float | None = Field(
        default=None, ge=0, lt=1, description="failure probability; laplace may leave it out (0)"
    )
    epsilon: float | None = Field(default=None, gt=0, description="the epsilon that is stated")
    deployed: str | None = Field(
        default=None,
        description="a framework's filter that it is; written as `filter`, with its own settings",
    )
    neighbouring: Neighbouring | None = Field(
        default=None,
        description="replace: any other data in place of a patient's (sensitivity 2 clip); "
        "zero-out: nothing in their place (sensitivity clip); unset: both are answered",
    )

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        given = [name for name in ("sigma", "multiplier", "noise_for") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "noise is given in one way, by sigma, multiplier or noise_for; given: "
                + (" and ".join(given) or "none")
            )
        if self.noise_for is not None and self.sensitivity is None:
            raise ValueError("noise_for needs the sensitivity that the noise was computed with")
        if self.kind == "gaussian" and not self.delta:
            raise ValueError("Gaussian noise has an epsilon only at a delta above 0: give delta")
        if self.rate < 1 and self.kind == "laplace":
            raise ValueError("random batches are accounted for with gaussian noise alone: rate 1")
        if self.rate < 1 and self.neighbouring == "replace":
            raise ValueError(
                "accountants of random batches compare a patient with nobody: neighbouring "
                "zero-out, or rate 1"
            )
        if self.rate < 1 and self.noise_for is not None:
            raise ValueError("noise on random batches is given by sigma or multiplier")
        return self

    @property
    def stated(self) -> float | None:
        """The epsilon that is stated: by itself, or as what the noise was computed for."""
        return self.noise_for if self.epsilon is None else self.epsilon

    @property
    def relations(self) -> tuple[Neighbouring, ...]:
        """The relations between neighbours that are answered for."""
        if self.neighbouring is not None:
            return (self.neighbouring,)
        return ("zero-out",) if self.rate < 1 else ("zero-out", "replace")


def read_mechanism(file: Path | None, given: Mapping[str, Any]) -> Mechanism:
    """A mechanism from a TOML file, from options, or from both.

    Args:
        file: with the settings as keys; None for none.
        given: settings that stand before those of the file.

    Raises:
        ConfigurationError: no such file, no TOML, no mechanism in it, or a value out of range.
    """
    settings = {} if file is None else _read(file)
    settings |= given
    if "filter" in settings:
        settings = as_mechanism(settings)
    missing = [name for name in ("kind", "clip") if name not in settings]
    if not {"sigma", "multiplier", "noise_for"} & set(settings):
        missing.append("sigma, multiplier or noise_for")
    if missing:
        raise ConfigurationError(
            "a claim can be judged only with its mechanism: what is clipped, and what noise is "
            "added",
            found=f"no {'; no '.join(missing)}",
            remedy="give kind, clip and the noise; see `leakaudit claim --help`",
        )
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigurationError(
                "every setting of a mechanism is a finite number",
                found=f"{name} = {value}",
                remedy="give the number that the mechanism uses",
            )
    for name in ("sigma", "multiplier"):
        if settings.get(name) == 0:
            raise ConfigurationError(
                "without noise nothing is bounded: there is no epsilon",
                found=f"{name} = 0",
                remedy="give the noise that is added",
            )
    return validated(Mechanism, settings, what="claim")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ConfigurationError(
            "a described mechanism must be a TOML file",
            found=str(file),
            remedy="give the path of one, or describe the mechanism by options",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigurationError(
            f"{file.name} must be valid TOML", found=str(problem), remedy="mend the line it names"
        ) from None

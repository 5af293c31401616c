"""The policy: budgets that somebody set, and who; read from `leakage-policy.toml`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from leakaudit.plugins import Settings
from leakaudit.record import Asset, Region
from leakaudit.record.part import IdentityQuestion
from leakaudit.split.spec import CutChoice

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
# Strict: a word in quotes, or `true`, is no figure that somebody decided.
Figure = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Tail = Literal["mean", "p95", "worst"]
Measure = Literal["advantage", "value"]


class Table(Settings):
    """Base of every table in the file: frozen, and nothing undeclared gets in."""


class Rule(Table):
    """What every rule has: a name to speak of it, and somebody who set it."""

    name: Text | None = Field(
        default=None, description="how messages and waivers call it; unset: kind and number"
    )
    setting: Text | None = Field(
        default=None, description="defense setting it judges; unset: the policy's"
    )
    source: Text = Field(description="who set it: a person, a committee, a document")


class Scope(Rule):
    """Which findings a rule speaks of; what is left out matches anything."""

    adversary: Text | None = Field(default=None, description="unset: every adversary")
    victim: Text | None = Field(default=None, description="unset: every victim")
    attack: Text | None = Field(default=None, description="label of an attack; unset: every attack")
    former_names: ClassVar[Mapping[str, str]] = {"levels": "cuts"}

    cuts: tuple[CutChoice, ...] | None = Field(
        default=None,
        min_length=1,
        description="exactly these cuts attacked together, by name or by number; unset: every "
        "combination",
    )
    asset: Asset | None = Field(default=None, description="unset: whatever the metric speaks of")
    question: IdentityQuestion | None = Field(
        default=None,
        description="identity: what the adversary holds of the people it could name; unset: any",
    )
    metric: Text | None = Field(default=None, description="unset: every metric with an advantage")
    region: Region | None = Field(default=None, description="unset: every region")
    on: Measure = Field(
        default="advantage",
        description="advantage: gain over what is known anyway, 0 to 1; value: the metric itself",
    )

    @field_validator("cuts")
    @classmethod
    def _ordered(cls, cuts: tuple[CutChoice, ...] | None) -> tuple[CutChoice, ...] | None:
        if cuts is None:
            return None
        return tuple(sorted(set(cuts), key=lambda each: (isinstance(each, str), each)))

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.on == "value" and self.metric is None:
            raise ValueError(
                'on = "value" needs a metric: the values of different metrics have no common scale'
            )
        return self

    @model_validator(mode="after")
    def _about_identity(self) -> Self:
        if self.question is not None and self.asset not in (None, "identity"):
            raise ValueError(
                f"a question asks whose an image is: it goes with asset identity, not {self.asset}"
            )
        return self

    def selects(self) -> dict[str, Any]:
        """What tells the rule from others of its kind: everything but name, bounds and source."""
        told = self.model_dump(mode="json", exclude={"name", "source", "max", "min", "margin"})
        # Fingerprints of rules stay, and with them the alerts that somebody dismissed.
        return told | {"levels": told.pop("cuts")}


class Budget(Scope):
    """How much may leak: held against one-sided 95 % bounds over patients and seeds.

    Whatever is left out matches anything, and then the strongest finding counts, corrected for
    having been picked. `max` is for what leaks upwards, `min` for what leaks downwards (`mse`,
    `lpips`); the wrong one of the two is refused.
    """

    max: Figure | None = Field(default=None, description="most that may leak")
    min: Figure | None = Field(
        default=None, description="least that must remain, for a metric where lower is leak"
    )
    tail: Tail = Field(
        default="mean", description="of whom: the mean, the 95th percentile, or the worst patient"
    )

    @property
    def bound(self) -> float:
        """`max` or `min`, whichever is given."""
        bound = self.max if self.max is not None else self.min
        if bound is None:
            raise ValueError("a budget has one bound")
        return bound

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.max is None) == (self.min is None):
            raise ValueError("a budget has either `max` or `min`: one of them, not both")
        if self.on == "advantage":
            if self.max is None:
                raise ValueError("an advantage leaks upwards: its budget is a `max`, not a `min`")
            if not 0 <= self.max < 1:
                raise ValueError(
                    "an advantage is 0 for nothing and 1 for a perfect copy: its `max` lies in "
                    "[0, 1)"
                )
        return self


class Regression(Scope):
    """How much more may leak than in the baseline: paired, on the same patients and seeds."""

    margin: Annotated[Figure, Field(ge=0)] = Field(
        description="growth of the leak that is tolerated, in the figure's own unit"
    )


class UtilityFloor(Rule):
    """How good the segmentation must stay, so that nobody passes by breaking the model."""

    region: Text | None = Field(default=None, description="such as WT; unset: every region")
    metric: Literal["dice"] = Field(default="dice", description="Dice per patient")
    min: Annotated[Figure, Field(gt=0, lt=1)] = Field(description="least mean Dice")

    def selects(self) -> dict[str, Any]:
        """What tells the rule from others of its kind."""
        return self.model_dump(mode="json", exclude={"name", "source", "min"})


class Waiver(Table):
    """Somebody lets one rule go, until a day. What could not be judged cannot be waived."""

    rule: Text = Field(description="`name` of the rule")
    reason: Text = Field(description="why, and who decided")
    expires: datetime.date = Field(
        description="last day it holds, at most two years ahead, such as 2027-01-31"
    )


class AuditFloors(Table):
    """How closely an audit must look to count: without these, whoever runs it chooses.

    What falls short is not judged: no verdict, exit code 2.
    """

    seeds: PositiveInt | None = Field(default=None, description="least, of the trainings")
    patients: PositiveInt | None = Field(default=None, description="least that were attacked")
    auxiliary: PositiveInt | None = Field(
        default=None, description="least patients of the adversary's own"
    )
    attacks: tuple[Text, ...] = Field(
        default=(), description="registered names or labels; somebody must have mounted each"
    )
    adversaries: tuple[Text, ...] = Field(
        default=(), description="by name; each must have mounted an attack"
    )
    weaknesses: Literal["named", "refused"] = Field(
        default="named",
        description="what becomes of choices by which an audit finds less than it could: `check` "
        "names them, or judges nothing while there is one",
    )
    source: Text = Field(description="who set them: a person, a committee, a document")


class Policy(Table):
    """What a project tolerates, by whose decision."""

    title: str = Field(default="Leakage policy", max_length=20_000)
    setting: Text | None = Field(
        default=None, description="label of the defense setting that is to be deployed"
    )
    inconclusive: Literal["warning", "error"] = Field(
        default="warning", description="what a rule comes to that the evidence cannot decide"
    )
    signed_by: tuple[Text, ...] = Field(
        default=(),
        description="whose signature on the record counts, by their names in the file of allowed "
        "signers; unset: a record needs none",
    )
    audit: AuditFloors | None = Field(
        default=None, description="how closely an audit must look to count"
    )
    budget: tuple[Budget, ...] = ()
    regression: tuple[Regression, ...] = ()
    utility: tuple[UtilityFloor, ...] = ()
    waiver: tuple[Waiver, ...] = ()

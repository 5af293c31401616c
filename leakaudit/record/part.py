"""What every part of the record is made of: words, numbers, and estimates of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SERVER = "server"

Asset = Literal["images", "masks", "identity", "membership", "attribute"]
IdentityQuestion = Literal["same image", "same scan", "another study"]
Region = Literal["whole", "foreground", "lesion"]
Direction = Literal["higher", "lower"]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Part(BaseModel):
    """Base of every part of the record: frozen, and nothing undeclared gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tail(Part):
    """One patient at the leaking end of the distribution."""

    value: Number = Field(description="the patient's value, mean over samples and seeds")
    patient: str | None = Field(default=None, description="pseudonym; null for a percentile")


class Estimate(Part):
    """A mean over patients with its uncertainty; the unit is the patient, never the slice."""

    mean: Number = Field(description="mean over patients of the per-patient means")
    lower: Number | None = Field(description="lower end of the interval; null where undefined")
    upper: Number | None = Field(description="upper end of the interval; null where undefined")
    level: Number = Field(default=0.95, description="coverage of the interval, 0 to 1")
    one_sided_lower: Number | None = Field(default=None, description="one-sided 95 % lower bound")
    one_sided_upper: Number | None = Field(default=None, description="one-sided 95 % upper bound")
    patients: int = Field(ge=1, description="patients behind the mean")
    samples: int = Field(ge=1, description="samples behind the mean, over all patients")
    seeds: int = Field(ge=1, description="seeds of training and attack")
    worst: Tail | None = Field(default=None, description="the patient who leaks most")
    p95: Tail | None = Field(default=None, description="95th percentile in the leaking direction")
    method: str = Field(description="how the interval was made")
    undefined_because: str | None = Field(
        default=None, description="why there is no interval, where there is none"
    )

"""How small a leak an audit of this size could have excluded."""

from __future__ import annotations

from pydantic import Field

from leakaudit.record.part import Asset, Number, Part


class Spread(Part):
    """How an advantage strays where nothing leaks: standard deviations; 1 is a perfect attack."""

    patient: Number = Field(ge=0, description="between patients, the same under every seed")
    seed: Number = Field(ge=0, description="between seeds, the same for every patient")
    rest: Number = Field(ge=0, description="of every patient under every seed")


class Power(Part):
    """What audits of a defense that leaks nothing come to, for one asset and who attacks it."""

    asset: Asset
    adversaries: tuple[str, ...] = Field(description="whose attacks on it are of this size")
    patients: int = Field(ge=0, description="attacked, of the party with fewest")
    seeds: int = Field(ge=1, description="of the training")
    series: int = Field(ge=1, description="attacks and cuts that must all be silent")
    threshold: Number = Field(description="the advantage that `none shown` excludes")
    smallest: Number | None = Field(
        description="advantage that four of five such audits exclude for the mean over patients; "
        "null: they exclude none"
    )
    smallest_worst: Number | None = Field(
        description="the same for the patient who leaks most of those audited"
    )
    share: Number = Field(ge=0, le=1, description="of such audits that end in `none shown`")
    reason: str = Field(default="", description="why none can, where none can")
    patients_needed: int | None = Field(
        default=None, description="fewest under which four of five do; null: not within reach"
    )
    seeds_needed: int | None = Field(default=None, description="under so many seeds")
    spread: Spread | None = Field(
        default=None,
        description="of advantages; null for rates, where patients are drawn at random",
    )
    measured: bool = Field(
        default=False, description="the spread is this audit's own; otherwise it is assumed"
    )
    ceiling: Number | None = Field(
        default=None,
        description="identity: share of patients that the picker found from the true images; null: "
        "not measured yet, taken for all of them",
    )

    @property
    def reachable(self) -> bool:
        """Whether "none shown" can be the answer."""
        return self.share >= PROMISE


PROMISE = 0.8
"""Share of audits of a defense that leaks nothing that must say so for it to be within reach."""

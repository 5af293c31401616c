"""Which setting is enough: trade-offs, targets, the answer, and how it was searched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leakaudit.record.part import Asset, Estimate, Number, Part


class TradeOffPoint(Part):
    """What one setting leaves to one actor, and what it costs."""

    setting: str = Field(description="label of the defense setting")
    victim: str = Field(description="the victim that leaks most under it")
    attack: str = Field(description="the strongest attack on that victim")
    leakage: Estimate = Field(description="advantage of that attack, corrected for the choice")
    dice: Estimate | None = Field(description="of `region`; null where not measured")
    dice_change: Estimate | None = Field(
        default=None,
        description="Dice with the setting minus Dice without any, paired over validation patients "
        "and seeds; null for the undefended setting",
    )
    dominated_by: tuple[str, ...] = Field(
        default=(),
        description="settings surely better in leakage or Dice and surely not worse in the other "
        "by more than `margin`; empty: on the Pareto front",
    )
    defense_capability: Number | None = Field(
        default=None, description="Defense Capability Score of VFLAIR (ICLR 2024), 0 to 1"
    )


class TradeOff(Part):
    """Dice against leakage for one actor and asset, over all settings."""

    adversary: str
    asset: Asset
    metric: str = Field(description="metric the leakage was read from")
    region: str = Field(description="region whose Dice stands for utility")
    margin: Number = Field(description="a loss that counts as none, in leakage and in Dice")
    points: tuple[TradeOffPoint, ...] = Field(description="in the order of `defenses`")


class TargetSummary(Part):
    """A bound that the audit was told to look for: its own, or a rule of a policy."""

    asset: Asset | None = Field(description="null: whatever the metric speaks of")
    adversary: str | None = Field(description="null: everyone whose attacks went for it")
    victim: str | None = Field(description="null: everybody")
    metric: str | None = Field(description="null: every metric with an advantage")
    region: str | None = Field(description="of the image, or whose Dice; null: every one")
    max: Number | None = Field(
        description="what must surely not be exceeded: an advantage, or what `says` tells"
    )
    min: Number | None = Field(
        default=None, description="what must surely be kept, where less is worse; else null"
    )
    kind: Literal["leakage", "utility"] = Field(
        default="leakage", description="utility: a floor that Dice must surely keep"
    )
    measure: Literal["advantage", "value"] = Field(
        default="advantage", description="what is bounded: the advantage, or the metric itself"
    )
    tail: Literal["mean", "p95", "worst"] = Field(
        default="mean", description="of whom: the mean, the 95th percentile, the worst patient"
    )
    rule: str | None = Field(
        default=None, description="name of the policy's rule; null: set by the configuration"
    )
    source: str | None = Field(default=None, description="who set it, as the policy names them")
    says: str | None = Field(default=None, description="what the rule bounds, in words")


class Standing(Part):
    """How one setting stands to one target."""

    setting: str
    target: int = Field(ge=0, description="place in `targets`")
    outcome: Literal["met", "exceeded", "unsettled", "not judged"]
    bound: Number | None = Field(
        description="one-sided 95 % bound of what the target bounds, on the side that counts: "
        "the upper one where it has a `max`; null where undefined"
    )
    adversary: str | None = Field(default=None, description="by whom it was decided")
    victim: str | None = Field(default=None, description="whose asset decided it")
    reason: str


class Uncovered(Part):
    """A leak that is shown under the answer's setting, and that no target speaks of."""

    adversary: str
    asset: Asset
    victim: str = Field(description="the victim that leaks most")
    advantage: Estimate | None = Field(
        default=None, description="of the strongest attack, corrected for having been picked"
    )


class Answer(Part):
    """The least defense that meets every target, or what came nearest."""

    targets: tuple[TargetSummary, ...]
    policy: str | None = Field(
        default=None, description="title of the policy that set the targets; null: none did"
    )
    policy_sha256: str | None = Field(default=None, description="of the policy's file")
    least_dice: Number | None = Field(
        default=None, description="Dice below which a setting is of no use; null: no such floor"
    )
    region: str = Field(description="region whose Dice is the price")
    standings: tuple[Standing, ...]
    useless: tuple[str, ...] = Field(
        default=(),
        description="settings whose Dice is surely below `least_dice`, or not surely better than "
        "that of an empty or a full mask",
    )
    least: str | None = Field(description="the setting that meets all at the least price in Dice")
    dice_change: Estimate | None = Field(
        default=None, description="its price: Dice with it minus Dice without, paired"
    )
    rivals: tuple[str, ...] = Field(
        default=(), description="others that meet all, whose Dice does not surely differ from it"
    )
    nearest: str | None = Field(
        default=None, description="where none meets all: the setting with the smallest excess"
    )
    excess: Number | None = Field(
        default=None, description="how far the nearest's bound lies beyond a target, at worst"
    )
    uncovered: tuple[Uncovered, ...] = Field(
        default=(),
        description="leaks shown under `least`, or under `nearest`, that no target speaks of",
    )
    reason: str = Field(description="in words")


class SearchSummary(Part):
    """A search for the least strength of one defense."""

    title: str
    setting: str = Field(description="what was turned")
    strengths: tuple[str, ...] = Field(description="labels, from the weakest to the strongest")
    tried: tuple[str, ...] = Field(description="labels of those that were audited, in order")
    found: str | None = Field(description="the weakest that meets all targets; null: none")
    reason: str = Field(description="why it stopped, in words")
    cells_saved: int = Field(ge=0, description="cells that the whole grid would have taken more")

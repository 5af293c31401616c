"""What attacks came to: findings, controls, verdicts, and what did not finish."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leakaudit.record.part import (
    Asset,
    Direction,
    Estimate,
    IdentityQuestion,
    Number,
    Part,
    Region,
)

VerdictValue = Literal["leak shown", "none shown", "inconclusive", "not tested", "attack invalid"]


class CurvePoint(Part):
    """Attack quality at one amount of effort."""

    effort: int = Field(
        ge=0,
        description="optimiser steps spent so far; auxiliary patients in `curve_auxiliary`, and "
        "where an attack optimises nothing",
    )
    estimate: Estimate = Field(description="the finding's metric at that effort")


class Finding(Part):
    """What one attack got from one victim under one defense, in one metric."""

    defense: str = Field(description="label of the defense setting")
    adversary: str = Field(description="name of the adversary")
    victim: str = Field(description="party whose asset is attacked")
    asset: Asset = Field(description="what was recovered")
    attack: str = Field(description="label of the attack")
    cuts: tuple[str, ...] = Field(description="cuts whose messages were used, shallow first")
    metric: str = Field(description="registered metric name")
    region: Region = Field(default="whole", description="where in the image it was measured")
    direction: Direction = Field(description="which way is leak")
    question: IdentityQuestion | None = Field(
        default=None,
        description="re-identification: what the adversary holds of the people it could name: the "
        "same image, another slice of the same scan, or another study; null, in records before "
        "1.4: the same scan",
    )
    ceiling: Number | None = Field(
        default=None,
        description="value of a perfect attack; where `ceiling_estimate` is there, measured",
    )
    ceiling_estimate: Estimate | None = Field(
        default=None,
        description="what the same judge finds from the truth, where it is itself a model: whom "
        "true images point at; null: the ceiling is the metric's own",
    )
    chance: Number | None = Field(default=None, description="value of guessing")
    trials: int | None = Field(
        default=None, description="independent comparisons behind a rate; null: the patients"
    )
    epochs: tuple[int, ...] = Field(
        default=(),
        description="recorded epochs whose messages the guesses were made from, over all seeds: "
        "chosen on auxiliary patients, or all of them put together; empty: the attack does not say",
    )
    estimate: Estimate = Field(description="the attack's quality")
    blind: Estimate | None = Field(default=None, description="the same without the messages")
    advantage: Estimate | None = Field(
        default=None, description="(value - blind) / (ceiling - blind), per patient"
    )
    values: tuple[tuple[Number | None, ...], ...] = Field(
        description="per seed, per victim in the order of cohort.victims; null is missing"
    )
    blind_values: tuple[tuple[Number | None, ...], ...] | None = Field(
        default=None, description="the blind baseline's values, same shape"
    )
    curve: tuple[CurvePoint, ...] = Field(default=(), description="effort curve, by steps")
    curve_auxiliary: tuple[CurvePoint, ...] = Field(
        default=(), description="effort curve, by auxiliary patients the attack learnt from"
    )
    converged: bool | None = Field(
        default=None,
        description="did twice the effort gain next to nothing, on each effort curve; null where "
        "none was measured",
    )
    match_curve: tuple[Number, ...] = Field(
        default=(),
        description="re-identification: share of patients found among the first 1, 2, ... "
        "candidates, mean over patients and seeds; the chance of k places is k times `chance`",
    )

    @model_validator(mode="after")
    def _of_one_shape(self) -> Self:
        tables = [self.values, *([self.blind_values] if self.blind_values else [])]
        shapes = {(len(table), len(row)) for table in tables for row in table}
        if len(shapes) > 1:
            raise ValueError("values and blind_values have one row a seed, one column a victim")
        return self


class Control(Part):
    """A run whose answer is known."""

    kind: Literal["open", "shuffled"] = Field(
        description="open: undefended, must leak; shuffled: mismatched pairs, must not"
    )
    adversary: str
    victim: str
    asset: Asset
    attack: str
    cuts: tuple[str, ...]
    metric: str
    advantage: Estimate | None = Field(description="what the control showed; null where it failed")
    passed: bool = Field(description="did it give the known answer")
    reason: str = Field(description="in words")


class SinglePatients(Part):
    """What the attacks on one question came to for each audited patient by itself."""

    threshold: Number = Field(description="advantage of one patient that counts as a leak")
    audited: int = Field(ge=1, description="patients looked at")
    leaking: int = Field(
        ge=0, description="of them those whose advantage is surely above `threshold`, all at once"
    )
    worst: Number = Field(description="highest advantage of a patient, mean over seeds")
    patient: str = Field(description="whose; pseudonym")
    at_least: Number | None = Field(description="the worst surely has more; null: no bound")
    at_most: Number | None = Field(description="no patient surely has more; null: no bound")


class Verdict(Part):
    """The answer for one adversary, victim, asset and defense."""

    defense: str
    adversary: str
    victim: str
    asset: Asset
    question: IdentityQuestion | None = Field(
        default=None, description="identity: what the adversary holds of the candidates"
    )
    attack: str | None = Field(description="strongest attack; null where none was mounted")
    cuts: tuple[str, ...] = Field(default=(), description="cuts that the strongest attack read")
    metric: str | None = Field(default=None, description="metric the verdict was read from")
    region: Region | None = Field(default=None, description="region it was measured in")
    verdict: VerdictValue
    threshold: Number = Field(description="X, the advantage that `none shown` excludes")
    advantage: Estimate | None = Field(
        default=None, description="of the strongest attack, corrected for having been picked"
    )
    reason: str = Field(description="which condition decided, in words")
    single: SinglePatients | None = Field(
        default=None,
        description="patient by patient; null where the metric is a rate: one guess for all finds "
        "somebody, the same one every time, so that who is picked out under every seed is a doubt",
    )
    doubts: tuple[str, ...] = Field(
        default=(),
        description="everything that keeps silence from counting here, whatever the threshold; "
        "none may pass a gate while there is one",
    )
    carries: tuple[str, ...] = Field(
        default=(),
        description="what the messages surely carry: against `none shown` and against budgets at "
        "or below the threshold; a looser budget says how much of it may be read",
    )

    @property
    def patients_said(self) -> str:
        """Such as `1 of 15 patients`, where single patients leak and the mean hardly tells."""
        single, mean = self.single, self.advantage
        if self.verdict != "leak shown" or single is None or not single.leaking or mean is None:
            return ""
        sure = mean.one_sided_lower is not None and mean.one_sided_lower > 0
        if sure and mean.mean > single.threshold:
            return ""
        share = single.leaking / single.audited
        return f"{single.leaking} of {single.audited} patients ({share:.0%})"


class Dependence(Part):
    """A mutual-information proxy between a party's images and its messages."""

    defense: str
    party: str
    cut: str
    metric: str
    unit: str
    value: Number
    saturation: Number | None = Field(description="the estimator cannot exceed this")
    pairs: int
    seed: int


class Interference(Part):
    """A training in which a dishonest server sent back something else than gradients.

    It is no training of the audit's settings: their Dice, costs and other attacks speak of honest
    ones. What differs is what parties could notice.
    """

    setting: str = Field(description="label of the defense setting")
    adversary: str
    attack: str
    region: str = Field(description="whose Dice")
    dice: Estimate | None = Field(description="of the network after it; null where not measured")
    dice_change: Estimate | None = Field(
        default=None, description="that Dice minus the honest training's, paired; null: not known"
    )
    losses: tuple[Number, ...] = Field(
        default=(), description="training loss per epoch, mean over seeds, as the labels tell it"
    )
    honest_losses: tuple[Number, ...] = Field(
        default=(), description="the same of the honest training"
    )


class Picture(Part):
    """One picture in the gallery, beside the record; only for shareable cohorts."""

    file: str = Field(description="path relative to the run folder")
    sha256: str
    row: Literal["worst", "p95", "median", "best"]
    column: str = Field(description="`truth`, `level 0`, `cut NAME`, `all cuts`, `blind`, `decoy`")
    defense: str
    adversary: str
    victim: str
    attack: str
    asset: Asset
    patient: str = Field(description="pseudonym")
    value: Number | None = Field(description="SSIM against the truth, or Dice for masks")


class Failure(Part):
    """Something that did not finish, and why."""

    stage: Literal["training", "attack", "metric", "control", "render"]
    where: str
    kind: Literal["attack invalid", "not available", "error"]
    reason: str

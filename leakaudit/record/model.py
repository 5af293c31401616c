"""The audit record: the only thing that reports and gates read.

Every number in a report stands here, with its interval and the per-patient values behind it. A
failure is an entry of its own, never a number. No pixel and no patient's name is ever stored:
patients appear by pseudonym, pictures lie beside the record and only where the cohort allows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

SCHEMA_VERSION = "1.3"
"""Minor: fields were added, all with defaults. 1.1: `match_curve`, `curve_auxiliary`, `trials`.
1.2: `trade_offs`, `answer`, `searches`. 1.3: targets that a policy's rules set (`kind`, `measure`,
`tail`, `rule`, `source`, `says`, `min`, and null for what a rule leaves open), `policy`;
`interferences`; `uncovered`."""
SERVER = "server"

Asset = Literal["images", "masks", "identity", "membership", "attribute"]
Region = Literal["whole", "foreground", "lesion"]
Direction = Literal["higher", "lower"]
VerdictValue = Literal["leak shown", "none shown", "inconclusive", "not tested", "attack invalid"]
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
    levels: tuple[int, ...] = Field(description="levels whose messages were used")
    metric: str = Field(description="registered metric name")
    region: Region = Field(default="whole", description="where in the image it was measured")
    direction: Direction = Field(description="which way is leak")
    ceiling: Number | None = Field(default=None, description="value of a perfect attack")
    chance: Number | None = Field(default=None, description="value of guessing")
    trials: int | None = Field(
        default=None, description="independent comparisons behind a rate; null: the patients"
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
        description="are the ends of the measured effort curves flat; null where none was measured",
    )
    match_curve: tuple[Number, ...] = Field(
        default=(),
        description="re-identification: share of patients found among the first 1, 2, ... "
        "candidates, mean over patients and seeds; the chance of k places is k times `chance`",
    )


class Control(Part):
    """A run whose answer is known."""

    kind: Literal["open", "shuffled"] = Field(
        description="open: undefended, must leak; shuffled: mismatched pairs, must not"
    )
    adversary: str
    victim: str
    asset: Asset
    attack: str
    levels: tuple[int, ...]
    metric: str
    advantage: Estimate | None = Field(description="what the control showed; null where it failed")
    passed: bool = Field(description="did it give the known answer")
    reason: str = Field(description="in words")


class Verdict(Part):
    """The answer for one adversary, victim, asset and defense."""

    defense: str
    adversary: str
    victim: str
    asset: Asset
    attack: str | None = Field(description="strongest attack; null where none was mounted")
    levels: tuple[int, ...] = Field(default=(), description="levels of the strongest attack")
    metric: str | None = Field(default=None, description="metric the verdict was read from")
    region: Region | None = Field(default=None, description="region it was measured in")
    verdict: VerdictValue
    threshold: Number = Field(description="X, the advantage that `none shown` excludes")
    advantage: Estimate | None = Field(
        default=None, description="of the strongest attack, corrected for having been picked"
    )
    reason: str = Field(description="which condition decided, in words")


class Utility(Part):
    """Segmentation quality of one setting on the validation patients, for one region."""

    setting: str = Field(description="label of the defense, or `pooled`, or `alone: PARTY`")
    reference: bool = Field(description="true for pooled and alone")
    region: str
    metric: Literal["dice", "dice over all pixels", "hd95"]
    unit: str = Field(description="`1` for Dice, `voxels` or `mm` for HD95")
    estimate: Estimate
    values: tuple[tuple[Number | None, ...], ...] = Field(
        description="per seed, per patient in the order of cohort.validation"
    )
    excluded: int = Field(default=0, ge=0, description="patient-seeds where it is undefined")


class Route(Part):
    """One kind of message and what it costs to send."""

    sender: str
    receiver: str
    direction: Literal["activation", "gradient"]
    cut: Literal["encoder", "head"]
    level: int
    shape: tuple[int, ...] = Field(description="(channels, *space) of one sample")
    dtype: str
    bytes_per_patient: Number = Field(
        description="per epoch, mean over training patients, as defenses encode it for the wire"
    )


class Cost(Part):
    """What one setting costs besides Dice."""

    setting: str
    bytes_per_patient: Number = Field(description="all messages, per epoch")
    routes: tuple[Route, ...]


class Volatile(Part):
    """Measured on one machine at one time: never part of the record's hash."""

    created: str = Field(description="UTC, ISO 8601")
    seconds_total: Number | None = None
    seconds_per_step: dict[str, Number] = Field(default={}, description="by setting")
    peak_memory_bytes: dict[str, int] = Field(default={}, description="by setting")

    @field_validator("created")
    @classmethod
    def _a_time(cls, created: str) -> str:
        """No hash covers it, and every report prints it: at least it is a time."""
        datetime.fromisoformat(created)
        return created


class PartySummary(Part):
    """An institution in the split."""

    name: str
    modalities: tuple[str, ...]
    parameters: int | None = Field(
        description="weights of its encoder; null for somebody's own model"
    )


class SplitSummary(Part):
    """Who holds what, and what crosses."""

    orientation: Literal["vertical", "horizontal"]
    dimensions: Literal[2, 3]
    channels: tuple[int, ...] = Field(description="per level")
    party_levels: int
    skips: tuple[int, ...] = Field(description="levels whose features cross")
    labels_at: str
    parties: tuple[PartySummary, ...]
    server_parameters: int | None = Field(description="null for somebody's own model")
    epochs: int
    recorded_epochs: tuple[int, ...]


class GroupSummary(Part):
    """One group of patients."""

    patients: int
    samples: int
    with_lesion: int = Field(description="patients with any lesion voxel")


class CohortSummary(Part):
    """The people behind the numbers, by pseudonym."""

    name: str
    source: str
    modalities: tuple[str, ...]
    regions: tuple[str, ...]
    space: tuple[int, ...]
    scaling: str
    shareable: bool
    fingerprint: str = Field(description="SHA-256 over voxels, labels and owners")
    warnings: tuple[str, ...] = ()
    training: GroupSummary
    auxiliary: GroupSummary
    validation: GroupSummary
    victims: tuple[str, ...] = Field(description="pseudonyms of the attacked patients, in order")
    lesion_fraction: tuple[Number, ...] = Field(
        description="per victim, share of voxels inside any lesion, for subgroups"
    )
    validation_patients: tuple[str, ...] = Field(description="pseudonyms, in order")


class NotMountable(Part):
    """An attack this adversary could not run."""

    attack: str
    reason: str


class AdversarySummary(Part):
    """Who attacks, from where, knowing what."""

    name: str
    position: Literal["server", "party", "wire", "coalition"]
    members: tuple[str, ...]
    knowledge: tuple[str, ...] = Field(description="NIST AI 100-2 terms where they exist")
    behaviour: Literal["passive", "active"]
    mounted: tuple[str, ...]
    not_mountable: tuple[NotMountable, ...]


class AttackSummary(Part):
    """One attack as configured."""

    label: str
    name: str
    summary: str
    goal: Asset
    criterion: Literal["singling out", "linkability", "inference"] = Field(
        description="WP216 criterion the attack speaks to"
    )
    needs: tuple[str, ...]
    source: str
    settings: dict[str, Any]


class ClaimSummary(Part):
    """A formal guarantee, with everything needed to check it."""

    mechanism: str
    epsilon: Number
    delta: Number
    unit: str = Field(description="whose data the guarantee speaks of")
    neighbouring: str
    composition: str
    accountant: str
    trust_model: str
    not_covered: str = Field(description="what the claim does not protect")


class DefenseSummary(Part):
    """One defense setting: a stack of defenses with a label."""

    label: str
    stack: tuple[dict[str, Any], ...] = Field(description="name and settings, in order")
    summary: str
    claims: tuple[ClaimSummary, ...] = ()
    no_claim_because: str | None = Field(
        default=None, description="why no defense of the stack claims anything; null: one does"
    )
    unattacked: str = Field(
        default="",
        description="why no attack here undoes a defense of the stack: silence then settles "
        "nothing; empty: all are attacked",
    )


class Dependence(Part):
    """A mutual-information proxy between a party's images and its messages."""

    defense: str
    party: str
    level: int
    metric: str
    unit: str
    value: Number
    saturation: Number | None = Field(description="the estimator cannot exceed this")
    pairs: int
    seed: int


class MetricSummary(Part):
    """What a metric's number means: every number in a report is printed beside this."""

    name: str = Field(description="registered name, as findings use it")
    label: str = Field(description="as a reader meets it, such as `SSIM`")
    unit: str = Field(default="1", description="`1` where it has none")
    lowest: Number | None = Field(default=None, description="lower end of its range; null: none")
    highest: Number | None = Field(default=None, description="upper end of its range; null: none")
    direction: Direction = Field(description="which way is leak")
    chance: Number | None = Field(default=None, description="value of guessing; null: measured")
    ceiling: Number | None = Field(default=None, description="value of a perfect attack")
    meaning: str = Field(default="", description="what it means for a patient, one sentence")
    remedy: str = Field(default="", description="what to do about a bad value")
    source: str = Field(default="", description="paper, or the software it equals")


class Failure(Part):
    """Something that did not finish, and why."""

    stage: Literal["training", "attack", "metric", "control", "render"]
    where: str
    kind: Literal["attack invalid", "not available", "error"]
    reason: str


class Picture(Part):
    """One picture in the gallery, beside the record; only for shareable cohorts."""

    file: str = Field(description="path relative to the run folder")
    sha256: str
    row: Literal["worst", "p95", "median", "best"]
    column: str = Field(description="`truth`, `level 0`, `all levels`, `blind`, `decoy`, ...")
    defense: str
    adversary: str
    victim: str
    attack: str
    asset: Asset
    patient: str = Field(description="pseudonym")
    value: Number | None = Field(description="SSIM against the truth, or Dice for masks")


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
        default=(), description="settings whose Dice is surely below `least_dice`"
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


class Environment(Part):
    """What it ran on."""

    leakaudit: str
    python: str
    packages: dict[str, str]
    platform: str
    device: str
    git_commit: str | None
    git_dirty: bool | None


class Record(Part):
    """One audit, whole."""

    schema_version: str = SCHEMA_VERSION
    audit_id: str = Field(description="short hash of configuration and data")
    title: str
    content_sha256: str = Field(
        default="", description="SHA-256 over everything but this field and `volatile`"
    )
    command: str = Field(description="how to run it again")
    configuration_given: dict[str, Any]
    configuration_resolved: dict[str, Any]
    configuration_sha256: str
    environment: Environment
    seeds: tuple[int, ...]
    cohort: CohortSummary
    split: SplitSummary
    adversaries: tuple[AdversarySummary, ...]
    attacks: tuple[AttackSummary, ...]
    defenses: tuple[DefenseSummary, ...]
    metrics: tuple[MetricSummary, ...] = ()
    findings: tuple[Finding, ...]
    controls: tuple[Control, ...]
    verdicts: tuple[Verdict, ...]
    utility: tuple[Utility, ...]
    costs: tuple[Cost, ...]
    dependence: tuple[Dependence, ...] = ()
    trade_offs: tuple[TradeOff, ...] = ()
    answer: Answer | None = Field(default=None, description="null where no setting has a finding")
    searches: tuple[SearchSummary, ...] = ()
    interferences: tuple[Interference, ...] = ()
    pictures: tuple[Picture, ...] = ()
    failures: tuple[Failure, ...] = ()
    not_available: dict[str, str] = Field(default={}, description="metric name to how to get it")
    volatile: Volatile

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """One training counted twice would look like two that agree."""
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed stands once")
        return seeds

    @field_validator("verdicts")
    @classmethod
    def _judged(cls, verdicts: tuple[Verdict, ...], info: ValidationInfo) -> tuple[Verdict, ...]:
        """Verdicts tell which questions were asked: without them, nothing tells what is missing."""
        if info.data.get("findings") and not verdicts:
            raise ValueError("an audit with findings has verdicts")
        return verdicts

"""What was audited, and on what: people, split, adversaries, attacks, defenses, machine."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator

from leakaudit.record.part import Asset, Direction, IdentityQuestion, Number, Part


class PartySummary(Part):
    """An institution in the split."""

    name: str
    modalities: tuple[str, ...]
    parameters: int | None = Field(
        description="weights of its encoder; null for somebody's own model"
    )


class CutSummary(Part):
    """Where the network is cut, as measured."""

    name: str
    shapes: dict[str, tuple[int, ...]] = Field(
        description="party to (channels, *grid) of what it sends, before any defense"
    )


class SplitSummary(Part):
    """Who holds what, and what crosses."""

    model: str = Field(default="split-u-net", description="registered name of the model")
    network: str | None = Field(
        default=None, description="import path of somebody's own network; null for ours"
    )
    cuts: tuple[CutSummary, ...] = Field(
        description="what crosses when nothing is defended, shallow first"
    )
    orientation: Literal["vertical", "horizontal"]
    dimensions: Literal[2, 3]
    mixes: bool = Field(
        default=False,
        description="whether, in training, what is computed for a patient depends on others of the "
        "batch (batch norm, say): no formal claim holds then",
    )
    channels: tuple[int, ...] = Field(
        description="per level; of other networks, per cut, at the party that sends most"
    )
    party_levels: int = Field(description="of the encoder; of other networks, cuts")
    labels_at: str
    parties: tuple[PartySummary, ...]
    server_parameters: int | None = Field(description="null for somebody's own model")
    epochs: int
    recorded_epochs: tuple[int, ...]

    @property
    def cut_names(self) -> tuple[str, ...]:
        """By number: what may be named; of split-u-net also levels that do not cross."""
        if self.network is not None:
            return tuple(cut.name for cut in self.cuts)
        return tuple(f"level {number}" for number in range(len(self.channels)))


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
    question: IdentityQuestion = Field(
        default="same scan", description="what it holds of the people it could name"
    )
    linked: bool = Field(
        default=True, description="whether it sees which messages are of one patient"
    )
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
    parties: tuple[str, ...] = Field(
        default=(), description="whose activations it covers; none where it covers none"
    )
    mu: Number | None = Field(
        default=None,
        description="of Gaussian differential privacy, all releases together: the whole trade-off "
        "curve; null where the noise is not Gaussian",
    )
    bits_at_most: Number | None = Field(
        default=None,
        description="the most bits about one patient that all covered activations carry together; "
        "null where no formula gives them",
    )


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
        description="why nobody can tell what silence under the stack means; empty: for each of "
        "its defenses it is known. Since 1.4 among the `doubts` of its verdicts",
    )


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


class Environment(Part):
    """What it ran on."""

    leakaudit: str
    python: str
    packages: dict[str, str]
    platform: str
    device: str
    git_commit: str | None
    git_dirty: bool | None


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

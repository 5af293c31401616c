"""What a job says of itself: who takes part, what it trains, which epochs are kept."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from leakaudit.errors import ConfigurationError
from leakaudit.plugins import Use, validated
from leakaudit.recording.sheet import SampleSheet
from leakaudit.split.spec import OWN, SERVER, PartySpec, SplitSpec
from leakaudit.trace.description import ConfiguredFilter, TraceDescription
from leakaudit.trace.recording import RecordingSettings


class Job(BaseModel):
    """A training job of somebody's own.

    Nothing of its networks is said: what crosses is measured. Settings that are not given read "not
    stated" in the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parties: dict[str, tuple[str, ...]] = Field(
        min_length=1, description="each site and the modalities that its encoder reads"
    )
    epochs: PositiveInt = Field(description="passes over the training samples")
    labels_at: str = Field(default=SERVER, description="`server`, or the site with the labels")
    record: RecordingSettings = Field(
        default=RecordingSettings(), description="which epochs are kept"
    )
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    stated: dict[str, Any] = Field(
        default_factory=dict, description="more about its training, printed as it is given"
    )
    filters: tuple[ConfiguredFilter, ...] | None = Field(
        default=None,
        description="filters or mods that the framework is configured with, and where the recorder "
        "stands among them; unset: not said, empty: none",
    )
    recorded_at: tuple[str, ...] | None = Field(
        default=None, description="sites whose messages this recorder sees; unset: all"
    )
    run: str = Field(default="", description="names the run, where several recorders see parts")

    def described(self, sheet: SampleSheet) -> TraceDescription:
        """The trace's description before anything crossed.

        Raises:
            ConfigurationError: sites, modalities or epochs do not go together.
        """
        strange = sorted({name for held in self.parties.values() for name in held}
                         - set(sheet.modalities))  # fmt: skip
        absent = sorted(set(self.recorded_at or ()) - set(self.parties))
        if strange or absent:
            raise ConfigurationError(
                "a job's sites hold modalities of the cohort, and those recorded are among them",
                found=(strange or absent)[0],
                remedy=f"modalities: {', '.join(sheet.modalities)}; "
                f"sites: {', '.join(self.parties)}",
            )
        settings = {"batch_size": self.batch_size, "learning_rate": self.learning_rate}
        split = {
            "parties": tuple(
                PartySpec(name=name, modalities=held) for name, held in self.parties.items()
            ),
            "dimensions": len(sheet.space),
            "labels_at": self.labels_at,
            "model": Use(use=OWN),
        }
        return TraceDescription(
            network="own",
            split=validated(SplitSpec, split, what="the job's split"),
            regions=sheet.regions,
            space=sheet.space,
            seed=0,
            cohort_fingerprint=sheet.cohort_fingerprint,
            training={"epochs": self.epochs}
            | {name: value for name, value in settings.items() if value is not None}
            | self.stated,
            epochs_trained=self.epochs,
            epochs_recorded=self.record.chosen(self.epochs),
            samples=sheet.traced(),
            filters=self.filters,
            run=self.run,
            recorded_at=self.recorded_at,
        )

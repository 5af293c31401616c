"""What a setting costs: segmentation, and bytes on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leakaudit.record.part import SERVER, Estimate, Number, Part


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
    cut: str = Field(description="its name; `head` for what a label holder exchanges")
    shape: tuple[int, ...] = Field(description="(channels, *space) of one sample")
    dtype: str
    bytes_per_patient: Number = Field(
        description="per epoch, mean over training patients, as defenses encode it for the wire"
    )

    @property
    def at_head(self) -> bool:
        """Whether it crosses to a label holder's last layers or back, not from an encoder."""
        return (self.direction == "activation") == (self.sender == SERVER)


class Cost(Part):
    """What one setting costs besides Dice."""

    setting: str
    bytes_per_patient: Number = Field(description="all messages, per epoch")
    routes: tuple[Route, ...]
